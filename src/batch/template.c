/*
 * template.c - see template.h.
 */
#include "postgres.h"

#include "batch/template.h"

#include "lib/stringinfo.h"

static const char *const names[] = {"{account}", "{container}", "{path}", "{job}", "{sas}"};

/* The index of the name that text begins with, or -1. */
static int
name_at(const char *text)
{
	for (int i = 0; i < lengthof(names); i++)
	{
		if (strncmp(text, names[i], strlen(names[i])) == 0)
			return i;
	}
	return -1;
}

char *
mls_template_check(const char *text)
{
	bool has_path = false;

	for (const char *c = text; *c != '\0'; c++)
	{
		if (*c == '{' && name_at(c) < 0)
			return pstrdup("After \"{\" must come one of account}, container}, path}, job}, sas}.");
		if ((unsigned char) *c <= ' ' || *c == 0x7f)
			return pstrdup("The value must not contain spaces or control characters.");
		has_path |= strncmp(c, "{path}", 6) == 0;
	}
	if (!has_path)
		return pstrdup("The value must contain {path}, which is another one for each job.");
	return NULL;
}

bool
mls_template_uses_sas(const char *text)
{
	return strstr(text, "{sas}") != NULL;
}

char *
mls_template_expand(const char *text, const MlsTemplateValues *values)
{
	StringInfoData out;

	initStringInfo(&out);
	while (*text != '\0')
	{
		int name = *text == '{' ? name_at(text) : -1;

		switch (name)
		{
			case 0:
				appendStringInfoString(&out, values->account);
				break;
			case 1:
				appendStringInfoString(&out, values->container);
				break;
			case 2:
				appendStringInfoString(&out, values->path);
				break;
			case 3:
				appendStringInfo(&out, INT64_FORMAT, values->job);
				break;
			case 4:
				if (values->sas != NULL)
					appendStringInfoString(&out, values->sas);
				break;
			default:
				appendStringInfoChar(&out, *text++);
				continue;
		}
		text += strlen(names[name]);
	}
	return out.data;
}
