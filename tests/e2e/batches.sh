#!/bin/bash
# What goes over the wire: which rows are sent, how many requests, over how many connections; counted by the endpoint.
. "$(dirname "$0")/../lib/tap.sh"
diamonds_table 2000
need_peer fast

# counted STATEMENT FIGURE...: run it, with the server's requests counted under a tag of their own; the endpoint's figures
# for it, space-separated. counts FIGURE: a further one of the last run.
counted() {
	local statement=$1 tag=batches$PGVER-$EPOCHREALTIME
	shift
	echo "$tag" >"$RUN/$TEST_NAME.tag"
	sql "ALTER SERVER f OPTIONS (SET url '$(peer_url fast)/tag/$tag/score')"
	sql "$statement" >/dev/null || echo "# statement failed: $statement"
	counts "$@"
}

counts() {
	local figure out=
	for figure in "$@"; do out="$out $(stats_of "$(cat "$RUN/$TEST_NAME.tag")" "$figure")"; done
	echo "${out# }"
}

fast_function f "/tag/batches0"
sql "ALTER SERVER f OPTIONS (ADD max_batch_rows '100', ADD max_parallel_requests '4')"
sql "CREATE FUNCTION strict_f(carat float8, cut text) RETURNS float8 LANGUAGE ml_score STRICT STABLE AS 'f';
	CREATE FUNCTION f2(carat float8, cut text) RETURNS float8 LANGUAGE ml_score STABLE COST 10000 AS 'f';
	CREATE FUNCTION volatile_f(carat float8, cut text) RETURNS float8 LANGUAGE ml_score VOLATILE AS 'f';
	CREATE FUNCTION id_f(id int) RETURNS float8 LANGUAGE ml_score STABLE COST 10000 AS 'f'"

is "$(sql "SELECT count(*) FROM diamonds WHERE f($DIAMOND) IS DISTINCT FROM $FAST_SCORE")" 0 "every row gets its own score"
is "$(counted "SELECT id_f(id) FROM diamonds" requests rows max_rows)" "20 2000 100" "2000 rows in 20 requests of 100"
is "$(counted "SELECT id_f(id) FROM diamonds WHERE id <= 250" requests rows min_rows)" "3 250 50" "the last batch is what is left"
is "$(counted "SET ml_score.max_batch_rows = 500; SELECT id_f(id) FROM diamonds" requests)" 4 "ml_score.max_batch_rows overrides the server's option"
is "$(counted "SET ml_score.batching = off; SELECT id_f(id) FROM diamonds WHERE id <= 50" requests max_rows)" "50 1" "ml_score.batching = off: a request a row"
is "$(counted "SELECT id_f(id) FROM diamonds WHERE color = 'E' AND cut = 'Ideal'" rows)" \
	"$(sql "SELECT count(*) FROM diamonds WHERE color = 'E' AND cut = 'Ideal'")" "only rows that pass WHERE are sent"
is "$(counted "SELECT count(*) FROM diamonds WHERE id_f(id) > 0 AND id <= 70" rows)" 70 "cheaper conditions go first"
is "$(counted "SELECT CASE WHEN id <= 30 THEN id_f(id) ELSE 0 END FROM diamonds" rows)" 30 "an arm of CASE is sent only for the rows that take it"
is "$(counted "SELECT count(b) FROM diamonds a LEFT JOIN generate_series(1, 2) b ON a.id <= 20 AND id_f(a.id) > 5" rows)" 20 \
	"an outer join's condition: only rows that pass the cheaper part"
sql "CREATE TABLE merged (id int PRIMARY KEY, v float8); INSERT INTO merged SELECT id FROM diamonds WHERE id <= 1000"
is "$(counted "MERGE INTO merged m USING diamonds d ON m.id = d.id WHEN MATCHED AND d.id <= 250 THEN UPDATE SET v = id_f(d.id)
	WHEN NOT MATCHED AND d.id > 1900 THEN INSERT VALUES (d.id, id_f(d.id))" requests rows)" "4 350" "a MERGE's actions go in batches, for their own rows"
