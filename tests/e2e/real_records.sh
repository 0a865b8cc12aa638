#!/bin/bash
# The real Azure ML inference server, data frame in records layout: every diamond gets the price that the model gives it.
. "$(dirname "$0")/../lib/tap.sh"
need_peer real_records
diamonds_table

sql "CREATE SERVER records TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(peer_url real_records)/score', auth 'none')"
described=$(sql "SELECT ml_score.describe('records')")
like "$described" carat "describe shows the inputs that the endpoint declares"
is "$(sql "SELECT ml_score.create_function('records', 'price')")" \
	"price(double precision,text,text,text,double precision,double precision,double precision,double precision,double precision)" \
	"create_function makes the signature from the swagger"
is "$(sql "SELECT pg_get_function_arguments('price'::regproc)" | tr -d '"')" \
	"carat double precision, cut text, color text, clarity text, depth double precision, table double precision, x double precision, y double precision, z double precision" \
	"with the model's own names"
is "$(sql "SELECT provolatile, proparallel, procost, pg_get_function_result(oid) FROM pg_proc WHERE proname = 'price'")" \
	"s|s|10000|double precision" "STABLE, PARALLEL SAFE, costly, one number"

sql <<-EOF
	CREATE TABLE predicted (id int PRIMARY KEY, price float8);
	\\copy predicted FROM '$CACHE/model/predicted.csv' (FORMAT csv)
EOF
is "$(sql "SELECT abs(price(0.23, 'Ideal', 'E', 'SI2', 61.5, 55, 3.95, 3.98, 2.43) - price) < 1e-9 FROM predicted WHERE id = 1")" t \
	"one call gives the model's price"
sql "CREATE TABLE scored AS SELECT id, price($DIAMOND) AS price FROM diamonds"
is "$(sql "SELECT count(*), count(*) FILTER (WHERE abs(s.price - p.price) > 1e-6) FROM scored s JOIN predicted p USING (id)")" \
	"53940|0" "each of 53,940 rows gets its own score"
is "$(sql "SELECT count(*) FROM (SELECT id FROM diamonds WHERE id <= 3000 AND price($DIAMOND) > 5000
	EXCEPT SELECT id FROM predicted WHERE price > 5000) d")" 0 "a WHERE on the score finds the right rows"
is "$(sql "SET ml_score.batching = off; SELECT count(*) FROM (SELECT id, price($DIAMOND) p FROM diamonds WHERE id <= 20) d
	JOIN predicted USING (id) WHERE abs(p - price) > 1e-9")" 0 "row by row gives the same"
is "$(sql "SELECT price(NULL, 'Ideal', 'E', 'SI2', 61.5, 55, 3.95, 3.98, 2.43) IS NOT NULL")" t "NULL is sent as null, which this model takes"

error=$(sql_error "SELECT price('NaN', 'Ideal', 'E', 'SI2', 61.5, 55, 3.95, 3.98, 2.43)")
like "$error" "NaN" "NaN cannot be sent: the error says so"
like "$error" "carat" "and names the argument"

sql "CREATE FUNCTION misnamed(weight float8, cut text, color text, clarity text, depth float8, \"table\" float8, x float8, y float8, z float8)
	RETURNS float8 LANGUAGE ml_score STABLE AS 'records'"
error=$(sql_error "SELECT misnamed(0.23, 'Ideal', 'E', 'SI2', 61.5, 55, 3.95, 3.98, 2.43)")
like "$error" '42703: argument "weight" of function misnamed' "an argument that is no input is an error before anything is sent"
like "$error" 'declares these inputs: "carat", "cut".*has no argument "carat"' "which says what the inputs are"
sql "CREATE FUNCTION partial(cut text, color text, clarity text, depth float8, \"table\" float8, x float8, y float8, z float8)
	RETURNS float8 LANGUAGE ml_score STABLE AS 'records'"
like "$(sql_error "SELECT partial('Ideal', 'E', 'SI2', 61.5, 55, 3.95, 3.98, 2.43)")" \
	'declares the input "carat", which the function does not send' "an input left out is for the model to judge: its error names it"
sql "CREATE FUNCTION partial_reason(cut text, color text, clarity text, depth float8, \"table\" float8, x float8, y float8, z float8,
	OUT price float8, OUT error text) LANGUAGE ml_score STABLE AS 'records'"
like "$(sql "SELECT error FROM partial_reason('Ideal', 'E', 'SI2', 61.5, 55, 3.95, 3.98, 2.43)")" \
	'declares the input "carat", which the function does not send' "so does the error column"
done_testing
