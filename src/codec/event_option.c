/*
 * event_option.c - the options of an event format: one table says which format has which.
 */
#include "postgres.h"

#include "codec/event_decoder.h"
#include "lib/stringinfo.h"
#include "ml_score.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#define MAX_SIZE_DEFAULT (16 * 1024 * 1024)
#define MAX_SIZE_LIMIT (256 * 1024 * 1024)

#define OF(format) (1 << MLS_EVENT_##format)
#define OF_JSON (OF(JSON) | OF(JSON_LINES) | OF(JSON_ARRAY) | OF(EVENTGRID))
#define OF_ALL (OF_JSON | OF(CSV) | OF(AVRO) | OF(RAW))

typedef struct EventOption
{
	const char *name;
	int formats;
	void (*read)(MlsEventDecoder *decoder, const char *name, const JsonbValue *value);
} EventOption;

pg_noreturn static void
bad_value(const char *name, const char *expected)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid value of event option \"%s\"", name),
					errhint("The value must be %s.", expected)));
}

/* A copy of a JSON string; raises with what is expected when it is none. */
static char *
string_value(const char *name, const JsonbValue *value, const char *expected)
{
	if (value->type != jbvString)
		bad_value(name, expected);
	return pnstrdup(value->val.string.val, value->val.string.len);
}

static int
choice(const char *name, const JsonbValue *value, const char *const *words, int nwords, const char *expected)
{
	char *word = string_value(name, value, expected);

	for (int i = 0; i < nwords; i++)
	{
		if (strcmp(word, words[i]) == 0)
			return i;
	}
	bad_value(name, expected);
}

static void
read_compression(MlsEventDecoder *decoder, const char *name, const JsonbValue *value)
{
	static const char *const words[] = {"auto", "none", "gzip"};

	decoder->options.compression = choice(name, value, words, lengthof(words), "\"auto\", \"none\" or \"gzip\"");
}

static void
read_tombstones(MlsEventDecoder *decoder, const char *name, const JsonbValue *value)
{
	static const char *const words[] = {"skip", "row", "fail"};

	decoder->options.tombstones = choice(name, value, words, lengthof(words), "\"skip\", \"row\" or \"fail\"");
}

static void
read_max_size(MlsEventDecoder *decoder, const char *name, const JsonbValue *value)
{
	const char *expected = "a number of bytes from 1 to 268435456";
	bool failed = value->type != jbvNumeric;
	int size = failed ? 0 : numeric_int4_opt_error(value->val.numeric, &failed);

	if (failed || size < 1 || size > MAX_SIZE_LIMIT)
		bad_value(name, expected);
	decoder->options.max_size = size;
}

/* The column that an option names. */
static int
find_column(MlsEventDecoder *decoder, const char *name, const JsonbValue *key)
{
	char *column = pnstrdup(key->val.string.val, key->val.string.len);

	for (int i = 0; i < decoder->columns->natts; i++)
	{
		if (decoder->readers[i] && strcmp(NameStr(TupleDescAttr(decoder->columns, i)->attname), column) == 0)
			return i;
	}
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("event option \"%s\" names column \"%s\", which events do not fill", name, column)));
}

/* Call read for each member of an object of columns. */
static void
read_by_column(MlsEventDecoder *decoder, const char *name, const JsonbValue *object,
			   void (*read)(MlsEventDecoder *decoder, const char *name, int column, const JsonbValue *value))
{
	JsonbIterator *iterator = JsonbIteratorInit(object->val.binary.data);
	JsonbIteratorToken token;
	JsonbValue key;
	JsonbValue value;

	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		if (token != WJB_KEY)
			continue;
		JsonbIteratorNext(&iterator, &value, true);
		read(decoder, name, find_column(decoder, name, &key), &value);
	}
}

static bool
is_object(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data);
}

#define PATHS_EXPECTED "an object of column names and paths, such as {\"device\": \"$.device.id\"}, or lists of paths"

static void
read_path(MlsEventDecoder *decoder, const char *name, int column, const JsonbValue *value)
{
	List **paths = &decoder->options.paths[column];
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue path;

	if (value->type == jbvString)
	{
		*paths = list_make1(string_value(name, value, PATHS_EXPECTED));
		return;
	}
	if (value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data) ||
		JsonContainerSize(value->val.binary.data) == 0)
		bad_value(name, PATHS_EXPECTED);
	iterator = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&iterator, &path, true)) != WJB_DONE)
	{
		if (token == WJB_ELEM)
			*paths = lappend(*paths, string_value(name, &path, PATHS_EXPECTED));
	}
}

static void
read_paths(MlsEventDecoder *decoder, const char *name, const JsonbValue *value)
{
	if (!is_object(value))
		bad_value(name, PATHS_EXPECTED);
	read_by_column(decoder, name, value, read_path);
}

static void
read_column_unit(MlsEventDecoder *decoder, const char *name, int column, const JsonbValue *value)
{
	static const char *const words[] = {"auto", "s", "ms", "us", "ns"};

	decoder->options.time_units[column] =
		MLS_TIME_AUTO +
		choice(name, value, words, lengthof(words),
			   "\"auto\", \"s\", \"ms\", \"us\" or \"ns\", or an object of column names and such words");
}