is "$(sql "SELECT count(*), sum(v - id) FROM merged WHERE v IS NOT NULL")" "350|0" "and get their own scores"
is "$(counted "SELECT coalesce(nullif(id % 2, 0)::float8, id_f(id)) FROM diamonds" rows)" 1000 "COALESCE: only rows that come so far"
is "$(counted "SELECT sum(id_f(id)) FILTER (WHERE id > 1900) FROM diamonds" rows)" 100 "FILTER: only the rows it lets through"
is "$(counted "SELECT id FROM diamonds WHERE id <= 40 OR id_f(id) > 100" rows)" 1960 "OR: only where the first arm is not true"
cmp_ok "$(counted "SELECT f2(1, cut) FROM diamonds" rows)" '<=' 100 "repeated argument tuples of a batch are sent once"
is "$(counted "SELECT volatile_f(1, cut) FROM diamonds" rows)" 2000 "VOLATILE: every row is sent"
is "$(counted "SELECT strict_f(CASE WHEN id % 4 = 0 THEN carat + id END, cut) FROM diamonds" rows)" 500 "STRICT: rows with a NULL are not sent"
is "$(sql "SELECT count(strict_f(NULL, cut)) FROM diamonds")" 0 "and score NULL"
is "$(sql "SELECT f2(NULL, 'abc')")" 5 "not STRICT: NULL is sent as null"
cmp_ok "$(counted "SELECT id_f(id) FROM diamonds LIMIT 10" rows)" '<=' 10 "LIMIT 10 sends 10 rows"
cmp_ok "$(counted "SELECT id_f(id) FROM diamonds LIMIT 10 OFFSET 5" rows)" '<=' 15 "LIMIT with OFFSET sends no more than it needs"
cmp_ok "$(counted "SELECT EXISTS (SELECT FROM diamonds WHERE id_f(id) > 0)" rows)" '<=' 100 "EXISTS stops early"
is "$(counted "SELECT id_f(id) FROM diamonds WHERE false" requests)" 0 "no row, no request"
cmp_ok "$(counted "SELECT id_f(id) FROM diamonds" connections)" '<=' 4 "as many connections as requests in flight"
is "$(counted "SET ml_score.max_parallel_requests = 1; SELECT id_f(id) FROM diamonds; SELECT id_f(7); SELECT sum(id_f(id)) FROM diamonds" connections)" 1 \
	"a connection is kept across statements"
is "$(counted "SET ml_score.max_parallel_requests = 1; SELECT id_f(id) FROM diamonds" max_at_once)" 1 "max_parallel_requests 1: one at a time"
is "$(counted "SET ml_score.max_batch_bytes = '1kB'; SELECT f($DIAMOND) FROM diamonds WHERE id <= 50" rejected)" 0 "max_batch_bytes"
cmp_ok "$(counts max_rows)" '<=' 9 "closes a batch by its size"

plan=$(sql "EXPLAIN (ANALYZE, TIMING OFF) SELECT id_f(id) FROM diamonds")
like "$plan" "Custom Scan \(ML Score\)" "EXPLAIN shows the batching scan"
like "$plan" "Scoring: .*id_f\(.*id" "which call it makes"
like "$plan" "Endpoint: f" "to which endpoint"
like "$plan" "Batches: 20" "and ANALYZE in how many batches"
like "$plan" "Requests: 20" "and requests"
is "$(sql "EXPLAIN (ANALYZE, TIMING OFF, FORMAT json) SELECT id_f(id) FROM diamonds" | /usr/bin/python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["Plan"]["Node Type"])')" \
	"Custom Scan" "FORMAT json parses"

switched=$(sql "SET plan_cache_mode = force_generic_plan; SET ml_score.batching = off; PREPARE p AS SELECT id_f(id) FROM diamonds WHERE id <= 50;
	EXPLAIN EXECUTE p; SET ml_score.batching = on; EXPLAIN EXECUTE p; SET ml_score.batching = off; EXPLAIN EXECUTE p" | grep -c 'ML Score')
is "$switched" 1 "a plan that is kept is made anew when batching is switched"

sql "ALTER SERVER f OPTIONS (SET url '$(peer_url fast)/tag/wire$PGVER/score')"
sql "CREATE FUNCTION digits(a bigint, b numeric, c float8, d text, e bool, f date, g jsonb, h int[]) RETURNS float8 LANGUAGE ml_score STABLE AS 'f'"
sql "ALTER SERVER f OPTIONS (ADD request_format 'records')"
sql "SELECT digits(9223372036854775807, 12345678901234567890.123456789, 0.1, E'q\"\\\\é\\n\\u0001', true, '2024-02-29', '{\"k\": [1, null]}', '{1,NULL,3}')" >/dev/null
body=$(last_of "wire$PGVER" | /usr/bin/python3 -c 'import json,sys; print(json.load(sys.stdin)["body"])')
like "$body" '"a": ?9223372036854775807' "bigint keeps its digits"
like "$body" '"b": ?12345678901234567890\.123456789' "numeric keeps its digits"
like "$body" '"c": ?0\.1[,}]' "float8 in its shortest form"
like "$body" '"e": ?true' "bool as true"
like "$body" '"f": ?"2024-02-29"' "date as ISO text"
like "$body" '"h": ?\[1, ?null, ?3\]' "an array with its NULL"
is "$(/usr/bin/python3 -c 'import json,sys; print(json.loads(sys.argv[1])["data"][0]["d"] == "q\"\\é\n\u0001")' "$body")" True "text with quotes, backslash, UTF-8 and control characters"
like "$(counted "CREATE TEMP TABLE m AS SELECT id, 0::float8 AS v FROM diamonds WHERE id <= 400; MERGE INTO m USING diamonds d ON d.id = m.id
	WHEN MATCHED AND d.id % 2 = 0 THEN UPDATE SET v = id_f(d.id) WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED AND d.id <= 500 THEN INSERT VALUES (d.id, id_f(d.id))" \
	requests rows)" "^[3-6] 300$" "MERGE: in batches, the rows that each action is for"
done_testing
