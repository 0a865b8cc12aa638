/* sources: src/codec/swagger.c src/codec/swagger_node.c src/codec/swagger_rows.c src/codec/json_read.c src/codec/json_write.c src/codec/json_number.c tests/unit/encoding_shim.c
 *
 * test_swagger.c - what is read from swagger documents. Those in tests/fixtures/swagger are the real ones of
 * azureml-inference-server-http 1.5.1 with inference-schema 1.8 (make_swagger.py made them), .2 and .3 by version.
 */
#include "postgres.h"

#include "codec/schema.h"
#include "tap.h"

static const char *
type_name(MlsJsonType type)
{
	static const char *const names[] = {"any", "string", "integer", "number", "boolean", "object", "array"};

	return names[type];
}

static void
describe_fields(char *out, const MlsField *fields, int n)
{
	for (int i = 0; i < n; i++)
	{
		sprintf(out + strlen(out), "%s%s:%s", i > 0 ? " " : "", fields[i].name, type_name(fields[i].type));
		if (fields[i].type == MLS_JSON_ARRAY)
			sprintf(out + strlen(out), "(%s)", type_name(fields[i].element));
		if (fields[i].format)
			sprintf(out + strlen(out), "/%s", fields[i].format);
		if (fields[i].nullable)
			strcat(out, "?");
	}
}

/* A schema in a line: format | inputs | outputs | results_key, and the frame around the rows when it is not the usual. */
static char *
describe(const char *json, size_t len, const char *path)
{
	static const char *const formats[] = {
		"auto",	  "records",   "numpy",			"designer", "input_data", "dataframe_split", "dataframe_records",
		"inputs", "instances", "open_inference"};
	static char out[4000];
	char *copy = memcpy(malloc(len + 1), json, len);
	MlsSchema *schema = mls_swagger_parse(copy, len, path);

	free(copy); /* nothing of the schema may point into the document */
	sprintf(out, "%s", schema->inputs_known ? formats[schema->format] : "unknown");
	strcat(out, " | ");
	describe_fields(out, schema->inputs, schema->ninputs);
	strcat(out, " | ");
	describe_fields(out, schema->outputs, schema->noutputs);
	sprintf(out + strlen(out), " | %s", schema->results_key ? schema->results_key : "");
	if (schema->rows_open)
		sprintf(out + strlen(out), " | %s ROWS %s", schema->rows_open, schema->rows_close);
	if (!schema->inputs_known && !schema->reason)
		strcat(out, " (and no reason)");
	return out;
}

static void
reads(const char *what, const char *json, const char *path, const char *expected)
{
	char *got = describe(json, strlen(json), path);

	ok(strcmp(got, expected) == 0, "%s%s%s", what, strcmp(got, expected) ? ": " : "", strcmp(got, expected) ? got : "");
}

static void
reads_fixture(const char *name, const char *expected)
{
	char path[200];
	char *document = malloc(100000);
	FILE *file;

	snprintf(path, sizeof(path), "tests/fixtures/swagger/%s.json", name);
	file = fopen(path, "r");
	if (!ok(file != NULL, "%s is there", path))
		return;
	document[fread(document, 1, 99999, file)] = '\0';
	fclose(file);
	reads(name, document, "/score", expected);
	free(document);
}

static void
test_inference_server(void)
{
	static const struct
	{
		const char *name;
		const char *expected;
	} styles[] = {
		{"records", "records | carat:number/double cut:string depth:number/double table:integer/int64 good:boolean "
					"seen:string/date-time | :number/double | "},
		{"records_out_records",
		 "records | k:integer/int64 what:string nothing:any? | double:number/double label:string "
		 "even:boolean | "},
		{"numpy", "numpy | data:array(number) | :array(number) | "},
		{"numpy_1d", "numpy | data:integer/int64 | :integer/int64 | "},
		{"numpy_3d", "numpy | data:array(number) | :integer/int64 | "},
		{"numpy_struct", "records | n:integer/int32 s:string x:number/double | :integer/int64 | "},
		{"designer", "designer | carat:number/double cut:string | carat:number/double cut:string "
					 "Scored Labels:number/double | Results.WebServiceOutput0"},
		{"automl", "records | a:integer/int64 b:string | :integer/int64 |  | {\"data\": ROWS ,\"method\":\"predict\"}"},
		{"automl_v2", "designer | a:integer/int64 b:string | :integer/int64 | Results | {\"Inputs\":{\"data\": ROWS "
					  "},\"GlobalParameters\":{\"method\": \"predict\"}}"},
		{"conforming", "numpy | Inputs:array(number) | :number/double | Results | {\"Inputs\": ROWS "
					   ",\"GlobalParameters\":1.0}"},
		{"input_data_numbers", "input_data | a:number b:number | :number/double | "},
		{"input_data_numpy", "numpy | input_data:array(number) | :number/double |  | {\"input_data\": ROWS }"},
		{"columns", "unknown |  | :number/double | "},
		{"python_list_of_objects", "records | name:string age:integer/int64 tags:array(string) | score:number/double "
								   "label:string | "},
		{"python_scalars", "unknown |  |  | "},
		{"python_dates", "records | d:string/date t:string/date-time b:string/byte | :string/date | "},
		{"undecorated", "unknown |  |  | "},
	};
	char name[100];

	for (int i = 0; i < lengthof(styles); i++)
	{
		for (int version = 2; version <= 3; version++)
		{
			snprintf(name, sizeof(name), "%s.%d", styles[i].name, version);
			reads_fixture(name, styles[i].expected);
		}
	}
	reads_fixture("input_data.3", "input_data | carat:number cut:string table:integer ok:boolean | :number/double | ");
	reads_fixture("values.3", "numpy | :number :string | :number/double | ");
}