static void
read_time_unit(MlsEventDecoder *decoder, const char *name, const JsonbValue *value)
{
	if (is_object(value))
	{
		read_by_column(decoder, name, value, read_column_unit);
		return;
	}
	for (int i = 0; i < decoder->columns->natts; i++)
		read_column_unit(decoder, name, i, value);
}

static void
read_header(MlsEventDecoder *decoder, const char *name, const JsonbValue *value)
{
	if (value->type != jbvBool)
		bad_value(name, "true or false");
	decoder->options.header = value->val.boolean;
}

/* One byte that can be told from all that makes up lines. */
static char
character(const char *name, const JsonbValue *value)
{
	const char *expected = "one ASCII character that ends no line";
	char *text = string_value(name, value, expected);

	if (strlen(text) != 1 || IS_HIGHBIT_SET(text[0]) || text[0] == '\n' || text[0] == '\r')
		bad_value(name, expected);
	return text[0];
}

static void
read_delimiter(MlsEventDecoder *decoder, const char *name, const JsonbValue *value)
{
	decoder->options.delimiter = character(name, value);
}

static void
read_quote(MlsEventDecoder *decoder, const char *name, const JsonbValue *value)
{
	decoder->options.quote = character(name, value);
}

static void
read_escape(MlsEventDecoder *decoder, const char *name, const JsonbValue *value)
{
	decoder->options.escape = character(name, value);
}

static void
read_null(MlsEventDecoder *decoder, const char *name, const JsonbValue *value)
{
	decoder->options.null = string_value(name, value, "the text that stands for NULL");
}

static void
read_schema(MlsEventDecoder *decoder, const char *name, const JsonbValue *value)
{
	if (value->type == jbvString)
		decoder->options.schema = string_value(name, value, "");
	else if (value->type == jbvBinary)
		decoder->options.schema = JsonbToCString(NULL, value->val.binary.data, value->val.binary.len);
	else
		bad_value(name, "an Avro schema");
}

static void
read_registry(MlsEventDecoder *decoder, const char *name, const JsonbValue *value)
{
	decoder->options.registry = string_value(name, value, "the name of a server of TYPE 'registry'");
}

static const EventOption options_table[] = {
	{"paths", OF_JSON | OF(AVRO), read_paths}, {"time_unit", OF_ALL, read_time_unit},
	{"compression", OF_ALL, read_compression}, {"max_size", OF_ALL, read_max_size},
	{"tombstones", OF_ALL, read_tombstones},   {"header", OF(CSV), read_header},
	{"delimiter", OF(CSV), read_delimiter},	   {"quote", OF(CSV), read_quote},
	{"escape", OF(CSV), read_escape},		   {"null", OF(CSV), read_null},
	{"schema", OF(AVRO), read_schema},		   {"registry", OF(AVRO), read_registry}};

pg_noreturn static void
unknown_option(MlsEventFormat format, const char *name)
{
	StringInfoData valid;

	initStringInfo(&valid);
	for (int i = 0; i < lengthof(options_table); i++)
	{
		if (options_table[i].formats & (1 << format))
			appendStringInfo(&valid, "%s%s", valid.len > 0 ? ", " : "", options_table[i].name);
	}
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("this format has no event option \"%s\"", name),
					errhint("Valid options of the format are: %s.", valid.data)));
}

static void
read_option(MlsEventDecoder *decoder, const char *name, const JsonbValue *value)
{
	for (int i = 0; i < lengthof(options_table); i++)
	{
		if (strcmp(options_table[i].name, name) != 0 || !(options_table[i].formats & (1 << decoder->format)))
			continue;
		options_table[i].read(decoder, name, value);
		return;
	}
	unknown_option(decoder->format, name);
}

static void
set_defaults(MlsEventDecoder *decoder)
{
	MlsEventOptions *options = &decoder->options;

	options->max_size = MAX_SIZE_DEFAULT;
	options->paths = palloc0(decoder->columns->natts * sizeof(List *));
	options->time_units = palloc(decoder->columns->natts * sizeof(MlsTimeUnit));
	for (int i = 0; i < decoder->columns->natts; i++)
		options->time_units[i] = MLS_TIME_AUTO;
	options->delimiter = ',';
	options->quote = '"';
	options->null = "";
	if (decoder->format == MLS_EVENT_RAW)
	{
		options->compression = MLS_COMPRESSED_NONE;
		options->tombstones = MLS_TOMBSTONE_ROW;
	}
}

void
mls_event_read_options(MlsEventDecoder *decoder, Jsonb *options)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue key;
	JsonbValue value;

	set_defaults(decoder);
	if (options && !JB_ROOT_IS_OBJECT(options))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("event options are not a JSON object")));
	iterator = options ? JsonbIteratorInit(&options->root) : NULL;
	while (iterator && (token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		if (token != WJB_KEY)
			continue;
		JsonbIteratorNext(&iterator, &value, true);
		read_option(decoder, pnstrdup(key.val.string.val, key.val.string.len), &value);
	}
	if (decoder->options.escape == '\0')
		decoder->options.escape = decoder->options.quote;
	if (decoder->options.delimiter == decoder->options.quote)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("event options \"delimiter\" and \"quote\" must differ")));
}
