#!/bin/bash
# The inference log: what is scored, into a partitioned table, by a worker, never in the query's way.
. "$(dirname "$0")/../lib/tap.sh"
need_peer fast deployments
diamonds_table 1000
fast_function f "/tag/log$PGVER"
sql "ALTER SERVER f OPTIONS (ADD max_batch_rows '10', ADD log_table 'public.f_log')"

# logged QUERY: it answers within a while what it is to answer.
logged() {
	local query="SELECT $1"
	[[ $1 == *" FROM "* ]] || query+=" FROM f_log"
	wait_until 15 "SELECT ($query) = ($2)" || true
	is "$(sql "$query")" "$(sql "SELECT $2")" "$3"
}

sql "SELECT count(f($DIAMOND)) FROM diamonds" >/dev/null
wait_until 30 "SELECT to_regclass('f_log') IS NOT NULL" || {
	ok 1 "the table is made" "$(grep 'inference log' "$RUN/$CLUSTER/log" | tail -n 3)"
	done_testing
	exit
}
logged "count(*)" 1000 "every row of every request is logged"
is "$(sql "SELECT count(*) FROM f_log l JOIN diamonds d ON (l.inputs ->> 'carat')::float8 = d.carat AND l.inputs ->> 'cut' = d.cut AND (l.inputs ->> 'x')::float8 = d.x AND (l.inputs ->> 'y')::float8 = d.y
		AND (l.inputs ->> 'price') IS NULL AND abs(l.outputs::text::float8 - ($FAST_SCORE)) < 1e-6" | awk '{ print ($1 >= 1000) }')" 1 "with its inputs and its output"
is "$(sql "SELECT count(DISTINCT request_id), count(DISTINCT (request_id, request_row)), min(request_row), max(request_row), bool_and(latency_ms > 0), bool_and(request_id ~ '^[0-9a-f-]{36}\$'), string_agg(DISTINCT function || ' ' || server || ' ' || traffic, ', '), bool_and(time BETWEEN now() - interval '5 min' AND now()) FROM f_log")" \
	"100|1000|1|10|t|t|public.f f live|t" "request id, row, latency, function, server, time"
is "$(sql "SELECT logged, log_dropped FROM ml_score.stat_endpoint WHERE server = 'f' AND NOT shadow")" "100|0" "stat_endpoint counts the requests"
like "$(sql "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT f($DIAMOND) FROM diamonds")" "Log: public.f_log  Requests: 100  Dropped: 0" "so does EXPLAIN ANALYZE"
like "$(sql "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, FORMAT json) SELECT f($DIAMOND) FROM diamonds")" '"Logged Requests": 100' "in every format"
wait_until 15 "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'ml_score inference log' AND datname = current_database() AND xact_start IS NULL"
ok $? "a worker of its own writes it, idle outside of any transaction"

# Partitions: by day in UTC, one ahead; and their owner.
logged "count(*)" 3000 "all of it arrives"
is "$(sql "SELECT string_agg(c.relname, ' ' ORDER BY c.relname) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE inhparent = 'f_log'::regclass")" \
	"$(sql "SELECT to_char(now() AT TIME ZONE 'UTC', '\"f_log_p\"YYYYMMDD') || ' ' || to_char(now() AT TIME ZONE 'UTC' + interval '1 day', '\"f_log_p\"YYYYMMDD')")" "a partition for today, and one for tomorrow"
border="date_trunc('hour', now()) - interval '30 days'"
sql <<-EOSQL
	SELECT format('CREATE TABLE f_log_%s PARTITION OF f_log FOR VALUES FROM (%L) TO (%L)', name, $border + begins, $border + ends)
	FROM (VALUES ('gone', interval '-3 hours', interval '-1 hour'), ('kept', '1 hour', '2 hours')) AS p (name, begins, ends) \gexec
EOSQL
sql "ALTER DATABASE \"$PGDATABASE\" SET timezone = 'Asia/Kolkata'; ALTER DATABASE \"$PGDATABASE\" SET datestyle = 'Postgres, DMY'" # its IST is read as Israel's
sql "CREATE TABLE f_log_p20200101 (LIKE f_log); ALTER TABLE f_log ATTACH PARTITION f_log_p20200101 FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2020-01-02 00:00+00')"
sql "ALTER SERVER f OPTIONS (ADD log_retention '30d')"
sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'ml_score inference log' AND datname = current_database()" >/dev/null
wait_until 60 "SELECT to_regclass('f_log_p20200101') IS NULL"
is "$(sql "SELECT to_regclass('f_log_p20200101') IS NULL, count(*) FROM f_log")" "t|3000" "log_retention drops partitions that are older, and nothing else"
is "$(sql "SELECT to_regclass('f_log_gone') IS NULL, to_regclass('f_log_kept') IS NULL")" "t|f" "to the hour, whatever DateStyle and time zone"
sql "ALTER DATABASE \"$PGDATABASE\" RESET timezone; ALTER DATABASE \"$PGDATABASE\" RESET datestyle; DROP TABLE f_log_kept"

