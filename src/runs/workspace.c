/*
 * workspace.c - see workspace.h.
 */
#include "postgres.h"

#include "runs/workspace.h"

/* The segment after one of this name, palloc'd; *end is set to where it ends. NULL when there is none. */
static char *
segment_after(const char *path, const char *name, const char **end)
{
	size_t name_len = strlen(name);

	for (const char *p = path; *p != '\0'; p++)
	{
		const char *start = p + name_len + 2;
		size_t len;

		if (*p != '/' || pg_strncasecmp(p + 1, name, name_len) != 0 || p[name_len + 1] != '/')
			continue;
		len = strcspn(start, "/");
		*end = start + len;
		return len == 0 ? NULL : pnstrdup(start, len);
	}
	return NULL;
}

static char *
lower(const char *text, size_t len)
{
	char *result = pnstrdup(text, len);

	for (char *c = result; *c != '\0'; c++)
		*c = pg_ascii_tolower((unsigned char) *c);
	return result;
}

void
mls_workspace_parse(const char *resource, MlsWorkspace *workspace)
{
	const char *end = resource + strlen(resource);
	const char *unused;

	workspace->subscription = segment_after(resource, "subscriptions", &unused);
	workspace->resource_group = segment_after(resource, "resourceGroups", &unused);
	workspace->name = segment_after(resource, "workspaces", &end);
	while (end > resource && end[-1] == '/')
		end--;
	workspace->id = lower(resource, end - resource);
}

bool
mls_workspace_is_id(const char *resource)
{
	MlsWorkspace workspace;
	char *whole;

	mls_workspace_parse(resource, &workspace);
	if (workspace.subscription == NULL || workspace.resource_group == NULL || workspace.name == NULL)
		return false;
	whole = psprintf("/subscriptions/%s/resourcegroups/%s/providers/microsoft.machinelearningservices/workspaces/%s",
					 workspace.subscription, workspace.resource_group, workspace.name);
	return pg_strcasecmp(whole, resource) == 0;
}
