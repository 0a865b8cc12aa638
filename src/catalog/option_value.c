/*
 * option_value.c - the values of options: parsing one, and reading a server's into its struct.
 *
 * An option's value is checked in full at DDL time; reading it later runs the same code and so cannot find anything new.
 */
#include "catalog/option_table.h"

#include <ctype.h>

#include "auth/reference.h"
#include "auth/scope.h"
#include "batch/template.h"
#include "commands/defrem.h"
#include "inference/log_rates.h"
#include "nodes/makefuncs.h"
#include "runs/workspace.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/varlena.h"

bool
mls_option_parse_auto(const char *value, int *result)
{
	int count;

	if (pg_strcasecmp(value, "auto") == 0)
	{
		*result = MLS_AUTO;
		return true;
	}
	if (!parse_int(value, &count, 0, NULL) || count < 1 || count > MLS_OPTION_MAX_COUNT)
		return false;
	*result = count;
	return true;
}

/* May a message repeat the value? Not if it is a secret, or a URL that may have a password in it. */
static bool
may_be_shown(const MlsOption *option, const char *value)
{
	if (option->kind == MLS_KIND_URL || option->kind == MLS_KIND_PROXY_URL)
		return strchr(value, '@') == NULL;
	return option->kind != MLS_KIND_SECRET && option->kind != MLS_KIND_PEM;
}

void
mls_option_raise_value(const MlsOption *option, const char *value, const char *expected)
{
	if (!may_be_shown(option, value))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("invalid value for option \"%s\"", option->name), errdetail("%s", expected));
	ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("invalid value for option \"%s\": \"%s\"", option->name, value), errdetail("%s", expected));
}

/* Does value hold anything that could end an HTTP header line, or is no text at all? */
static bool
has_control_characters(const char *value)
{
	for (const unsigned char *c = (const unsigned char *) value; *c != '\0'; c++)
		if (*c < ' ' || *c == 0x7f)
			return true;
	return false;
}

/* How a number of the unit that flags say is written out. */
static const char *
unit_word(int flags)
{
	switch (flags)
	{
		case GUC_UNIT_MS:
			return " ms";
		case GUC_UNIT_MIN:
			return " min";
		case GUC_UNIT_BYTE:
			return " bytes";
		default:
			return "";
	}
}

/* A number of the unit that flags say (GUC_UNIT_MS, ...), checked against the option's range. */
static int
parse_number(const MlsOption *option, const char *value, int flags, const char *what)
{
	const char *hint = NULL;
	int result;

	if (!parse_int(value, &result, flags, &hint))
		mls_option_raise_value(option, value, hint != NULL ? hint : psprintf("The value must be %s.", what));
	if (result < option->min || result > option->max)
		mls_option_raise_value(
			option, value,
			psprintf("The value must be between %.0f and %.0f%s.", option->min, option->max, unit_word(flags)));
	return result;
}

/* Minutes, 0 alone or with a unit: a bare number would be taken for days by one reader and for milliseconds by another. */
static int
parse_minutes(const MlsOption *option, const char *value)
{
	int result = parse_number(option, value, GUC_UNIT_MIN, "a time such as '12h' or '30d'");

	if (result != 0 && strpbrk(value, "dhmsu") == NULL)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("invalid value for option \"%s\": \"%s\"", option->name, value),
				errdetail("The value has no unit."), errhint("Give one, such as '%sd' for days.", value));
	return result;
}

static double
parse_rate(const MlsOption *option, const char *value)
{
	double result;

	if (!parse_real(value, &result, 0, NULL) || !(result >= option->min && result <= option->max))
		mls_option_raise_value(option, value,
							   psprintf("The value must be a number between %.0f and %.0f.", option->min, option->max));
	return result;
}

static bool
consists_of(const char *value, const char *also)
{
	for (; *value != '\0'; value++)
		if (!isalnum((unsigned char) *value) && strchr(also, *value) == NULL)
			return false;
	return true;
}

