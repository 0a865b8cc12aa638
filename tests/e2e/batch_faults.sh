#!/bin/bash
# What goes wrong with batch jobs is said in the service's words, and nothing is doubled.
# Version: 18, while batch_jobs has another
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/batch_jobs.sh"
batch_setup faults 400

# looks: how often the list of jobs was asked for; other tests may have done so before.
looks() {
	echo $(($(batch_requests list) - looks_before))
}
looks_before=$(batch_requests list)

# The endpoint
batch_fault '{"on": "invoke", "status": 500, "after": true}'
id=$(submit)
is "$(finish "$id") $(invoked "$id") $(looks)" "completed 1 1" "an error after the job was taken: found in the list, not started again"
batch_fault '{"on": "invoke", "status": 429, "retry_after": 1}'
sql "TRUNCATE price"
id=$(submit)
is "$(finish "$id") $(invoked "$id") $(looks)" "completed 1 1" "too many requests: tried again without a look at the list"
sql "ALTER USER MAPPING FOR PUBLIC SERVER pb OPTIONS (SET key 'wrong-token-0815')"
id=$(submit)
finish "$id" >/dev/null
like "$(why "$id")" "^submitting / 28000 / could not start a job on server \"pb\" / HTTP status 401.*audience https://ml.azure.com" "a token that is not accepted"
unlike "$(why "$id")$(sql "SELECT string_agg(message, '') FROM ml_score.batch_job_event")" "wrong-token" "is not shown"
sql "ALTER USER MAPPING FOR PUBLIC SERVER pb OPTIONS (SET key 'batch-tests')"
sql "TRUNCATE price; SELECT ml_score.retry_batch($id)" >/dev/null
is "$(finish "$id") $(invoked "$id") $(stored)" "completed 1 400|400|1|400" "with a good one the job goes on"
batch_fault '{"on": "invoke", "status": 403, "body": {"error": {"code": "AuthorizationFailed", "message": "no batchEndpoints/jobs/write"}}}'
id=$(submit)
like "$(finish "$id")" "no batchEndpoints/jobs/write.*AzureML Data Scientist|AzureML Data Scientist" "a role that is missing is named"

# The job
sql "TRUNCATE price"
batch_fault '{"on": "job", "state": "Failed", "error": {"code": "UserError", "message": "the script raised \"KeyError: carat\""}}'
id=$(submit)
like "$(finish "$id")" 'UserError: the script raised "KeyError: carat"' "a job that fails in Azure says why"
like "$(job "$id" "state, studio_url")" "failed\|https?://" "and where its logs are"
sql "SELECT ml_score.retry_batch($id)"
is "$(finish "$id") $(stored)" "completed 400|400|1|400" "tried again, another job does it"
sql "TRUNCATE price"
batch_fault '{"on": "job", "state": "Canceled"}'
id=$(submit)
like "$(finish "$id")" "was cancelled" "somebody cancels it in the studio"
batch_fault '{"on": "job", "output": "none"}'
id=$(submit)
finish "$id" >/dev/null
like "$(why "$id")" "^downloading / P0002 / the job has left no output" "a job without output"
batch_fault '{"on": "job", "output": "truncated"}'
id=$(submit "on_missing => 'record'")
is "$(finish "$id")" completed "output that is cut short"
is "$(job "$id" "rows_in + missing, missing > 100 AND dead_letters <= 1, (SELECT count(*) FROM ml_score.batch_missing WHERE job = $id) = missing")" \
	"400|t|t" "is stored as far as it goes, and the rest is known"
sql "TRUNCATE price"
batch_fault '{"on": "job", "output": "zero byte"}'
id=$(submit "on_missing => 'record'")
is "$(finish "$id") $(job "$id" "rows_in, missing, dead_letters")" "completed 399|1|1" "a line with a zero byte is a bad one"
sql "TRUNCATE price"
batch_fault '{"on": "job", "skip_files": 1}'
id=$(submit "rows_per_file => 100")
is "$(finish "$id") $(job "$id" "rows_in, missing")" "completed 300|100" "a file that failed"
is "$(sql "SELECT count(*), min(key[1]::int), max(key[1]::int), min(file), min(\"row\") FROM ml_score.batch_missing WHERE job = $id")" "100|1|100|1|0" \
	"its rows are listed with their keys"
sql "TRUNCATE price"
batch_fault '{"on": "job", "skip_files": 1}'
id=$(submit "rows_per_file => 100, on_missing => 'fail'")
like "$(finish "$id")" "100 of 400 rows have no prediction" "or fail the job"
is "$(stored)" "0|0||" "which then stores nothing"
batch_fault '{"on": "job", "hold": "Running", "report": "Hibernating"}'
id=$(submit "timeout => '3 s'")
finish "$id" >/dev/null
like "$(why "$id")" "57014 / the job \"batchjob-.*\" has not ended within its timeout / The service says \"Hibernating\"" "an unknown state is waited out, up to the timeout"
batch_no_faults
batch_fault '{"on": "job", "hold": "Running"}'
id=$(submit "timeout => '3 s'")
wait_state "$id" running
batch_fault '{"on": "status", "status": 503, "times": 1000}'
finish "$id" >/dev/null
like "$(why "$id")" "57014 / the job \"batchjob-.*\" has not ended within its timeout / It cannot be looked at: " "so is a service that does not answer"
batch_no_faults

