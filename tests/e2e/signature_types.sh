#!/bin/bash
# Declared types to SQL types, and declarations of which no function can be made.
. "$(dirname "$0")/../lib/tap.sh"

need_peer documents
URL=$(peer_url documents)

# declare PROPERTIES [OUTPUT]: what the endpoint's swagger says of a row, and of what comes back.
declare_row() {
	curl -sS -X PUT --data-binary @- "$URL/swagger.json" <<-JSON
		{"swagger": "2.0", "paths": {"/score": {"post": {"parameters": [{"in": "body", "name": "p", "schema": {"type": "object",
		  "properties": {"data": {"type": "array", "items": {"type": "object", "properties": {$1}}}}}}],
		  "responses": {"200": {"description": "scores"${2:+, \"schema\": $2}}}}}}}
	JSON
}

# made NAME: the function that comes of it
made() {
	sql "SELECT ml_score.create_function('doc', '$1')" >/dev/null
	sql "SELECT format('(%s) %s', pg_get_function_arguments(oid), pg_get_function_result(oid)) FROM pg_proc WHERE proname = '$1'"
}

sql "CREATE SERVER doc TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$URL/score')"

declare_row '"a": {"type": "integer"}, "b": {"type": "integer", "format": "int32"}, "c": {"type": "integer", "format": "int64"},
	"d": {"type": "number"}, "e": {"type": "number", "format": "float"}, "f": {"type": "boolean"}, "g": {"type": "string"}' '{"type": "array", "items": {"type": "integer"}}'
is "$(made numbers)" "(a bigint, b integer, c bigint, d double precision, e double precision, f boolean, g text) bigint" "numbers, booleans and text"

declare_row '"a": {"type": "string", "format": "date-time"}, "b": {"type": "string", "format": "date"}, "c": {"type": "string", "format": "uuid"},
	"d": {"type": "string", "format": "byte"}, "e": {"type": "string", "format": "hostname"}' '{"type": "array", "items": {"type": "string", "format": "date"}}'
is "$(made strings)" "(a timestamp with time zone, b date, c uuid, d bytea, e text) date" "formats of strings"

declare_row '"a": {"type": "array", "items": {"type": "number"}}, "b": {"type": "array", "items": {"type": "string"}}, "c": {"type": "object"}, "d": {}' \
	'{"type": "array", "items": {"type": "object", "properties": {"p": {"type": "array", "items": {"type": "number"}}, "q": {"type": "object"}}}}'
is "$(made nested)" "(a double precision[], b text[], c jsonb, d jsonb, OUT p double precision[], OUT q jsonb) record" "arrays, and jsonb for what is nested or undeclared"

declare_row '"a": {"type": "number"}'
is "$(made silent)" "(a double precision) jsonb" "no declared output: jsonb"

declare_row '"a b": {"type": "number"}, "Größe": {"type": "number"}, "select": {"type": "number"}, "it'"'"'s \"it\"": {"type": "number"}' \
	'{"type": "array", "items": {"type": "object", "properties": {"a b": {"type": "number"}, "Größe": {"type": "number"}}}}'
is "$(made quoted)" "(\"a b\" double precision, \"Größe\" double precision, \"select\" double precision, \"it's \"\"it\"\"\" double precision, OUT \"a b\" double precision, OUT \"Größe\" double precision) record" \
	"names are quoted; outputs that are all inputs stay"
is "$(sql "SELECT name FROM ml_score.describe('doc') WHERE kind = 'input' AND position = 4")" "it's \"it\"" "and described as the model has them"

# what cannot be
refusal() {
	sql_error "SELECT ml_score.create_function('doc', 'refused')" | tr '\n' ' '
}
declare_row "\"$(printf 'x%.0s' {1..64})\": {\"type\": \"number\"}"
like "$(refusal)" "HV00Q.*longer than the 63 bytes.*HINT: .*CREATE FUNCTION" "a name that is too long for SQL"
declare_row "$(seq -f '"c%g": {"type": "number"}' -s , 101)"
like "$(refusal)" "HV00Q.*101 inputs.*composite type.*HINT: .*CREATE FUNCTION" "more inputs than arguments"
declare_row ''
like "$(refusal)" "HV00Q.*DETAIL: .*HINT: .*CREATE FUNCTION" "no columns"

done_testing
