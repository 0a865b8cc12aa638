/*
 * option.c - checking options as DDL gives them: the wrapper's validator, and what depends on a server's type.
 *
 * Only where requests may go is looked at again, for each, because a superuser may change that.
 */
#include "catalog/option_table.h"

#include "access/reloptions.h"
#include "auth/reference.h"
#include "batch/location.h"
#include "catalog/mapping_ddl.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "catalog/url.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/plannodes.h"
#include "stream/kafka.h"
#include "tcop/pquery.h"
#include "utils/builtins.h"
#include "utils/portal.h"

/* Raise when requests must not go where value points. Not part of its parsing: the rules may change later. */
static void
check_url(const MlsOption *option, const char *value)
{
	char *refusal = NULL;

	if (option->kind == MLS_KIND_URL)
		refusal = mls_url_refusal(value);
	else if (option->kind == MLS_KIND_PROXY_URL)
		refusal = mls_url_proxy_refusal(value);
	else if (option->kind == MLS_KIND_BROKERS)
		refusal = mls_kafka_brokers_refusal(value);
	if (refusal != NULL)
		mls_option_raise_value(option, value, refusal);
}

/* Raise unless librdkafka takes the property, and a server may have it. */
static void
check_property(DefElem *def)
{
	MlsKafkaProperty verdict;
	char *problem = mls_kafka_property_check(def->defname + strlen(MLS_PROPERTY_PREFIX), defGetString(def), &verdict);

	switch (verdict)
	{
		case MLS_PROPERTY_OK:
			break;
		case MLS_PROPERTY_FOR_SUPERUSERS:
			ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					errmsg("permission denied to use the option \"%s\"", def->defname), errdetail("%s", problem));
		case MLS_PROPERTY_MALFORMED:
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("invalid value for option \"%s\"", def->defname), errdetail("librdkafka says: %s", problem));
		case MLS_PROPERTY_UNKNOWN:
			ereport(ERROR, errcode(ERRCODE_FDW_INVALID_OPTION_NAME), errmsg("invalid option \"%s\"", def->defname),
					errdetail("librdkafka says: %s", problem));
		case MLS_PROPERTY_REFUSED:
			ereport(ERROR, errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					errmsg("option \"%s\" cannot be set", def->defname), errdetail("%s", problem));
	}
}

/* Raise unless servers of this type can have the auth that value names. */
static void
check_auth(const char *name, MlsServerType type, const char *value)
{
	const MlsTypeRule *rule = &mls_type_rules[type];

	if (rule->auths & MLS_AUTH_BIT(mls_option_find_word(mls_auth_words, value)->value))
		return;
	ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("server \"%s\" of type '%s' cannot have auth '%s'", name, rule->name, value),
			errhint("Valid values for this type are: %s.", mls_option_list_auths(1U << type)));
}

/* Raise unless a blob server's url names a container. */
static void
check_location(const char *name, const char *url, const char *account)
{
	MlsLocation location;

	if (url != NULL && !mls_location_parse(url, account, &location))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("option \"url\" of server \"%s\" names no container", name),
				errhint("%s", mls_type_rules[MLS_SERVER_BLOB].needed_hint));
}

/* Raise unless an eventhubs server's security_protocol and auth fit each other, and the brokers are where it may go. */
static void
check_protocol(const char *name, List *options)
{
	MlsServer server = {0};
	char *refusal;

	mls_option_read(&server, options);
	refusal = mls_kafka_protocol_refusal(&server);
	if (refusal != NULL)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("option \"security_protocol\" of server \"%s\" does not fit", name), errdetail("%s", refusal));
}

static char *
option_value(List *options, const char *name)
{
	ListCell *lc;

	foreach (lc, options)
	{
		DefElem *def = lfirst(lc);

		if (strcmp(def->defname, name) == 0)
			return defGetString(def);
	}
	return NULL;
}

pg_noreturn static void
raise_needs(const char *name, const char *what, const char *needed, const char *hint)
{
	ereport(ERROR, errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
			errmsg("server \"%s\" with %s needs the option \"%s\"", name, what, needed), errhint("%s", hint));
}

/* Raise about options of identities that miss another, or exclude each other. */
static void
check_identity(const char *name, List *options)
{
	char *auth = option_value(options, "auth");
	char *credential = option_value(options, "credential");
	int nselectors = (option_value(options, "identity_client_id") != NULL) +
					 (option_value(options, "identity_object_id") != NULL) +
					 (option_value(options, "identity_resource_id") != NULL);
	char *hint =
		psprintf("Say as whom tokens are fetched. Valid values are: %s.", mls_option_list_words(mls_credential_words));

	if (auth != NULL && strcmp(auth, "entra") == 0 && credential == NULL)
		raise_needs(name, "auth 'entra'", "credential", hint);
	if (auth != NULL && strcmp(auth, "aml_token") == 0 && option_value(options, "endpoint_id") == NULL)
		raise_needs(name, "auth 'aml_token'", "endpoint_id", "Give the ARM id of the online endpoint.");
	if (option_value(options, "endpoint_id") != NULL && credential == NULL)
		raise_needs(name, "an endpoint_id", "credential", hint);
	if (nselectors > 1)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("server \"%s\" names more than one managed identity", name),
				errhint("Give one of identity_client_id, identity_object_id and identity_resource_id."));
	if (nselectors > 0 &&
		(credential == NULL || (strcmp(credential, "managed_identity") != 0 && strcmp(credential, "default") != 0)))
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("server \"%s\" names a managed identity without using one", name),
				errhint("It goes with credential 'managed_identity' or 'default'."));
}