/* Is value schema.table, as SQL writes it? */
static bool
is_qualified_name(const char *value)
{
	List *names;

	return SplitIdentifierString(pstrdup(value), '.', &names) && list_length(names) == 2;
}

/* Is value the PEM text of a certificate and its key? */
static bool
is_pem(const char *value)
{
	return strstr(value, "-----BEGIN CERTIFICATE-----") != NULL && strstr(value, "PRIVATE KEY-----") != NULL;
}

/* Check a secret's value, which may also say where the secret is. */
static void
check_secret(const MlsOption *option, const char *value)
{
	char *problem = NULL;

	if (mls_reference_is(value))
		problem = mls_reference_check(value);
	else if (option->kind == MLS_KIND_PEM && !is_pem(value))
		problem = "The value must be the PEM text of a certificate and its private key, or file:/PATH.";
	else if (*value == '\0' || (option->kind == MLS_KIND_SECRET && has_control_characters(value)))
		problem = "The value must not be empty and must not contain control characters.";
	if (problem != NULL)
		mls_option_raise_value(option, value, problem);
}

/* Raise unless value is a well-formed ARM id of what is wanted. */
static void
check_arm_id(const MlsOption *option, const char *value, bool is_one, const char *last, const char *command)
{
	if (is_one && consists_of(value, "/._-()"))
		return;
	ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("invalid value for option \"%s\": \"%s\"", option->name, value),
			errdetail("The value must be like /subscriptions/ID/resourceGroups/NAME/providers/"
					  "Microsoft.MachineLearningServices/workspaces/NAME%s.",
					  last),
			errhint("Copy it from the portal, where it is called resource ID, or from the output of: %s", command));
}

MlsOptionValue
mls_option_parse(const MlsOption *option, char *value)
{
	MlsOptionValue result = {0};
	const MlsOptionWord *word;
	char *problem;

	switch (option->kind)
	{
		case MLS_KIND_COUNT:
			result.number = parse_number(option, value, 0, "a whole number");
			break;
		case MLS_KIND_AUTO_OR_COUNT:
			if (!mls_option_parse_auto(value, &result.number))
				mls_option_raise_value(option, value,
									   psprintf("The value must be 'auto' or a whole number from %.0f to %.0f.",
												option->min, option->max));
			break;
		case MLS_KIND_REAL:
			result.real = parse_rate(option, value);
			break;
		case MLS_KIND_DURATION:
			result.number = parse_number(option, value, GUC_UNIT_MS, "a time such as '20ms', '60s' or '2min'");
			break;
		case MLS_KIND_MINUTES:
			result.number = parse_minutes(option, value);
			break;
		case MLS_KIND_SIZE:
			result.number = parse_number(option, value, GUC_UNIT_BYTE, "a size such as '512kB' or '1MB'");
			break;
		case MLS_KIND_ENUM:
			word = mls_option_find_word(option->words, value);
			if (word == NULL)
				mls_option_raise_value(option, value,
									   psprintf("Valid values are: %s.", mls_option_list_words(option->words)));
			result.number = word->value;
			break;
		case MLS_KIND_URL:
		case MLS_KIND_PROXY_URL:
		case MLS_KIND_BROKERS:
		case MLS_KIND_PROPERTY:
			break;
		case MLS_KIND_FILE:
			if (!is_absolute_path(value))
				mls_option_raise_value(option, value, "The value must be an absolute path on the database server.");
			break;
		case MLS_KIND_WORKSPACE:
			check_arm_id(option, value, mls_workspace_is_id(value), "",
						 "az ml workspace show --query id --resource-group GROUP --name NAME");
			break;
		case MLS_KIND_TEMPLATE:
			problem = mls_template_check(value);
			if (problem != NULL)
				mls_option_raise_value(option, value, problem);
			break;
		case MLS_KIND_FUNCTION_RATES:
			problem = mls_log_rates_problem(value);
			if (problem != NULL)
				mls_option_raise_value(option, value, problem);
			break;
		case MLS_KIND_TEXT:
			if (*value == '\0' || has_control_characters(value))
				mls_option_raise_value(option, value,
									   "The value must not be empty and must not contain control characters.");
			break;
		case MLS_KIND_TABLE:
			if (!is_qualified_name(value))
				mls_option_raise_value(
					option, value,
					"The value must be the name of a table with its schema, such as 'public.price_log'.");
			break;
		case MLS_KIND_NAME:
			if (*value == '\0' || !consists_of(value, ".-"))
				mls_option_raise_value(option, value, "The value must consist of letters, digits, \".\" and \"-\".");
			break;
		case MLS_KIND_SCOPE:
			if (!consists_of(value, ".:/_-") || !mls_scope_has_resource(value))
				mls_option_raise_value(option, value,
									   "The value must be a resource and \"/.default\", such as "
									   "'https://ml.azure.com/.default'.");
			break;
		case MLS_KIND_ARM_ID:
			check_arm_id(
				option, value, mls_arm_id_is_endpoint(value), "/onlineEndpoints/NAME",
				"az ml online-endpoint show --query id --resource-group GROUP --workspace-name NAME --name NAME");
			break;
		case MLS_KIND_SECRET:
		case MLS_KIND_PEM:
			check_secret(option, value);
			break;
	}
	result.text = value;
	return result;
}

