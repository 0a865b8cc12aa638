/*
 * schema.c - see schema.h.
 */
#include "codec/schema.h"

const char *
mls_json_type_name(MlsJsonType type)
{
	switch (type)
	{
		case MLS_JSON_ANY:
			break;
		case MLS_JSON_STRING:
			return "string";
		case MLS_JSON_INTEGER:
			return "integer";
		case MLS_JSON_NUMBER:
			return "number";
		case MLS_JSON_BOOLEAN:
			return "boolean";
		case MLS_JSON_OBJECT:
			return "object";
		case MLS_JSON_ARRAY:
			return "array";
	}
	return "any";
}