#define POST_2(path, in, out)                                                                                          \
	"{\"swagger\":\"2.0\",\"paths\":{\"" path                                                                          \
	"\":{\"post\":{\"parameters\":[{\"in\":\"header\",\"name\":\"x\"},{\"in\":"                                        \
	"\"body\",\"schema\":" in "}],\"responses\":{\"200\":{\"schema\":" out "}}}}}"

static void
test_by_hand(void)
{
	reads(
		"references to objects without a type, as the sample of Stream Analytics has them",
		POST_2("/score", "{\"$ref\":\"#/definitions/Request\"}",
			   "{\"$ref\":\"#/definitions/Results\"}") ",\"definitions\":{\"Request\":{\"properties\":{\"Inputs\":{\"$"
													   "ref\":\"#/definitions/In\"},\"GlobalParameters\":"
													   "{\"$ref\":\"#/definitions/"
													   "Global\"}}},\"Global\":{\"properties\":{}},\"In\":{"
													   "\"properties\":{\"WebServiceInput0\":"
													   "{\"type\":\"array\",\"items\":{\"$ref\":\"#/definitions/"
													   "Item\"}}}},\"Item\":{\"required\":[\"b-c\",\"a\"],"
													   "\"properties\":{\"a\":{\"type\":\"number\"},\"b-c\":{\"type\":"
													   "\"string\"}}},\"Results\":{\"properties\":{\"Results\":"
													   "{\"properties\":{\"WebServiceOutput0\":{\"items\":{"
													   "\"properties\":{\"a\":{\"type\":\"number\"},\"Scored Labels\":"
													   "{\"type\":\"number\"}}}}}}}}}}",
		"/score", "designer | b-c:string a:number | a:number Scored Labels:number | Results.WebServiceOutput0");
	reads("arrays of strings, without a format, of the first version's services",
		  POST_2("/api/v1/service/fare/score",
				 "{\"type\":\"object\",\"properties\":{\"data\":{\"type\":\"array\",\"items\":"
				 "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}}},\"example\":{\"data\":[[\"1\",\"Thursday\","
				 "\"16\"]]}}",
				 "{\"type\":\"array\",\"items\":{\"type\":\"number\"}}") "}",
		  "/api/v1/service/fare/score", "numpy | data:array(string) | :number | ");
	reads("another input name than WebServiceInput0",
		  POST_2("/score",
				 "{\"properties\":{\"Inputs\":{\"properties\":{\"input1\":{\"items\":{\"properties\":{\"a\":"
				 "{\"type\":\"number\"}}}}}},\"GlobalParameters\":{\"type\":\"object\"}}}",
				 "{}") "}",
		  "/score", "designer | a:number |  |  | {\"Inputs\":{\"input1\": ROWS },\"GlobalParameters\":{}}");
	reads("rows that are the whole body",
		  POST_2("/score", "{\"type\":\"array\",\"items\":{\"properties\":{\"a\":{\"type\":\"boolean\"}}}}",
				 "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}") "}",
		  "/score", "records | a:boolean | :string |  |  ROWS ");
	reads("only an example",
		  POST_2("/score", "{\"example\":{\"data\":[{\"a\":1,\"b\":2.0,\"c\":\"x\",\"d\":null}]}}",
				 "{\"example\":[1.0]}") "}",
		  "/score", "records | a:integer b:number c:string d:any? | :number | ");
	reads("a circle of references",
		  POST_2("/score", "{\"$ref\":\"#/definitions/A\"}",
				 "{}") ",\"definitions\":{\"A\":{\"$ref\":\"#/definitions/B\"},\"B\":{\"$ref\":\"#/definitions/A\"}}}",
		  "/score", "unknown |  |  | ");
	reads("an object in itself",
		  POST_2("/score", "{\"$ref\":\"#/definitions/A\"}",
				 "{}") ",\"definitions\":{\"A\":{\"properties\":{\"next\":{\"$ref\":\"#/definitions/A\"}}}}}",
		  "/score", "unknown |  |  | ");
	reads("an object in itself in more ways than can be walked",
		  POST_2("/score", "{\"$ref\":\"#/definitions/A\"}",
				 "{}") ",\"definitions\":{\"B\":{\"$ref\":\"#/definitions/A\"},\"A\":{\"properties\":{"
					   "\"a\":{\"$ref\":\"#/definitions/B\"},\"b\":{\"$ref\":\"#/definitions/B\"},\"c\":{\"$ref\":\"#/"
					   "definitions/B\"},"
					   "\"d\":{\"$ref\":\"#/definitions/B\"},\"e\":{\"$ref\":\"#/definitions/B\"},\"f\":{\"$ref\":\"#/"
					   "definitions/B\"},"
					   "\"g\":{\"$ref\":\"#/definitions/B\"},\"h\":{\"$ref\":\"#/definitions/B\"},\"i\":{\"$ref\":\"#/"
					   "definitions/B\"},"
					   "\"j\":{\"$ref\":\"#/definitions/B\"},\"k\":{\"$ref\":\"#/definitions/B\"},\"l\":{\"$ref\":\"#/"
					   "definitions/B\"}}}}}",
		  "/score", "unknown |  |  | ");
	reads("the operation at the scoring path, of two",
		  "{\"swagger\":\"2.0\",\"paths\":{\"/"
		  "train\":{\"post\":{\"parameters\":[{\"in\":\"body\",\"schema\":{\"properties\":"
		  "{\"data\":{\"items\":{\"properties\":{\"wrong\":{}}}}}}}]}},\"/"
		  "score\":{\"post\":{\"parameters\":[{\"in\":\"body\","
		  "\"schema\":{\"properties\":{\"data\":{\"items\":{\"properties\":{\"right\":{\"type\":\"number\"}}}}}}}]}}}}",
		  "/score", "records | right:number |  | ");
	reads("nothing at the scoring path, of two", "{\"paths\":{\"/a\":{\"post\":{}},\"/b\":{\"post\":{}}}}", "/score",
		  "unknown |  |  | ");
	reads(
		"OpenAPI 3.1: nullable types, alternatives with null, a path before the application's",
		"{\"openapi\":\"3.1.0\",\"paths\":{\"/predict\":{\"post\":{\"requestBody\":{\"content\":{\"application/json\":"
		"{\"schema\":{\"$ref\":\"#/components/schemas/Batch\"}}}},\"responses\":{\"200\":{\"content\":{\"application/"
		"json\":"
		"{\"schema\":{\"properties\":{\"predictions\":{\"type\":\"array\",\"items\":{\"type\":\"number\"}}}}}}}}}}},"
		"\"components\":{\"schemas\":{\"Batch\":{\"properties\":{\"instances\":{\"type\":\"array\",\"items\":{"
		"\"allOf\":"
		"[{\"$ref\":\"#/components/schemas/"
		"Row\"}]}}}},\"Row\":{\"properties\":{\"a\":{\"type\":[\"number\",\"null\"]},\"b\":"
		"{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"string\"}]}}}}}}",
		"/app/predict", "instances | a:number? b:string | :number | predictions");
	reads("not JSON", "<html>", "/score", "unknown |  |  | ");
	reads("not an object", "[]", "/score", "unknown |  |  | ");
	reads("an empty object", "{}", "/score", "unknown |  |  | ");
	reads("a sample with NaN",
		  POST_2("/score",
				 "{\"properties\":{\"data\":{\"items\":{\"items\":{\"type\":\"number\"}}}},\"example\":{\"data\":[[NaN,"
				 "1]]}}",
				 "{}") "}",
		  "/score", "numpy | data:array(number) |  | ");
	reads("names with escapes, slashes and letters beyond ASCII",
		  POST_2("/score", "{\"$ref\":\"#/definitions/a~1b%20c\"}",
				 "{}") ",\"definitions\":{\"a/b c\":{\"properties\":{\"data\":{\"items\":{\"properties\":{\"caf\\u00e9 "
					   "\\\"x\\\"\":"
					   "{\"type\":\"number\"}}}}}}}}",
		  "/score", "records | caf\xC3\xA9 \"x\":number |  | ");
}

int
main(void)
{
	test_inference_server();
	test_by_hand();
	return done_testing();
}
