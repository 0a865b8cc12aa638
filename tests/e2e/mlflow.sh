#!/bin/bash
# MLflow's own model server: the layouts that it takes, its {"predictions": [...]} and its errors.
. "$(dirname "$0")/../lib/tap.sh"
need_peer mlflow
diamonds_table 400
url=$(peer_url mlflow)/invocations
arguments='carat float8, cut text, color text, clarity text, depth float8, "table" float8, x float8, y float8, z float8'
for format in dataframe_split dataframe_records; do
	sql "CREATE SERVER $format TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$url', auth 'none', request_format '$format');
		CREATE FUNCTION $format($arguments) RETURNS float8 LANGUAGE ml_score STABLE COST 10000 AS '$format'"
	sql "CREATE TABLE by_$format AS SELECT id, $format($DIAMOND) v FROM diamonds"
	is "$(sql "SELECT count(v) FROM by_$format")" 400 "$format: every row gets a score"
	cmp_ok "$(sql "SELECT corr(v, price) FROM by_$format JOIN diamonds USING (id)")" '>' 0.5 "$format: that follows the price"
done
is "$(sql "SELECT count(*) FROM by_dataframe_split a JOIN by_dataframe_records b USING (id) WHERE a.v IS DISTINCT FROM b.v")" 0 "both layouts give the same"
sql "CREATE SERVER inputs TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$url', auth 'none', request_format 'instances');
	CREATE FUNCTION instances($arguments) RETURNS float8 LANGUAGE ml_score STABLE COST 10000 AS 'inputs'"
is "$(sql "SELECT count(*) FROM (SELECT id, instances($DIAMOND) v FROM diamonds) q JOIN by_dataframe_split b USING (id) WHERE q.v IS DISTINCT FROM b.v")" 0 \
	"instances: the same again"
sql "CREATE FUNCTION short(carat float8) RETURNS float8 LANGUAGE ml_score STABLE AS 'dataframe_split'"
error=$(sql_error "SELECT short(1)")
like "$error" "38000" "a missing column is the model's refusal"
like "$error" "400" "with its status"
like "$error" "BAD_REQUEST|missing inputs|schema" "and MLflow's words"
done_testing