# The store
sql "ALTER USER MAPPING FOR PUBLIC SERVER lake OPTIONS (SET account_key '$(openssl rand -base64 48)')"
id=$(submit)
finish "$id" >/dev/null
like "$(why "$id")" "^exporting / 28000 / could not write blob .* HTTP status 403" "a wrong account key"
like "$(sql "SELECT string_agg(step, ',') FROM ml_score.check_server('lake') WHERE NOT ok")" write "check_server sees it"
sql "ALTER USER MAPPING FOR PUBLIC SERVER lake OPTIONS (SET account_key '$BLOB_KEY')"
sql "ALTER SERVER lake OPTIONS (SET url '$(blob_url no-such-box)')"
like "$(sql "SELECT message, hint FROM ml_score.check_server('lake') WHERE NOT ok" | tr '\n' ' ')" "ContainerNotFound.*Create the container" "a container that is missing"
sql "ALTER SERVER lake OPTIONS (SET url '$(blob_url "$BOX")', SET auth 'sas')"
sql "ALTER USER MAPPING FOR PUBLIC SERVER lake OPTIONS (DROP account_key, ADD sas_token '$(blob_sas "$BOX" racwdl -60)')"
like "$(sql "SELECT message FROM ml_score.check_server('lake') WHERE NOT ok")" "AuthenticationFailed|AuthorizationFailure" "an expired SAS"
sas=$(blob_sas "$BOX")
sql "ALTER USER MAPPING FOR PUBLIC SERVER lake OPTIONS (SET sas_token '$sas')"
is "$(sql "SELECT count(*) FROM ml_score.check_server('lake') WHERE NOT ok")" 0 "a good one"
sql "TRUNCATE price; ALTER SERVER pb OPTIONS (SET input_uri '$(blob_url "$BOX")/{path}?{sas}')"
id=$(submit)
is "$(finish "$id") $(stored)" "completed 400|400|1|400" "the endpoint may be given the SAS"
unlike "$(sql "SELECT j::text FROM ml_score.batch_job j WHERE id = $id")" "${sas##*sig=}" "which is written down nowhere"

# The database
sql "TRUNCATE price"
id=$(sql "SELECT ml_score.submit_batch('pb', query => 'SELECT id, $DIAMOND, 1 / (300 - id) FROM diamonds', target => 'price')")
like "$(finish "$id")" "division by zero" "a query that fails at row 300"
is "$(invoked "$id")" 0 "starts nothing"
batch_fault '{"on": "job", "hold": "Running"}'
id=$(submit)
wait_state "$id" running
sql "DROP TABLE price; CREATE TABLE price2 (id int PRIMARY KEY, price float8)"
batch_no_faults
like "$(finish "$id")" "the target of the job does not exist any more" "a target that was dropped meanwhile"
sql "SELECT ml_score.retry_batch($id, 'price2')"
is "$(finish "$id") $(sql "SELECT count(*) FROM price2")" "completed 400" "the results can go into another"
is "$(invoked "$id")" 1 "without another job"
sql "CREATE TABLE base (id int PRIMARY KEY, price float8 CHECK (price > 700)); CREATE VIEW price AS SELECT * FROM base"
id=$(submit "key => '{id}'")
is "$(finish "$id")" completed "a view is filled, too"
is "$(sql "SELECT (SELECT count(*) FROM base) + dead_letters, dead_letters > 0, (SELECT min(sqlstate) FROM ml_score.dead_letter WHERE job = $id) FROM ml_score.batch_job WHERE id = $id")" \
	"400|t|23514" "rows that a constraint refuses are dead letters"
sql "CREATE ROLE leaver; GRANT USAGE ON FOREIGN SERVER pb, lake TO leaver; GRANT SELECT ON diamonds TO leaver; GRANT INSERT, SELECT ON base TO leaver"
batch_fault '{"on": "job", "hold": "Running"}'
id=$(sql "SET ROLE leaver; SELECT ml_score.submit_batch('pb', query => '$BATCH_QUERY', target => 'base')")
wait_state "$id" running
like "$(sql_error "DROP OWNED BY leaver; DROP ROLE leaver" | tr '\n' ' ')" "2BP01.*batch job $id" "the owner of a job cannot be dropped where the job is seen"
sql "DROP OWNED BY leaver"
PGDATABASE=postgres sql "DROP ROLE leaver"
wait_state "$id" failed
is "$(job "$id" "sqlstate, error, failed_state")" "42704|the role that submitted the job does not exist any more|running" "a job whose owner was dropped fails, and says so"
batch_no_faults
sql "CREATE DATABASE faults2 TEMPLATE template0"
(
	PGDATABASE=faults2
	sql "CREATE EXTENSION ml_score"
	batch_servers >/dev/null
	diamonds_table 400
	sql "CREATE TABLE price (id int PRIMARY KEY, price float8)"
) >/dev/null 2>&1
sql "TRUNCATE base"
other=$(PGDATABASE=faults2 submit)
id=$(submit "key => '{id}'")
is "$(finish "$id") $(PGDATABASE=faults2 finish "$other") $(PGDATABASE=faults2 stored)" "completed completed 400|400|1|400" "two databases share a container"
PGDATABASE=postgres sql "DROP DATABASE faults2 WITH (FORCE)"
done_testing