# Names that PostgreSQL cuts: tables that begin alike have partitions of their own.
long=$(printf 'a%.0s' {1..58})
for end in one two; do
	sql "CREATE SERVER long_$end TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(peer_url fast)/score', log_table 'public.$long$end'); SELECT ml_score.create_inference_log('long_$end')" >/dev/null
done
is "$(sql "SELECT count(*), count(DISTINCT inhrelid), count(DISTINCT inhparent) FROM pg_inherits WHERE inhparent::regclass::text ~ '^a{58}'")" "4|4|2" "log tables whose long names begin alike"
sql "DROP SERVER long_one; DROP SERVER long_two; DROP TABLE ${long}one, ${long}two"

# A sample: exactly its share of the requests, over sessions that send one each.
sql "ALTER SERVER f OPTIONS (ADD log_sample_rate '0.25'); TRUNCATE f_log"
for i in 1 2 3 4 5 6 7 8; do sql "SELECT f(1, 'a', 'b', 'c', $i, 1, 1, 1, 1)" >/dev/null; done
logged "count(*)" 2 "log_sample_rate: two of eight sessions' requests"
sql "ALTER SERVER f OPTIONS (SET log_sample_rate '0')"
sql "SELECT f(1.5, 'a', 'b', 'c', 1, 1, 1, 1, 1)" >/dev/null
sql "ALTER SERVER f OPTIONS (DROP log_sample_rate)"
sql "SELECT f(2, 'a', 'b', 'c', 1, 1, 1, 1, 1)" >/dev/null
logged "string_agg(inputs ->> 'carat', ',') FILTER (WHERE (inputs ->> 'depth')::float8 = 1 AND (inputs ->> 'carat')::float8 IN (1.5, 2))" "'2.0'" "0: nothing"

# Functions of their own share, each counted by itself: turn by turn, none gets the other's.
sql "TRUNCATE f_log; ALTER SERVER f OPTIONS (ADD log_function_rates 'public.\"G,=\"=0.5, public.half = 0.5,public.silent=0')" 2>/dev/null
for name in '"G,="' half silent whole; do
	sql "CREATE FUNCTION $name(carat float8) RETURNS float8 LANGUAGE ml_score STABLE AS 'f'"
done
for i in 1 2 3 4; do sql "SELECT \"G,=\"($i); SELECT half($i); SELECT silent($i)" >/dev/null; done
for i in 1 2 3 4; do sql "SELECT whole($i)" >/dev/null; done
logged "string_agg(function || ' ' || n, ', ' ORDER BY function) FROM (SELECT function, count(*) AS n FROM f_log GROUP BY 1) AS counted" \
	"'public.\"G,=\" 2, public.half 2, public.whole 4'" "log_function_rates: half of one function's requests, none of another's, all of the rest"
sql "ALTER SERVER f OPTIONS (DROP log_function_rates)"

# Rows that fail, one by one, with the reason; strange values.
sql "TRUNCATE f_log; ALTER SERVER f OPTIONS (SET url '$(peer_url fast)/tag/bad$PGVER/reject/Fair/score', ADD on_error 'null')"
sql "SELECT count(f($DIAMOND)) FROM diamonds" >/dev/null 2>&1
logged "count(*)" 1000 "requests that fail are logged, too, once they are not cut any more"
is "$(sql "SELECT count(*) FILTER (WHERE outputs IS NULL AND error LIKE '%400%' OR error LIKE '%refused%') = count(*) FILTER (WHERE inputs ->> 'cut' = 'Fair'), count(*) FILTER (WHERE outputs IS NULL) = count(error) FROM f_log")" "t|t" "without an output, with the error"
sql "TRUNCATE f_log; ALTER SERVER f OPTIONS (SET url '$(peer_url fast)/tag/odd$PGVER/score')"
sql "SELECT f(1, E'quote \" back \\\\ \\u00e9 \\u4e2d', '', repeat('x', 100000), 1, 1, 1, 1, 1)" >/dev/null
logged "bool_and(inputs ->> 'cut' = E'quote \" back \\\\ \\u00e9 \\u4e2d' AND inputs ->> 'color' = '' AND length(inputs ->> 'clarity') = 100000)" "true" "any text survives"

# Other layouts: values by position get their names.
sql "TRUNCATE f_log; CREATE SERVER m TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:9/score', request_format 'records');
	DROP SERVER m"
need_peer mirror
for format in numpy input_data inputs dataframe_split instances open_inference; do
	sql "CREATE SERVER s_$format TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(peer_url mirror)/reply/%5B1.5%2CNaN%5D', request_format '$format', log_table 'public.f_log', max_batch_rows '2');
		CREATE FUNCTION s_$format(a int, b text) RETURNS float8 LANGUAGE ml_score STABLE AS 's_$format'"
	sql "SELECT count(s_$format(i, 'x' || i)) FROM generate_series(1, 2) i" >/dev/null
done
logged "string_agg(inputs::text, ' ' ORDER BY inputs::text) FILTER (WHERE outputs = '1.5')" "repeat('{\"a\": 1, \"b\": \"x1\"} ', 5) || '{\"a\": 1, \"b\": \"x1\"}'" "inputs have names whatever the layout"
is "$(sql "SELECT count(*) FROM f_log WHERE outputs = '\"NaN\"'")" 6 "NaN is a string"