/* Raise about an option that means nothing without another. */
static void
check_companion(const char *name, List *options, const char *option, const char *needed, const char *hint)
{
	if (option_value(options, option) != NULL && option_value(options, needed) == NULL)
		raise_needs(name, psprintf("the option \"%s\"", option), needed, hint);
}

/* Raise about options that say half of where requests go. */
static void
check_routes(const char *name, List *options)
{
	static const char *const of_logs[] = {"log_sample_rate", "log_function_rates", "log_partition", "log_retention"};

	check_companion(name, options, "canary_percent", "canary_deployment",
					"Name the deployment that takes that share of the requests.");
	check_companion(name, options, "canary_deployment", "canary_percent",
					"Say which share of the requests it takes, from 0 to 100.");
	for (int i = 0; i < lengthof(of_logs); i++)
		check_companion(name, options, of_logs[i], "log_table",
						"Name the table that requests are logged in; it is made when it is first needed.");
	if (!mls_preloaded &&
		(option_value(options, "log_table") != NULL || option_value(options, "shadow_deployment") != NULL))
		ereport(WARNING, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("requests to server \"%s\" are neither logged nor copied in this server", name),
				errdetail("That is the work of a background process, which starts with the server."),
				errhint("Add ml_score to shared_preload_libraries and restart PostgreSQL."));
}

void
mls_option_check_type(const char *name, MlsServerType type, List *options)
{
	const MlsTypeRule *rule = &mls_type_rules[type];
	bool has_needed = false;
	char *url = NULL;
	char *account = NULL;
	ListCell *lc;

	foreach (lc, options)
	{
		DefElem *def = lfirst(lc);
		const MlsOption *option = mls_option_find(def->defname);

		if (option == NULL || (option->types & (1U << type)) == 0)
			ereport(ERROR, errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					errmsg("server \"%s\" of type '%s' has no option \"%s\"", name, rule->name, def->defname),
					errhint("Valid options for this type are: %s.", mls_option_list(MLS_OPTION_OF_SERVER, 1U << type)));
		if (strcmp(def->defname, "auth") == 0)
			check_auth(name, type, defGetString(def));
		if (strcmp(def->defname, "url") == 0)
			url = defGetString(def);
		if (strcmp(def->defname, "account") == 0)
			account = defGetString(def);
		has_needed |= strcmp(def->defname, rule->needed) == 0 ||
					  (rule->alternative != NULL && strcmp(def->defname, rule->alternative) == 0);
	}
	if (!has_needed)
		ereport(ERROR, errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
				errmsg("server \"%s\" needs the option \"%s\"", name, rule->needed), errhint("%s", rule->needed_hint));
	check_identity(name, options);
	if (type == MLS_SERVER_ONLINE)
		check_routes(name, options);
	if (type == MLS_SERVER_BLOB)
		check_location(name, url, account);
	if (type == MLS_SERVER_EVENTHUBS)
		check_protocol(name, options);
	if (type == MLS_SERVER_WORKSPACE && url == NULL)
		ereport(ERROR, errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
				errmsg("server \"%s\" needs the option \"url\"", name),
				errhint("Give the region's API: OPTIONS (url 'https://REGION.api.azureml.ms')."));
}

/* The type of a server that exists, or of none. */
static const char *
type_of_server(const char *name)
{
	ForeignServer *server = GetForeignServerByName(name, true);

	return server == NULL ? NULL : server->servertype;
}

/*
 * The type, as a bit, of the server that the client's statement is about; every type when that cannot be told. The validator
 * is not told, and this is good enough for a hint.
 */
static unsigned
types_of_statement(void)
{
	const char *name = NULL;
	MlsServerType type;
	Node *statement;

	if (ActivePortal == NULL || list_length(ActivePortal->stmts) != 1)
		return ~0U;
	statement = linitial_node(PlannedStmt, ActivePortal->stmts)->utilityStmt;
	if (statement == NULL)
		return ~0U;
	if (IsA(statement, CreateForeignServerStmt))
		name = ((CreateForeignServerStmt *) statement)->servertype;
	else if (IsA(statement, AlterForeignServerStmt))
		name = type_of_server(((AlterForeignServerStmt *) statement)->servername);
	else if (IsA(statement, CreateUserMappingStmt))
		name = type_of_server(((CreateUserMappingStmt *) statement)->servername);
	else if (IsA(statement, AlterUserMappingStmt))
		name = type_of_server(((AlterUserMappingStmt *) statement)->servername);
	return name != NULL && mls_server_type_parse(name, &type) ? 1U << type : ~0U;
}

