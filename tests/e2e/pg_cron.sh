#!/bin/bash
# A pg_cron job keeps a table scored; another one submits a batch job; a third one runs a monitor.
# Version: 15, which has pg_cron
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/batch_jobs.sh"
[ -f "$("$PGBIN/pg_config" --pkglibdir)/pg_cron.so" ] || skip_all "this PostgreSQL has no pg_cron"
need_peer fast
start_cluster cron "$PGVER" "shared_preload_libraries = 'pg_cron,ml_score'" "cron.database_name = 'postgres'" "cron.host = '$RUN/cron/s'" "cron.use_background_workers = on"
use_cluster cron
sql "CREATE EXTENSION ml_score; CREATE EXTENSION pg_cron"
fast_function f ""
batch_setup cron 500
sql "CREATE TABLE scored (id int PRIMARY KEY, score float8)"
sql "SELECT cron.schedule('score', '* * * * *', 'CALL ml_score.score_table(''diamonds'', ''scored'', ''f'', 200)')" >/dev/null
sql "SELECT cron.schedule('batch', '* * * * *', 'SELECT ml_score.submit_batch(''pb'', query => ''$BATCH_QUERY'', target => ''price'', on_conflict => ''update'')')" >/dev/null
sql <<-'SQL' >/dev/null
	SELECT ml_score.create_monitor('drift', current => 'SELECT carat + 1 AS carat FROM diamonds', baseline => 'SELECT carat FROM diamonds');
	SELECT ml_score.create_monitor_action('drift', 'note', statement => 'INSERT INTO told SELECT $1 #>> ''{data,event}''');
	CREATE TABLE told (event text);
	SELECT cron.schedule('drift', '* * * * *', $$SELECT ml_score.run_monitor('drift')$$);
SQL
wait_until 90 "SELECT count(*) = 500 FROM scored"
ok $? "the job scores the table"
is "$(sql "SELECT count(*) FROM scored JOIN diamonds USING (id) WHERE score IS DISTINCT FROM $FAST_SCORE")" 0 "with the right scores"
wait_until 20 "SELECT status = 'succeeded' FROM cron.job_run_details ORDER BY runid LIMIT 1"
is "$(sql "SELECT status FROM cron.job_run_details ORDER BY runid LIMIT 1")" succeeded "pg_cron saw it succeed"
wait_until 60 "SELECT state = 'completed' FROM ml_score.batch_job ORDER BY id LIMIT 1"
sql "SELECT cron.unschedule('batch')" >/dev/null
is "$(job 1 state) $(stored)" "completed 500|500|1|500" "the batch job that it submitted completes"
wait_until 60 "SELECT status = 'succeeded' FROM cron.job_run_details WHERE command LIKE '%run_monitor%' ORDER BY runid LIMIT 1"
ok $? "the job runs the monitor" "$(sql "SELECT * FROM cron.job_run_details")"
wait_until 30 "SELECT count(*) >= 2 FROM told"
is "$(sql "SELECT signal, breached FROM ml_score.monitor_signal ORDER BY 1")|$(sql "SELECT string_agg(event, ',') FROM told")" $'data_drift|t\ndata_quality|t|breach,breach' \
	"which finds the drift, and its action is done"
use_cluster "main-$PGVER"
stop_cluster cron
done_testing
