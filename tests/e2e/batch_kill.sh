#!/bin/bash
# Batch jobs are killed at the worst moment of every step, and end in one job and one set of rows.
# Version: 16, jobs' states are the same for every version
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/batch_jobs.sh"
start_cluster kill "$PGVER" "shared_preload_libraries = 'ml_score'" "max_worker_processes = 16"
use_cluster kill
sql "CREATE EXTENSION ml_score"
batch_setup kill
azurite_pid=$(cat "$RUN/peers/azurite.pid")
ROWS_FILES="rows_per_file => 300"

# kill_worker job|poller: with signal 9; the server starts anew. Then the job of the test ends as it must.
kill_worker() {
	local pid
	wait_until 20 "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'ml_score batch $1'"
	pid=$(sql "SELECT pid FROM pg_stat_activity WHERE backend_type = 'ml_score batch $1'")
	kill -9 "$pid"
	while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
	wait_until 60 "SELECT NOT pg_is_in_recovery()"
}

ends_well() {
	is "$(finish "$1" 90)" completed "$2: the job completes"
	is "$(stored)" "1000|1000|1|1000" "with every row once"
	is "$(invoked "$1")" 1 "and was started once"
	sql "TRUNCATE price"
}

id=$(sql "SELECT ml_score.submit_batch('pb', query => 'SELECT id, $DIAMOND, CASE WHEN id > 900 THEN pg_sleep(0.03) END::text FROM diamonds', target => 'price', $ROWS_FILES)")
wait_until 20 "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
first=$(job "$id" folder)
sql_background lock "BEGIN; LOCK TABLE ml_score.batch_job IN SHARE MODE; SELECT pg_sleep(60)"
wait_until 30 "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'ml_score batch job' AND wait_event_type = 'Lock'"
is "$(blob_list "$BOX/$first/in/" | wc -l)" 4 "an export is uploaded and not yet noted"
kill_worker job
ends_well "$id" "killed after the export"
unlike "$(job "$id" folder)" "$first" "the second export went into another folder"

batch_fault '{"on": "invoke", "drop": true, "after": true}'
batch_fault '{"on": "list", "status": 503, "times": 1000}'
id=$(submit "$ROWS_FILES")
wait_until 30 "SELECT invoke_started_at IS NOT NULL FROM ml_score.batch_job WHERE id = $id"
taken() {
	[ "$(invoked "$id")" != 0 ]
}
poll 30 taken
is "$(invoked "$id") $(job "$id" "state, job_name IS NULL")" "1 submitting|t" "the endpoint has the job, and its answer is lost"
kill_worker job
batch_no_faults
ends_well "$id" "killed before the answer"

batch_fault '{"on": "job", "hold": "Running"}'
id=$(submit "$ROWS_FILES")
wait_state "$id" running
kill_worker poller
batch_no_faults
ends_well "$id" "the poller killed"

batch_fault '{"on": "job", "hold": "Finalizing"}'
id=$(submit "$ROWS_FILES")
wait_until 60 "SELECT azure_status = 'Finalizing' FROM ml_score.batch_job WHERE id = $id"
kill -STOP "$azurite_pid"
batch_no_faults
wait_state "$id" downloading
kill_worker job
is "$(job "$id" state)" downloading "killed while the store does not answer"
kill -CONT "$azurite_pid"
ends_well "$id" "killed in the download"

sql "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN new; END';
	CREATE TRIGGER slow BEFORE INSERT ON price FOR EACH ROW WHEN (new.id = 990) EXECUTE FUNCTION slow()"
id=$(submit "$ROWS_FILES")
wait_until 60 "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'ml_score batch job' AND wait_event = 'PgSleep'"
is "$(job "$id" state)" loading "most rows are stored, not committed"
is "$(sql "SELECT state, unit, done = total, percent FROM ml_score.progress_batch WHERE job = $id")" "loading|bytes|t|100.0" "all results are read"
kill_worker job
is "$(stored)" "0|0||" "and gone with the process"
sql "DROP TRIGGER slow ON price"
for _ in 1 2 3; do
	pid=$(sql "SELECT pid FROM pg_stat_activity WHERE backend_type = 'ml_score batch job' AND wait_event = 'PgSleep'")
	[ -z "$pid" ] || sql "SELECT pg_terminate_backend($pid)" >/dev/null
	sleep 0.3
done
ends_well "$id" "killed while loading"

sql "CREATE FUNCTION wait_for_test() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(5); RETURN NULL; END';
	CREATE TRIGGER wait_for_test AFTER INSERT ON price FOR EACH STATEMENT EXECUTE FUNCTION wait_for_test()"
sql_background holder "SELECT pg_advisory_lock(5), pg_sleep(60)"
wait_until 20 "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory'"
id=$(submit "$ROWS_FILES")
wait_until 60 "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
folder=$(job "$id" folder)
kill -STOP "$azurite_pid"
sql "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted" >/dev/null
sql_join holder >/dev/null 2>&1
wait_until 30 "SELECT state = 'completed' AND cleanup FROM ml_score.batch_job WHERE id = $id"
kill_worker job
kill -CONT "$azurite_pid"
sql "DROP TRIGGER wait_for_test ON price"
ends_well "$id" "killed in the clean-up"
wait_until 60 "SELECT NOT cleanup FROM ml_score.batch_job WHERE id = $id"
is "$(blob_list "$BOX/$folder/")" "" "which is done to its end"

batch_fault '{"on": "job", "hold": "Running"}'
id=$(submit "$ROWS_FILES")
wait_state "$id" running
restart_cluster kill
batch_no_faults
ends_well "$id" "PostgreSQL restarted"
is "$(sql "SELECT count(*) FROM ml_score.batch_file")" 0 "no keys are left behind"
use_cluster "main-$PGVER"
stop_cluster kill
done_testing
