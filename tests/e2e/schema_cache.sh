#!/bin/bash
# What an endpoint declares is fetched once, with the caller's key, and again when something changed; refusals are told.
. "$(dirname "$0")/../lib/tap.sh"

need_peer documents
URL=$(peer_url documents)

# put NAME STATUS: what GET /NAME answers, from stdin. count NAME: how often it was asked for.
put() {
	curl -sS -X PUT --data-binary @- "$URL/$1?status=$2"
}

count() {
	curl -sS "$URL/count/$1"
}

# swagger TYPE: one input, "carat", of this JSON type.
swagger() {
	cat <<-JSON
		{"swagger": "2.0", "paths": {"/score": {"post": {"parameters": [{"in": "body", "name": "p",
		  "schema": {"\$ref": "#/definitions/ServiceInput"}}],
		  "responses": {"200": {"schema": {"\$ref": "#/definitions/ServiceOutput"}}}}}},
		 "definitions": {"ServiceInput": {"type": "object", "properties": {"data": {"type": "array",
		   "format": "pandas.DataFrame:records", "items": {"type": "object", "properties": {"carat": {"type": "$1"}}}}}},
		  "ServiceOutput": {"type": "array", "items": {"type": "number"}}}}
	JSON
}

INPUTS="SELECT string_agg(name || ' ' || sql_type, ', ' ORDER BY position) FROM ml_score.describe('doc') WHERE kind = 'input'"

sql "CREATE SERVER doc TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$URL/score', auth 'key', max_attempts '1')"
sql "CREATE USER MAPPING FOR PUBLIC SERVER doc OPTIONS (key 'sesame')"

swagger number | put swagger.json 200
is "$(sql "$INPUTS")" "carat double precision" "beside the URL"
is "$(curl -sS "$URL/authorization/swagger.json")" "Bearer sesame" "asked for with the caller's key"

swagger number | put swagger.json 200
sql "$INPUTS; $INPUTS; SELECT ml_score.create_function('doc', 'once')" >/dev/null
is "$(count swagger.json)" 1 "once a session"

swagger number | put swagger.json 200
swagger string >"$RUN/string.json"
sql <<SQL >"$RUN/changed.out"
$INPUTS;
\\! curl -sS -X PUT --data-binary @$RUN/string.json '$URL/swagger.json'
$INPUTS;
ALTER SERVER doc OPTIONS (ADD timeout '30s');
$INPUTS;
SQL
is "$(tr '\n' '|' <"$RUN/changed.out")" "carat double precision|carat double precision|carat text|" "and again after ALTER SERVER"

swagger number | put swagger.json 200
sql "$INPUTS; ALTER USER MAPPING FOR PUBLIC SERVER doc OPTIONS (SET key 'open'); $INPUTS" >/dev/null
is "$(count swagger.json)" 2 "or of the user mapping"

# version 3 is asked for when version 2 says nothing
put swagger.json 404 <<<'nothing here'
swagger string | put swagger.json%3Fversion=3 200
is "$(sql "$INPUTS")" "carat text" "a missing document has its version 3 tried"
put swagger.json 200 <<<'{"swagger": "2.0", "paths": {"/": {"get": {}}}}'
is "$(sql "$INPUTS")" "carat text" "and one that does not know how to score"

# refusals
put swagger.json%3Fversion=3 404 <<<'nothing here'
for status in 400 401 403 404 500; do
	hint='CREATE FUNCTION public.refused\('
	case $status in 401 | 403) hint="see to the server's option auth and the user mapping" ;; esac
	put swagger.json $status <<<'nothing here'
	like "$(sql_error "SELECT ml_score.create_function('doc', 'refused')" | tr '\n' ' ')" \
		"HV00Q.*could not infer.*DETAIL: *The endpoint answers HTTP $status for $URL/swagger.json.*HINT: .*$hint" \
		"HTTP $status: no function, and why"
done
put swagger.json 404 <<<'nothing here'
sql "SELECT FROM ml_score.describe('doc'); SELECT FROM ml_score.describe('doc')" >/dev/null 2>&1
is "$(count swagger.json)" 1 "a refusal is remembered too"
put swagger.json 503 <<<'busy'
like "$(sql_error "SELECT ml_score.describe('doc')")" '^ERROR: .*doc' "a failure that may pass is raised"
put swagger.json 200 <<<'<html>sign in</html>'
like "$(sql_error "SELECT ml_score.create_function('doc', 'refused')")" 'HV00Q' "HTML is no swagger"

# the option
swagger boolean | put docs/mine.json 200
sql "ALTER SERVER doc OPTIONS (ADD swagger_url '$URL/docs/mine.json')"
is "$(sql "$INPUTS")" "carat boolean" "swagger_url says where it is"
sql "ALTER SERVER doc OPTIONS (DROP swagger_url, ADD request_format 'instances')"
put swagger.json 404 <<<'nothing here'
sql "SELECT FROM ml_score.describe('doc')" >/dev/null 2>&1
is "$(count swagger.json)" 0 "formats whose servers publish none are not asked"
sql "ALTER SERVER doc OPTIONS (ADD swagger_url '$URL/docs/mine.json')"
is "$(sql "$INPUTS")" "carat boolean" "but with swagger_url"

# nobody sees what another role may not fetch
sql "CREATE ROLE doc_other; GRANT USAGE ON FOREIGN SERVER doc TO doc_other; DROP USER MAPPING FOR PUBLIC SERVER doc;
	CREATE USER MAPPING FOR CURRENT_USER SERVER doc OPTIONS (key 'sesame')"
like "$(sql_error "SELECT FROM ml_score.describe('doc'); SET ROLE doc_other; SELECT ml_score.describe('doc')")" \
	'28000: *no credentials for role "doc_other"' "the cache is per role"
sql "DROP OWNED BY doc_other; DROP ROLE doc_other"

done_testing
