#!/bin/bash
# What waits to be logged outlives the worker that was writing it, and a server that is stopped: each row once.
. "$(dirname "$0")/../lib/tap.sh"
need_peer fast
home=$CLUSTER
start_cluster "logs-$PGVER" "$PGVER" "shared_preload_libraries = 'ml_score'" "max_worker_processes = 16"
use_cluster "logs-$PGVER"
sql "CREATE EXTENSION ml_score"
fast_function f "/tag/stop$PGVER"
sql <<-'EOSQL'
	ALTER SERVER f OPTIONS (ADD max_batch_rows '10', ADD log_table 'public.f_log');
	SELECT ml_score.create_inference_log('f');
	CREATE TABLE held (yes boolean);
	CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN IF EXISTS (SELECT FROM public.held) THEN PERFORM pg_sleep(600); END IF; RETURN NEW; END';
	CREATE TRIGGER hold BEFORE INSERT ON f_log FOR EACH ROW EXECUTE FUNCTION hold();
EOSQL
writing="SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'ml_score inference log' AND wait_event = 'PgSleep'"

# score FROM TO: while the worker is held up in the middle of its first record.
score() {
	sql "INSERT INTO held VALUES (true); SELECT count(f(i, 'a', 'b', 'c', 1, 1, 1, 1, 1)) FROM generate_series($1, $2) i" >/dev/null
	wait_until 60 "$writing"
}

# complete N NAME: rows 1 to N are in the log, each once.
complete() {
	wait_until 90 "SELECT count(*) >= $1 FROM f_log"
	is "$(sql "SELECT count(*), count(DISTINCT inputs ->> 'carat') FROM f_log")" "$1|$1" "$2"
}

score 1 50
sql "DELETE FROM held; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'ml_score inference log'" >/dev/null
complete 50 "the next worker writes what the last one was at"
score 51 100
sql "SELECT count(f(i, 'a', 'b', 'c', 1, 1, 1, 1, 1)) FROM generate_series(101, 200) i; DELETE FROM held" >/dev/null
server_log_mark
restart_cluster "logs-$PGVER"
complete 200 "a server that is stopped and started loses nothing of it"
is "$(compgen -G "$RUN/logs-$PGVER/data/pg_stat/ml_score*")" "" "and leaves no file behind"
unlike "$(server_log)" "are lost" "nor a complaint"

# A file that is no such file: told of, removed, and the server starts.
stop_cluster "logs-$PGVER"
echo "whatever" >"$RUN/logs-$PGVER/data/pg_stat/ml_score_inference.queue"
chown --reference="$RUN/logs-$PGVER/data" "$RUN/logs-$PGVER/data/pg_stat/ml_score_inference.queue"
server_log_mark
restart_cluster "logs-$PGVER"
like "$(server_log)" 'file "pg_stat/ml_score_inference.queue" is of another version' "a strange file is told of"
score 201 210
sql "DELETE FROM held; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'ml_score inference log'" >/dev/null
complete 210 "and keeps nothing from going on"
use_cluster "$home"
stop_cluster "logs-$PGVER"
done_testing