/* Is the field in MlsServer a char *? */
static bool
is_text(const MlsOption *option)
{
	switch (option->kind)
	{
		case MLS_KIND_URL:
		case MLS_KIND_PROXY_URL:
		case MLS_KIND_FILE:
		case MLS_KIND_WORKSPACE:
		case MLS_KIND_TEMPLATE:
		case MLS_KIND_BROKERS:
		case MLS_KIND_FUNCTION_RATES:
		case MLS_KIND_TEXT:
		case MLS_KIND_TABLE:
		case MLS_KIND_NAME:
		case MLS_KIND_SCOPE:
		case MLS_KIND_ARM_ID:
		case MLS_KIND_SECRET:
		case MLS_KIND_PEM:
			return true;
		case MLS_KIND_COUNT:
		case MLS_KIND_AUTO_OR_COUNT:
		case MLS_KIND_REAL:
		case MLS_KIND_DURATION:
		case MLS_KIND_MINUTES:
		case MLS_KIND_SIZE:
		case MLS_KIND_ENUM:
		case MLS_KIND_PROPERTY:
			break;
	}
	return false;
}

static void
store_value(MlsServer *server, const MlsOption *option, const MlsOptionValue *value)
{
	void *field = (char *) server + option->offset;

	if (option->kind == MLS_KIND_PROPERTY)
		return; /* mls_option_read has its name */
	if (is_text(option))
		*(char **) field = value->text;
	else if (option->kind == MLS_KIND_REAL)
		*(double *) field = value->real;
	else
		*(int *) field = value->number;
}

void
mls_option_copy_texts(MlsServer *server)
{
	const MlsOption *option;

	for (int i = 0; (option = mls_option_at(i)) != NULL; i++)
	{
		char **field = (char **) ((char *) server + option->offset);

		if (option->place == MLS_OPTION_OF_SERVER && is_text(option) && *field != NULL)
			*field = pstrdup(*field);
	}
}

StaticAssertDecl(sizeof(MlsRequestFormat) == sizeof(int), "enums are stored through int pointers");

void
mls_option_read(MlsServer *server, List *options)
{
	ListCell *lc;

	foreach (lc, options)
	{
		DefElem *def = lfirst(lc);
		const MlsOption *option = mls_option_find(def->defname);
		MlsOptionValue value;

		if (option == NULL || option->place != MLS_OPTION_OF_SERVER)
			continue; /* not of this version of the library: the validator would not have let it in */
		value = mls_option_parse(option, defGetString(def));
		store_value(server, option, &value);
		if (option->kind == MLS_KIND_PROPERTY)
			server->kafka_properties = lappend(server->kafka_properties,
											   makeDefElem(def->defname + strlen(MLS_PROPERTY_PREFIX), def->arg, -1));
		server->auth_given |= strcmp(option->name, "auth") == 0;
	}
}