/* Raise when value names no auth at all. The words are those of the statement's type, as far as that can be told. */
static void
check_auth_word(const MlsOption *option, const char *value)
{
	if (option->words == mls_auth_words && mls_option_find_word(mls_auth_words, value) == NULL)
		mls_option_raise_value(option, value,
							   psprintf("Valid values are: %s.", mls_option_list_auths(types_of_statement())));
}

/* Raise about an option that is unknown, or known at another place. */
pg_noreturn static void
raise_unknown(const char *name, const MlsOption *option, const MlsOptionPlace *place)
{
	char *valid = place == NULL ? "" : mls_option_list(*place, types_of_statement());

	if (option != NULL && option->place == MLS_OPTION_OF_MAPPING)
		ereport(ERROR, errcode(ERRCODE_FDW_INVALID_OPTION_NAME), errmsg("option \"%s\" belongs to user mappings", name),
				errhint("Credentials go into CREATE USER MAPPING ... OPTIONS (%s '...').", name));
	if (option != NULL)
		ereport(ERROR, errcode(ERRCODE_FDW_INVALID_OPTION_NAME), errmsg("option \"%s\" belongs to servers", name),
				*valid == '\0' ? errhint("There are no valid options in this context.")
							   : errhint("Valid options in this context are: %s.", valid));
	ereport(ERROR, errcode(ERRCODE_FDW_INVALID_OPTION_NAME), errmsg("invalid option \"%s\"", name),
			*valid == '\0' ? errhint("There are no valid options in this context.")
						   : errhint("Valid options in this context are: %s.", valid));
}

/* Raise unless the option may have this value without being a superuser's. */
static void
check_privilege(const MlsOption *option, const char *value)
{
	const MlsOptionWord *word = option->words == NULL ? NULL : mls_option_find_word(option->words, value);

	if (option->superuser_only)
		ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("permission denied to use the option \"%s\"", option->name),
				errdetail("Only a superuser may name a file of the database server's machine."));
	if (option->words == mls_credential_words && word != NULL && word->value >= MLS_CREDENTIAL_ENVIRONMENT)
		ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				errmsg("permission denied to use credential '%s'", value),
				errdetail("It is the identity of the database server itself, which only a superuser may lend."));
	if ((option->kind == MLS_KIND_SECRET || option->kind == MLS_KIND_PEM) && mls_reference_is(value))
		ereport(
			ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			errmsg("permission denied to use the option \"%s\" with a reference", option->name),
			errdetail("Only a superuser may have the database server read its environment, its files or a key vault."));
}

/* Check one option as DDL gives it. place is NULL where no option may stand. */
static const MlsOption *
check_option(DefElem *def, const MlsOptionPlace *place)
{
	const MlsOption *option = mls_option_find(def->defname);

	if (option == NULL || place == NULL || option->place != *place)
		raise_unknown(def->defname, option, place);
	if (!superuser())
		check_privilege(option, defGetString(def));
	check_auth_word(option, defGetString(def));
	mls_option_parse(option, defGetString(def));
	check_url(option, defGetString(def));
	if (option->kind == MLS_KIND_PROPERTY)
		check_property(def);
	return option;
}

/*
 * ml_score.option_validator(options text[], catalog oid): the foreign data wrapper's validator. Sees the options as they
 * will be, after ADD, SET and DROP, but not the server's type; server_ddl.c looks at that.
 */
PG_FUNCTION_INFO_V1(mls_option_validator);

PGDLLEXPORT Datum
mls_option_validator(PG_FUNCTION_ARGS)
{
	List *options = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid catalog = PG_GETARG_OID(1);
	MlsOptionPlace place = catalog == UserMappingRelationId ? MLS_OPTION_OF_MAPPING : MLS_OPTION_OF_SERVER;
	bool may_have = catalog == ForeignServerRelationId || catalog == UserMappingRelationId;
	bool has_key = false;
	bool has_token = false;
	ListCell *lc;

	foreach (lc, options)
	{
		const MlsOption *option = check_option(lfirst(lc), may_have ? &place : NULL);

		has_key |= strcmp(option->name, "key") == 0;
		has_token |= strcmp(option->name, "token") == 0;
	}
	if (has_key && has_token)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("options \"key\" and \"token\" exclude each other"),
				errhint("Give the endpoint's key, or a token that you have fetched, but not both."));
	if (place == MLS_OPTION_OF_MAPPING)
		mls_mapping_check_first(options);
	PG_RETURN_VOID();
}
