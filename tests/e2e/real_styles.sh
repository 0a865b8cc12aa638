#!/bin/bash
# The other layouts that the real inference server declares, and results beyond one number.
. "$(dirname "$0")/../lib/tap.sh"
need_peer real_numpy real_designer real_input_data real_undecorated real_multi
diamonds_table 500
sql "CREATE TABLE predicted (id int PRIMARY KEY, price float8)"
sql "\\copy predicted FROM PROGRAM 'head -n 500 $CACHE/model/predicted.csv' (FORMAT csv)"

server() {
	sql "CREATE SERVER $1 TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(peer_url "real_$1")/score', auth 'none' ${2:-})"
}

# numpy: no column names in the swagger, three numbers a row back
server numpy
sql "CREATE FUNCTION size(carat float8, depth float8, \"table\" float8) RETURNS float8[] LANGUAGE ml_score STABLE AS 'numpy'"
is "$(sql "SELECT count(*) FROM (SELECT x, y, z, size(carat, depth, \"table\") s FROM diamonds) d
	WHERE cardinality(s) = 3 AND abs(s[1] - x) < 1 AND abs(s[2] - y) < 1")" 500 "numpy layout, an array a row"
sql "SELECT ml_score.create_function('numpy', 'size_by_swagger')" >/dev/null
is "$(sql "SELECT pronargs FROM pg_proc WHERE proname = 'size_by_swagger'")" 3 "numpy layout: as many arguments as the example has columns"

# designer: Inputs/WebServiceInput0/GlobalParameters in, inputs repeated beside "Scored Labels" out
server designer
sql "SELECT ml_score.create_function('designer', 'designed')" >/dev/null
like "$(sql "SELECT pg_get_function_result('designed'::regproc) || pg_get_function_arguments('designed'::regproc)")" "Scored Labels|double precision" \
	"designer layout: the signature is inferred"
sql "CREATE FUNCTION label(carat float8, cut text, color text, clarity text, depth float8, \"table\" float8, x float8, y float8, z float8,
	OUT \"Scored Labels\" float8) LANGUAGE ml_score STABLE AS 'designer'"
is "$(sql "SELECT count(*) FROM (SELECT id, label($DIAMOND) l FROM diamonds) d JOIN predicted USING (id) WHERE abs(l - price) > 1e-6")" 0 \
	"designer layout: the named output comes back"

# input_data, as no-code MLflow deployments take it: swagger 3 only, types from the example
server input_data
sql "SELECT ml_score.create_function('input_data', 'split_price')" >/dev/null
is "$(sql "SELECT proargtypes[1]::regtype, proargtypes[0]::regtype FROM pg_proc WHERE proname = 'split_price'")" "text|double precision" \
	"input_data layout: the column types come from the example"
is "$(sql "SELECT count(*) FROM (SELECT id, split_price($DIAMOND) p FROM diamonds) d JOIN predicted USING (id) WHERE abs(p - price) > 1e-6")" 0 \
	"input_data layout: prices are right"

# undecorated: nothing to infer
server undecorated
like "$(sql_error "SELECT ml_score.create_function('undecorated', 'per_carat')")" "CREATE FUNCTION" \
	"nothing to infer: the error prints the CREATE FUNCTION to fill in"
sql "ALTER SERVER undecorated OPTIONS (ADD request_format 'records');
	CREATE FUNCTION per_carat(carat float8) RETURNS float8 LANGUAGE ml_score STABLE AS 'undecorated'"
is "$(sql "SELECT count(*) FROM diamonds WHERE abs(per_carat(carat) - 4000 * carat) > 1e-9")" 0 "a function by hand works all the same"

# several outputs, odd answers
server multi
sql "CREATE FUNCTION multi(k int, what text, OUT double float8, OUT label text, OUT even bool) LANGUAGE ml_score STABLE AS 'multi'"
is "$(sql "SELECT string_agg(concat_ws('/', (m).double, (m).label, (m).even), ' ' ORDER BY k) FROM (SELECT k, multi(k, 'a') m FROM generate_series(1, 3) k) s")" \
	"2/a-1/f 4/a-2/t 6/a-3/f" "OUT columns by name"
is "$(sql "SELECT count(*), sum(double) FROM generate_series(1, 50) k, LATERAL multi(k, 'row')")" "50|2550" "the same in FROM"
is "$(sql "SELECT sum((multi(k, 'string')).double) FROM generate_series(1, 10) k")" 110 "a doubly encoded JSON answer"
is "$(sql "SELECT array_agg((m).double) FROM (SELECT multi(1, w) m FROM unnest('{nan,infinity,-infinity}'::text[]) w) s")" \
	"{NaN,Infinity,-Infinity}" "bare NaN and Infinity, which are not JSON, arrive"
like "$(sql_error "SELECT multi(1, 'raise')")" "38000.*" "an exception in run() is the model's refusal"
sql "CREATE TYPE answer AS (label text, double float8);
	CREATE FUNCTION multi_type(k int, what text) RETURNS answer LANGUAGE ml_score STABLE AS 'multi';
	CREATE FUNCTION multi_json(k int, what text) RETURNS jsonb LANGUAGE ml_score STABLE AS 'multi'"
is "$(sql "SELECT multi_type(7, 'é')")" "(é-7,14)" "a composite result takes the columns by its attributes' names"
is "$(sql "SELECT multi_json(7, 'q')->>'label'")" "q-7" "jsonb takes them all"
done_testing
