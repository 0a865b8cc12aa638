/*
 * event_avro.c - events that are Avro: bare values of a schema that the options give, or framed as Confluent's serializers
 * do (a zero byte, the number of a schema in a registry, the value). They become JSON, which fills the columns.
 *
 * Decoding never waits for the network: an event whose schema is not known yet says so, and the caller fetches it when
 * no transaction is open.
 */
#include "postgres.h"

#include "catalog/pg_foreign_server.h"
#include "catalog/server.h"
#include "codec/avro_schema.h"
#include "codec/encoding.h"
#include "codec/event_decoder.h"
#include "transport/exchange.h"
#include "utils/acl.h"
#include "utils/memutils.h"

#define FRAME_SIZE 5
#define MAX_SCHEMAS 1000 /* more are no series of versions, but garbage */

/* What the registry said of a number. */
typedef struct RegisteredSchema
{
	uint32 id;
	const MlsAvroNode *node;
	const char *reason; /* why it cannot be used, or NULL */
} RegisteredSchema;

typedef struct MlsAvroReader
{
	MlsAvroNode *given; /* by the options, or NULL */
	MlsServer *registry;
	MlsEndpoint *endpoint; /* NULL: events are bare */
	MemoryContext cxt;	   /* of what the registry said */
	RegisteredSchema *schemas;
	int nschemas;
	uint32 wanted;
	StringInfoData json;
} MlsAvroReader;

/* A schema that a user gave, as bytes that stay. */
static MlsAvroNode *
parse_given(const char *schema)
{
	int len = strlen(schema);
	const char *utf8 = mls_to_utf8(schema, &len);
	MlsAvroNode *node;
	char *reason = mls_avro_parse(utf8, len, &node);

	if (!reason && node->type != MLS_AVRO_RECORD && node->type != MLS_AVRO_UNION && node->type != MLS_AVRO_MAP)
		reason = pstrdup("its values have no names, as those of records have");
	if (reason)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("event option \"schema\" is no usable Avro schema"), errdetail("Reason: %s.", reason)));
	return node;
}

MlsServer *
mls_event_registry(const char *name, Oid userid)
{
	MlsServer *server = mls_server_load(mls_server_oid_for(name, MLS_SERVER_REGISTRY));
	AclResult acl = object_aclcheck(ForeignServerRelationId, server->serverid, userid, ACL_USAGE);

	mls_server_require(server, MLS_SERVER_REGISTRY);
	if (acl != ACLCHECK_OK)
		aclcheck_error(acl, OBJECT_FOREIGN_SERVER, name);
	return server;
}

void
mls_event_avro_prepare(MlsEventDecoder *decoder)
{
	const MlsEventOptions *options = &decoder->options;
	MlsAvroReader *avro = palloc0(sizeof(MlsAvroReader));

	if (!options->schema && !options->registry)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("format \"avro\" needs event option \"schema\" or \"registry\"")));
	if (options->schema)
		avro->given = parse_given(options->schema);
	if (options->registry)
	{
		avro->registry = mls_event_registry(options->registry, decoder->userid);
		avro->endpoint = mls_endpoint_open(avro->registry, decoder->userid);
		avro->cxt = AllocSetContextCreate(decoder->cxt, "ml_score avro schemas", ALLOCSET_SMALL_SIZES);
		avro->schemas = palloc(MAX_SCHEMAS * sizeof(RegisteredSchema));
	}
	initStringInfo(&avro->json);
	decoder->avro = avro;
	mls_event_json_prepare(decoder);
}

static MlsEventStatus
bad_data(MlsEventRun *run, const char *reason)
{
	return mls_event_fail(run, ERRCODE_INVALID_BINARY_REPRESENTATION,
						  psprintf("the event is not Avro of its schema: %s", reason));
}

static const RegisteredSchema *
find_schema(const MlsAvroReader *avro, uint32 id)
{
	for (int i = 0; i < avro->nschemas; i++)
	{
		if (avro->schemas[i].id == id)
			return &avro->schemas[i];
	}
	return NULL;
}

/* Take the frame off and find its schema. */
static MlsEventStatus
unframe(MlsEventRun *run, const char **data, const char *end, const MlsAvroNode **node)
{
	MlsAvroReader *avro = run->decoder->avro;
	const unsigned char *frame = (const unsigned char *) *data;
	const RegisteredSchema *schema;
	uint32 id;

	if (end - *data < FRAME_SIZE || frame[0] != 0)
		return bad_data(run, "it does not begin with a zero byte and the number of a schema");
	id = (uint32) frame[1] << 24 | (uint32) frame[2] << 16 | (uint32) frame[3] << 8 | frame[4];
	schema = find_schema(avro, id);
	if (!schema)
	{
		avro->wanted = id;
		return MLS_EVENT_WANTS_SCHEMA;
	}
	if (schema->reason)
		return mls_event_fail(run, ERRCODE_INVALID_BINARY_REPRESENTATION,
							  psprintf("schema %u of the registry cannot be used: %s", id, schema->reason));
	*data += FRAME_SIZE;
	*node = schema->node;
	return MLS_EVENT_OK;
}

