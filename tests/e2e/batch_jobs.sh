#!/bin/bash
# Batch jobs: a query out, a real model on the other side, predictions back in a table.
# Version: 16, while its faults have others
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/batch_jobs.sh"
batch_setup "jobs$PGVER"
is "$(sql "SELECT string_agg(name || ' ' || step, ', ') FILTER (WHERE ok), string_agg(message, ', ') FILTER (WHERE NOT ok) FROM ml_score.check_server('pb')")" \
	"pb credential, pb look at a job, pb list jobs, pb cancel a job, lake credential, lake write, lake list, lake read, lake delete|" "check_server tries every step, and all of them work"

# the usual way
id=$(submit "rows_per_file => 300, tags => '{\"team\": \"x\"}'")
is "$(finish "$id")" completed "a job completes"
is "$(job "$id" "files, rows_out, rows_in, missing, dead_letters, azure_status, job_name LIKE 'batchjob-%', error IS NULL")" \
	"4|1000|1000|0|0|Completed|t|t" "its figures are right"
is "$(stored)" "1000|1000|1|1000" "every row has its key and a prediction"
sql "CREATE SERVER real TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(need_peer real_records && peer_url real_records)/score')"
sql "SELECT ml_score.create_function('real', 'diamond_price')" >/dev/null
# pandas reads some decimals an ulp off, and a tree may then take the other branch
is "$(sql "SELECT count(*) FILTER (WHERE abs(p.price - o.price) < 1e-6) > 700, min(p.price / o.price) > 0.8, max(p.price / o.price) < 1.2 FROM price p JOIN
	(SELECT id, diamond_price(carat, cut, color, clarity, depth, \"table\", x, y, z) AS price FROM diamonds) o USING (id)")" "t|t|t" \
	"each row's prediction is the one that the same model gives online"
is "$(sql "SELECT string_agg(state, ' ' ORDER BY at) FROM (SELECT at, state, lag(state) OVER (ORDER BY at) AS last FROM ml_score.batch_job_event WHERE job = $id) e WHERE state IS DISTINCT FROM last")" \
	"exporting submitting running downloading loading completed" "its history has every state"
wait_until 20 "SELECT NOT cleanup FROM ml_score.batch_job WHERE id = $id"
is "$(blob_list "$BOX/ml_score/$id-")" "" "its files are removed"
is "$(sql "SELECT count(*) FROM ml_score.batch_file")" 0 "so are the kept keys"
like "$(batch_jobs)" '"team": "x"' "tags are passed on"

# what was written is what Azure's own client reads
id=$(sql "SELECT ml_score.submit_batch('pb', query => \$q\$SELECT 1 AS id, $DIAMOND, 'say \"hi\",' || chr(10) || 'größe 💎 ' AS note, NULL::text AS nothing, '' AS empty,
	12345678901234567890.123456789::numeric AS n, true AS yes, 'x'::bytea AS raw FROM diamonds WHERE id = 1\$q\$, target => 'price', on_conflict => 'update', retain => 'all')")
is "$(finish "$id")" completed "foreign characters, quotes and line breaks are no trouble"
is "$(blob_get "$BOX/$(job "$id" folder)/in/part-000001.csv" | tail -n +2)" \
	"$(sql "SELECT concat_ws(',', carat, cut, color, clarity, depth, \"table\", x, y, z) FROM diamonds WHERE id = 1"),\"say \"\"hi\"\",
größe 💎 \",,\"\",12345678901234567890.123456789,true,\\x78" "CSV keeps text, digits, NULL and the empty string apart"
is "$(blob_show "$BOX/$(job "$id" folder)/in/part-000001.csv" | grep -o '"type": "text/csv"')" '"type": "text/csv"' "it is text/csv"
is "$(blob_list "$BOX/$(job "$id" folder)/out/" | wc -l)" 1 "retain 'all' keeps the results, too"

# the other deployment's dialect, JSON lines, gzip
sql "ALTER SERVER pb OPTIONS (ADD deployment 'script'); TRUNCATE price"
id=$(submit "format => 'json_lines', rows_per_file => 400")
is "$(finish "$id")" completed "JSON lines go out, and single spaces come back"
is "$(stored)" "1000|1000|1|1000" "all of them"
sql "ALTER SERVER pb OPTIONS (SET deployment 'script-id'); TRUNCATE price"
id=$(submit "send_key => true, key => '{id}', result_columns => '{id,price}'")
is "$(finish "$id")" completed "a key may travel with the rows"
is "$(stored)" "1000|1000|1|1000" "and come back with the predictions"
sql "ALTER SERVER pb OPTIONS (DROP deployment)"

# again over the same rows
sql "UPDATE price SET price = -1 WHERE id <= 10; DELETE FROM price WHERE id > 500"
id=$(submit "on_conflict => 'nothing'")
is "$(finish "$id")" completed "on_conflict nothing"
is "$(sql "SELECT count(*), count(*) FILTER (WHERE price = -1) FROM price")" "1000|10" "leaves what is there"
id=$(submit "on_conflict => 'update'")
is "$(finish "$id")" completed "on_conflict update"
is "$(sql "SELECT count(*), count(*) FILTER (WHERE price = -1) FROM price")" "1000|0" "renews it"
id=$(submit)
like "$(finish "$id")" "none of the first 1000 predictions could be stored" "without it, rows that are all there fail the job"
is "$(sql "SELECT count(*) FROM price")" 1000 "and nothing is doubled"
id=$(sql "SELECT ml_score.submit_batch('pb', query => 'SELECT id, $DIAMOND FROM diamonds WHERE id <= 5', target => 'price')")
like "$(finish "$id")" "none of the 5 predictions could be stored" "the same holds for all of a few rows"
like "$(job "$id" "state, sqlstate, error_detail")" "failed\|23505\|The last one's reason: duplicate key" "with the last one's reason"
sql "DELETE FROM price WHERE id = 1"
id=$(sql "SELECT ml_score.submit_batch('pb', query => 'SELECT id, $DIAMOND FROM diamonds WHERE id <= 5', target => 'price')")
is "$(finish "$id") $(job "$id" "rows_in, dead_letters")" "completed 1|4" "one that can be stored is enough"

# nothing to do, no query, transactions
is "$(finish "$(sql "SELECT ml_score.submit_batch('pb', query => 'SELECT id, carat FROM diamonds WHERE false', target => 'price')")")" completed "no rows: completed at once"
id=$(sql "BEGIN; SELECT ml_score.submit_batch('pb', query => 'SELECT id, carat FROM diamonds', target => 'price'); ROLLBACK")
is "$(sql "SELECT count(*) FROM ml_score.batch_job WHERE id = $id")" 0 "a rollback leaves no job"
like "$(sql_error "BEGIN; CALL ml_score.wait_batch(ml_score.submit_batch('pb', query => 'SELECT id, carat FROM diamonds', target => 'price'))")" \
	"25001: batch job [0-9]+ was submitted in this transaction" "a transaction cannot wait for its own job"
sql "ALTER SERVER pb OPTIONS (ADD deployment 'pipeline')"
id=$(sql "SELECT ml_score.submit_batch('pb', input => 'azureml://datastores/$BOX/paths/some/data.csv', parameters => '{\"alpha\": 0.5, \"name\": \"a \\\"b\\\"\"}',
	outputs => '{\"model\": \"azureml://datastores/$BOX/paths/{path}/model.json\"}', experiment => 'nightly', overrides => '{\"loggingLevel\": \"Info\"}', retain => 'all')")
is "$(finish "$id")" completed "a pipeline can be started on data that is there already"
like "$(batch_jobs)" 'loggingLevel.*Info' "overrides are passed on"
like "$(blob_get "$BOX/$(job "$id" folder)/out/model.json")" 'alpha.*"?0\.5' "so are parameters, as literals, and an output's own URI"
sql "ALTER SERVER pb OPTIONS (DROP deployment)"

# cancelling
batch_fault '{"on": "job", "hold": "Running"}'
sql "TRUNCATE price"
id=$(submit)
wait_state "$id" running
wait_until 20 "SELECT azure_status = 'Running' FROM ml_score.batch_job WHERE id = $id"
is "$(sql "SELECT state, pid, percent FROM ml_score.progress_batch")" "running||" "how far Azure is it does not say"
is "$(sql "SELECT ml_score.cancel_batch($id)")" t "a running job can be cancelled"
like "$(finish "$id")" "was cancelled" "who waits for it is told"
is "$(job "$id" "state, azure_status")" "cancelled|Canceled" "Azure has stopped it"
batch_no_faults
id=$(sql "SELECT ml_score.submit_batch('pb', query => 'SELECT id, $DIAMOND, pg_sleep(0.05)::text FROM diamonds', target => 'price')")
wait_until 20 "SELECT state = 'exporting' AND unit = 'rows' AND done > 0 AND percent > 0 AND percent < 100 FROM ml_score.progress_batch WHERE job = $id"
ok $? "how far an export is can be seen" "$(sql "SELECT * FROM ml_score.progress_batch")"
sql "CREATE ROLE passer_by"
is "$(sql "SET ROLE passer_by; SELECT (SELECT count(*) FROM ml_score.progress_batch) + (SELECT count(*) FROM ml_score.progress_batch())")" 0 "by those who see the job"
start=$(now_ms)
sql "SELECT ml_score.cancel_batch($id)" >/dev/null
like "$(finish "$id")" "was cancelled" "so can one whose query runs"
cmp_ok $(($(now_ms) - start)) "<" 10000 "at once"
is "$(invoked "$id")" 0 "it was never started"
is "$(sql "SELECT ml_score.cancel_batch($id)")" f "what has ended is not cancelled again"
id=$(sql "SELECT ml_score.submit_batch('pb', query => 'SELECT id, $DIAMOND, pg_sleep(0.01)::text FROM diamonds WHERE id % 1 = 0', target => 'price')")
wait_until 20 "SELECT done > 20 AND total IS NULL AND percent IS NULL FROM ml_score.progress_batch WHERE job = $id"
ok $? "of more rows than the planner expects the end is not known" "$(sql "SELECT * FROM ml_score.progress_batch")"
sql "SELECT ml_score.cancel_batch($id)" >/dev/null

# keys that are empty, or full of what COPY escapes
sql <<-'EOF2'
	CREATE TABLE named (name text PRIMARY KEY, price float8);
	CREATE TABLE names (id int, name text);
	INSERT INTO names VALUES (1, ''), (2, E'\\\t\n,\\N'), (3, 'c');
EOF2
named() {
	sql "SELECT ml_score.submit_batch('pb', query => 'SELECT name, $DIAMOND FROM diamonds JOIN names USING (id) ORDER BY id', target => 'named' ${1:-})"
}
is "$(finish "$(named)") $(sql "SELECT count(*), count(price) FROM named JOIN names USING (name)")" "completed 3|3" "keys are text of any kind"
is "$(finish "$(named ", on_conflict => 'update'")") $(sql "SELECT count(*), count(price) FROM named JOIN names USING (name)")" "completed 3|3" "also when they are stored again"
batch_fault '{"on": "job", "skip_files": 2}'
id=$(named ", on_conflict => 'update', rows_per_file => 1")
is "$(finish "$id") $(sql "SELECT count(*) FROM ml_score.batch_missing JOIN names ON key = ARRAY[name] WHERE job = $id AND id = file")" "completed 2" \
	"those without a prediction are listed as they are"

# a query that has no plan
id=$(sql "SELECT ml_score.submit_batch('pb', query => 'EXPLAIN SELECT 1', retain => 'all')")
wait_until 20 "SELECT count(*) > 0 FROM ml_score.batch_job_event WHERE job = $id AND message ~ '^1 rows in 1 files'"
ok $? "what EXPLAIN says is exported like other rows" "$(job "$id" "*")"
sql "SELECT ml_score.cancel_batch($id)" >/dev/null
like "$(batch_jobs)" '"repeatability_request-id"' "the request that starts a job has the id that Azure's client gives it"
done_testing