# A table that cannot be written: dropped, counted, told of; scoring goes on.
server_log_mark
sql "CREATE TABLE taken (i int); CREATE SERVER t TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(peer_url fast)/score', log_table 'public.taken');
	CREATE FUNCTION t(a int) RETURNS float8 LANGUAGE ml_score STABLE AS 't'"
is "$(sql "SELECT t(3)")" 3 "a log that cannot be written fails no query"
wait_until 30 "SELECT log_dropped = 1 FROM ml_score.stat_endpoint WHERE server = 't'"
is "$(sql "SELECT log_dropped, last_error FROM ml_score.stat_endpoint WHERE server = 't'")" '1|"public.taken" is no partitioned table' "and shows"

# Nor someone else's table, whose triggers would run as the server's owner.
sql "CREATE ROLE trapper_$PGVER; CREATE TABLE trap (LIKE f_log) PARTITION BY RANGE (time);
	CREATE TABLE trapped AS SELECT current_user AS who; TRUNCATE trapped;
	CREATE FUNCTION spring() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO trapped VALUES (current_user); RETURN NEW; END';
	CREATE TRIGGER spring BEFORE INSERT ON trap FOR EACH ROW EXECUTE FUNCTION spring();
	ALTER TABLE trap OWNER TO trapper_$PGVER; ALTER SERVER t OPTIONS (SET log_table 'public.trap')"
sql "SELECT t(4)" >/dev/null
wait_until 30 "SELECT log_dropped = 2 FROM ml_score.stat_endpoint WHERE server = 't'"
is "$(sql "SELECT last_error, (SELECT count(*) FROM trapped) FROM ml_score.stat_endpoint WHERE server = 't'")" '"public.trap" does not belong to the owner of server "t"|0' \
	"a table of someone else's is not written"
is "$(server_log | grep -c 'could not write an inference log')" 1 "the server's log hears of it once a minute"
sql "DROP TABLE trap; DROP ROLE trapper_$PGVER"
is "$(sql "BEGIN; SET LOCAL lock_timeout = '7s'; ALTER SERVER t OPTIONS (SET log_table 'public.made'); SELECT ml_score.create_inference_log('t'); SHOW lock_timeout; ROLLBACK" | tail -n 1)" 7s \
	"ml_score.create_inference_log leaves the session's settings alone"

# A worker that is held up: the queue fills, further requests are dropped, the query does not wait.
sql "TRUNCATE f_log"
before=$(sql "SELECT log_dropped FROM ml_score.stat_endpoint WHERE server = 'f' AND logged > 0 ORDER BY logged DESC LIMIT 1")
sql_background hold "BEGIN; LOCK TABLE f_log IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(20)"
wait_until 10 "SELECT count(*) > 0 FROM pg_locks WHERE relation = 'f_log'::regclass AND mode = 'AccessExclusiveLock' AND granted"
is "$(sql "SELECT count(f(i, repeat('y', 30000), '', '', 1, 1, 1, 1, 1)) FROM generate_series(1, 1500) i")" 1500 "scoring goes on while the log cannot be written"
cmp_ok "$(sql "SELECT log_dropped FROM ml_score.stat_endpoint WHERE server = 'f' AND logged > 0 ORDER BY logged DESC LIMIT 1")" ">" "$before" "what has no room is dropped and counted"
sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK TABLE f_log%' AND pid <> pg_backend_pid()" >/dev/null
wait_until 30 "SELECT count(*) > 0 FROM f_log"
sql "SELECT f(77, 'after', '', '', 1, 1, 1, 1, 1)" >/dev/null
wait_until 30 "SELECT count(*) = 1 FROM f_log WHERE inputs ->> 'cut' = 'after'"
ok $? "and it is written again afterwards"

# Nobody but the owner's roles; not the credential.
is "$(sql "SELECT tableowner = (SELECT r.rolname FROM pg_foreign_server s JOIN pg_roles r ON r.oid = s.srvowner WHERE srvname = 'f') FROM pg_tables WHERE tablename = 'f_log'")" t "the table is the server owner's"
is "$(sql "CREATE ROLE nosy_$PGVER LOGIN; SELECT has_table_privilege('nosy_$PGVER', 'f_log', 'SELECT')")" f "nobody else may read it"
sql "DROP ROLE nosy_$PGVER; TRUNCATE f_log; CREATE SERVER k TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(peer_url mirror)/echo', auth 'key', log_table 'public.f_log');
	CREATE USER MAPPING FOR CURRENT_USER SERVER k OPTIONS (key 'sesame-street'); CREATE FUNCTION k(a text) RETURNS text LANGUAGE ml_score STABLE AS 'k'"
sql "SELECT k('say sesame-street')" >/dev/null
wait_until 30 "SELECT count(*) = 1 FROM f_log"
is "$(sql "SELECT outputs IS NULL, error FROM f_log")" "t|the reply repeats the request's credential" "a reply that repeats the credential is not logged"
done_testing