MlsEventStatus
mls_event_avro_decode(MlsEventRun *run, const char *body, size_t len)
{
	MlsAvroReader *avro = run->decoder->avro;
	const MlsAvroNode *node = avro->given;
	const char *data = body;
	const char *end = body + len;
	MlsEventStatus status = MLS_EVENT_OK;
	char *reason;

	if (avro->endpoint)
		status = unframe(run, &data, end, &node);
	if (status != MLS_EVENT_OK)
		return status;
	resetStringInfo(&avro->json);
	reason = mls_avro_to_json(node, &data, end, &avro->json, run->decoder->options.max_size);
	if (!reason && data < end)
		reason = psprintf("%d bytes are left after it", (int) (end - data));
	if (reason)
		return bad_data(run, reason);
	if (mls_invalid_utf8(avro->json.data, avro->json.len) >= 0)
		return mls_event_fail(run, ERRCODE_CHARACTER_NOT_IN_REPERTOIRE, "a string of the event is not valid UTF-8");
	return mls_event_json_decode(run, avro->json.data, avro->json.len);
}

/* The schema in the registry's reply, ready to be used. NULL, or why it cannot be; palloc'd in the current context. */
static char *
read_reply(const MlsAvroReader *avro, const char *body, size_t len, const MlsAvroNode **result)
{
	MlsJsonReader r;
	MlsSpan reply;
	MlsSpan schema;
	MlsSpan type;
	MlsSpan references;
	MlsAvroNode *node;
	char *text;
	char *reason;

	mls_json_start(&r, body, len);
	mls_json_value(&r, &reply);
	if (!mls_json_finish(&r) || mls_invalid_utf8(body, len) >= 0)
		return pstrdup("the reply is not JSON");
	schema = mls_json_member(&reply, "schema", strlen("schema"));
	type = mls_json_member(&reply, "schemaType", strlen("schemaType"));
	references = mls_json_member(&reply, "references", strlen("references"));
	if (schema.kind != MLS_SPAN_STRING)
		return pstrdup("the reply has no schema");
	if (type.kind == MLS_SPAN_STRING && !mls_json_equals(&type, "AVRO"))
		return psprintf("it is of type %s", mls_excerpt(type.start, type.len));
	if (references.kind == MLS_SPAN_ARRAY && mls_json_count(&references) > 0)
		return pstrdup("it refers to other schemas");
	text = palloc(schema.len + 1);
	reason = mls_avro_parse(text, Max(mls_json_unescape(&schema, text), 0), &node);
	if (reason)
		return reason;
	*result = avro->given ? mls_avro_resolve(node, avro->given) : node;
	return NULL;
}

/* Keep what the registry said of a number; what is too much makes room by forgetting all. */
static void
remember(MlsAvroReader *avro, uint32 id, const char *body, size_t len, const char *reason)
{
	MemoryContext outer;
	RegisteredSchema *schema;

	if (avro->nschemas == MAX_SCHEMAS)
	{
		avro->nschemas = 0;
		MemoryContextReset(avro->cxt);
	}
	outer = MemoryContextSwitchTo(avro->cxt);
	schema = &avro->schemas[avro->nschemas];
	*schema = (RegisteredSchema){.id = id, .reason = reason};
	if (!reason)
		schema->reason = read_reply(avro, body, len, &schema->node);
	avro->nschemas++;
	MemoryContextSwitchTo(outer);
}

void
mls_event_avro_fetch(MlsEventDecoder *decoder)
{
	MlsAvroReader *avro = decoder->avro;
	int url_len = strlen(avro->registry->url);
	MlsRequestSpec spec = {.method = "GET", .send_credential = true, .idempotent = true};
	MlsExchange *exchange;
	const char *body;
	size_t len;

	while (url_len > 0 && avro->registry->url[url_len - 1] == '/')
		url_len--;
	spec.url = psprintf("%.*s/schemas/ids/%u", url_len, avro->registry->url, avro->wanted);
	spec.headers = list_make1("Accept: application/vnd.schemaregistry.v1+json, application/json");
	exchange = mls_exchange_request(avro->endpoint, &spec);
	mls_exchange_wait(exchange);
	if (mls_exchange_failure(exchange) && mls_exchange_status(exchange) != 404)
		mls_failure_raise(avro->registry, mls_exchange_failure(exchange));
	body = mls_exchange_body(exchange, &len);
	remember(avro, avro->wanted, body, len,
			 mls_exchange_failure(exchange) ? "the registry has none of this number" : NULL);
	mls_exchange_free(exchange);
}
