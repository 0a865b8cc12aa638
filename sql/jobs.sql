-- batch jobs: what is refused before anything is sent, and who sees what
\set VERBOSITY terse
\pset format unaligned
\pset tuples_only on

-- servers
SELECT public.try($$CREATE SERVER s TYPE 'blob' FOREIGN DATA WRAPPER ml_score$$);
SELECT public.try($$CREATE SERVER s TYPE 'blob' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://a.blob.core.windows.net')$$);
SELECT public.try($$CREATE SERVER s TYPE 'blob' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://a.blob.core.windows.net/c', auth 'key')$$);
SELECT public.try($$CREATE SERVER s TYPE 'blob' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://a.blob.core.windows.net/c', storage 'x')$$);
SELECT public.try($$CREATE SERVER s TYPE 'batch' FOREIGN DATA WRAPPER ml_score$$);
SELECT public.try($$CREATE SERVER s TYPE 'batch' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://b/jobs', input_uri 'https://x/{pth}')$$);
SELECT public.try($$CREATE SERVER s TYPE 'batch' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://b/jobs', input_uri 'https://x/{job}')$$);
SELECT public.try($$CREATE SERVER s TYPE 'batch' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://b/jobs', max_batch_rows '5')$$);
CREATE SERVER blob_store TYPE 'blob' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:9/acct/box', auth 'shared_key');
CREATE SERVER batch_bare TYPE 'batch' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:9/jobs');
CREATE SERVER batch_lost TYPE 'batch' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:9/jobs', storage 'nowhere');
CREATE SERVER batch_b TYPE 'batch' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:9/jobs', storage 'blob_store',
    input_uri 'azureml://datastores/d/paths/{path}', poll_min_interval '1s');

-- arguments
CREATE TABLE batch_target (id int PRIMARY KEY, score float8);
SELECT public.try($$SELECT ml_score.submit_batch('nosuch', query => 'SELECT 1')$$);
SELECT public.try($$SELECT ml_score.submit_batch('blob_store', query => 'SELECT 1')$$);
SELECT public.try($$SELECT ml_score.submit_batch('batch_bare', query => 'SELECT 1')$$);
SELECT public.try($$SELECT ml_score.submit_batch('batch_lost', query => 'SELECT 1')$$);
SELECT public.try($$SELECT ml_score.submit_batch('batch_b')$$);
SELECT public.try($$SELECT ml_score.submit_batch('batch_b', query => 'SELECT 1', input => 'x')$$);
SELECT public.try($$SELECT ml_score.submit_batch(NULL, query => 'SELECT 1')$$);
SELECT public.try($$SELECT ml_score.submit_batch('batch_b', query => 'SELECT nosuch FROM batch_target')$$);
SELECT public.try($$SELECT ml_score.submit_batch('batch_b', query => 'CREATE TABLE x ()')$$);
SELECT public.try($$SELECT ml_score.submit_batch('batch_b', query => 'SELECT 1 AS a', key => '{b}')$$);
SELECT public.try($$SELECT ml_score.submit_batch('batch_b', query => 'SELECT 1 AS a, 2 AS b', key => '{b}', target => 'batch_target')$$);
SELECT public.try($$SELECT ml_score.submit_batch('batch_b', query => 'SELECT 1 AS a', key => '{a}')$$);
SELECT public.try($$SELECT ml_score.submit_batch('batch_b', query => 'SELECT 1', rows_per_file => 0)$$);
SELECT public.try($$SELECT ml_score.submit_batch('batch_b', query => 'SELECT 1', format => 'parquet')$$);
SELECT public.try($$SELECT ml_score.submit_batch('batch_b', query => 'SELECT 1', result_format => 'xml')$$);
SELECT public.try($$SELECT ml_score.submit_batch('batch_b', query => 'SELECT 1', on_conflict => 'update')$$);
SELECT public.try($$SELECT ml_score.submit_batch('batch_b', query => 'SELECT 1', on_missing => 'ignore')$$);
SELECT public.try($$SELECT ml_score.submit_batch('batch_b', query => 'SELECT 1', on_error => 'null')$$);
SELECT public.try($$SELECT ml_score.submit_batch('batch_b', query => 'SELECT 1', retain => 'forever')$$);
SELECT public.try($$SELECT ml_score.submit_batch('batch_b', query => 'SELECT 1', tags => '[1]')$$);
SELECT public.try($$SELECT ml_score.submit_batch('batch_b', input => 'x', key => '{a}')$$);
SELECT public.try($$SELECT ml_score.cancel_batch(0)$$);
SELECT public.try($$SELECT ml_score.retry_batch(0)$$);
SELECT public.try($$SELECT ml_score.retry_batch(NULL)$$);
SELECT public.try($$CALL ml_score.wait_batch(0)$$);
SELECT public.try($$CALL ml_score.wait_batch(NULL)$$);
SELECT ml_score.purge('0');
SELECT public.try($$SELECT ml_score.purge('-1 day')$$);
SELECT public.try($$SELECT ml_score.purge('0', job => 0)$$);

-- who may submit, and see
CREATE ROLE batch_user;
CREATE ROLE batch_other;
GRANT INSERT, SELECT ON batch_target TO batch_user;
SET ROLE batch_user;
SELECT public.try($$SELECT ml_score.submit_batch('batch_b', query => 'SELECT 1')$$);
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER batch_b TO batch_user;
SET ROLE batch_user;
SELECT public.try($$SELECT ml_score.submit_batch('batch_b', query => 'SELECT 1')$$);
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER blob_store TO batch_user;
GRANT USAGE ON FOREIGN SERVER batch_b, blob_store TO batch_other;
SET ROLE batch_other;
SELECT public.try($$SELECT ml_score.submit_batch('batch_b', query => 'SELECT 1 AS id, 2 AS x', target => 'batch_target')$$);
RESET ROLE;
SELECT public.try($$SELECT ml_score.submit_batch('batch_b', query => 'SELECT 1 AS a, 2 AS b', target => 'batch_target')$$);
BEGIN;
SET LOCAL ROLE batch_user;
SELECT ml_score.submit_batch('batch_b', query => 'SELECT 1 AS id, 2 AS x', target => 'batch_target') AS job \gset
SELECT owner, server, state, target, key FROM ml_score.batch_job WHERE id = :job;
SELECT state, message FROM ml_score.batch_job_event WHERE job = :job;
SAVEPOINT s;
SELECT count(*) FROM ml_score.batch_file;
ROLLBACK TO s;
SET LOCAL ROLE NONE;
INSERT INTO ml_score.dead_letter (job, blob, line, raw, reason, sqlstate) VALUES (:job, 'out/predictions.csv', 7, 'x,y', 'r', '22P04');
UPDATE ml_score.batch_job SET state = 'failed', completed_at = clock_timestamp() - interval '2 days' WHERE id = :job;
SET LOCAL ROLE batch_other;
SELECT count(*) FROM ml_score.dead_letter;
SELECT ml_score.purge('1 day');
SET LOCAL ROLE batch_user;
SELECT stream, job, blob, line, convert_from(raw, 'UTF8') FROM ml_score.dead_letter;
SELECT ml_score.purge('3 days'), ml_score.purge('1 day', job => :job);
SELECT count(*) FROM ml_score.dead_letter;
ROLLBACK TO s;
SET LOCAL ROLE NONE;
INSERT INTO ml_score.dead_letter (job, raw, reason, sqlstate) VALUES (:job, 'x,y', 'r', '22P04');
ROLLBACK TO s;
SET LOCAL ROLE batch_user;
UPDATE ml_score.batch_job SET state = 'completed';
ROLLBACK TO s;
SET LOCAL ROLE batch_other;
SELECT count(*) FROM ml_score.batch_job;
SELECT count(*) FROM ml_score.batch_job_event;
SELECT ml_score.cancel_batch(:job);
ROLLBACK TO s;
SET LOCAL ROLE batch_user;
SELECT ml_score.cancel_batch(:job);
SELECT state FROM ml_score.batch_job WHERE id = :job;
ROLLBACK;

-- what a server cannot do, says check_server
SELECT name, step, ok, regexp_replace(message, ':9.*', ''), left(hint, 60) FROM ml_score.check_server('blob_store');
DROP OWNED BY batch_user, batch_other;
DROP ROLE batch_user, batch_other;
DROP SERVER blob_store, batch_bare, batch_lost, batch_b;
DROP TABLE batch_target;
