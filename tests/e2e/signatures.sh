#!/bin/bash
# Functions made from the swagger that the real inference server publishes, in each of its styles, score.
. "$(dirname "$0")/../lib/tap.sh"

# made STYLE: a server for the style, the function made of it, as SQL writes it.
made() {
	need_peer "real_$1"
	sql "CREATE SERVER $1 TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(peer_url "real_$1")/score')"
	sql "SELECT ml_score.create_function('$1', 'rate_$1')" >/dev/null
	sql "SELECT format('%s(%s) returns %s', proname, pg_get_function_arguments(oid), pg_get_function_result(oid))
		FROM pg_proc WHERE proname = 'rate_$1'"
}

NINE='carat double precision, cut text, color text, clarity text, depth double precision, "table" double precision, x double precision, y double precision, z double precision'
STONE="0.23, 'Ideal', 'E', 'SI2', 61.5, 55, 3.95, 3.98, 2.43"

is "$(made records | sed 's/"table" bigint/"table" double precision/')" "rate_records($NINE) returns double precision" "records"
is "$(sql "SELECT rate_records($STONE) BETWEEN 100 AND 1000")" t "records: scores"
is "$(sql "SELECT name FROM ml_score.describe('records') WHERE kind = 'request_format'")" records "records: described as such"
is "$(sql "SELECT string_agg(concat_ws(' ', kind, position, name, json_type), ', ') FROM ml_score.describe('records') WHERE position <= 2")" \
	"input 1 carat number, input 2 cut string, output 1 number" "records: inputs and outputs"

is "$(made numpy)" "rate_numpy(x1 double precision, x2 double precision, x3 double precision) returns double precision[]" \
	"numpy: columns have no names of their own"
is "$(sql "SELECT array_length(rate_numpy(0.23, 61.5, 55), 1)")" 3 "numpy: scores"

is "$(made designer | sed 's/"table" bigint/"table" double precision/')" \
	"rate_designer($NINE, OUT \"Scored Labels\" double precision) returns double precision" "designer: repeated inputs are left out"
is "$(sql "SELECT rate_designer($STONE) BETWEEN 100 AND 1000")" t "designer: scores"

is "$(made input_data | sed 's/"table" bigint/"table" double precision/')" "rate_input_data($NINE) returns double precision" \
	"input_data, which only version 3 declares"
is "$(sql "SELECT rate_input_data($STONE) BETWEEN 100 AND 1000")" t "input_data: scores"

is "$(made multi)" "rate_multi(k bigint, what text, OUT double double precision, OUT label text, OUT even boolean) returns record" \
	"several outputs become columns"
is "$(sql "SELECT * FROM rate_multi(21, 'plain')")" "42|plain-21|f" "multi: scores"

need_peer real_undecorated
sql "CREATE SERVER undecorated TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(peer_url real_undecorated)/score')"
like "$(sql_error "SELECT ml_score.create_function('undecorated')" | tr '\n' ' ')" \
	'HV00Q.*DETAIL: .*HINT: .*CREATE FUNCTION public.undecorated\(input_name double precision, ...\)' "nothing declared: what to write by hand"
sql "CREATE FUNCTION by_hand(carat float8) RETURNS float8 LANGUAGE ml_score STABLE AS 'undecorated'"
is "$(sql "SELECT by_hand(0.5)")" 2000 "which scores"

# names
sql 'CREATE SCHEMA "My models"'
is "$(sql "SELECT ml_score.create_function('records', '\"My models\".\"Price it\"')")" \
	"\"My models\".\"Price it\"(double precision,text,text,text,double precision,$(sql "SELECT sql_type FROM ml_score.describe('records') WHERE name = 'table'"),double precision,double precision,double precision)" \
	"a name with schema and quotes"
like "$(sql_error "SELECT ml_score.create_function('records', 'rate_records')")" '42723' "an existing function is not replaced"
is "$(sql "SELECT ml_score.create_function('records')::text ~ '^records\('")" t "the server's name by default"

done_testing
