-- Settings: ranges, units, who may set them.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS ml_score;
\pset format unaligned
\pset tuples_only on
LOAD 'ml_score';
SELECT name, setting, unit, context, vartype FROM pg_settings WHERE name LIKE 'ml\_score.%' AND context <> 'postmaster' ORDER BY name COLLATE "C";

SELECT v, public.try('SET ml_score.max_batch_rows = ' || v) FROM unnest(ARRAY[$$'auto'$$, $$''$$, '1', '1000000', '0', '1000001', $$'some'$$]) v;
SELECT v, public.try('SET ml_score.max_parallel_requests = ' || v) FROM unnest(ARRAY[$$'auto'$$, $$''$$, '1', '0', $$'some'$$]) v;
SELECT v, public.try('SET ml_score.max_batch_bytes = ' || v) FROM unnest(ARRAY[$$'512kB'$$, '0']) v;
SELECT v, public.try('SET ml_score.timeout = ' || v) FROM unnest(ARRAY[$$'20ms'$$, $$'2min'$$, '0']) v;
SELECT v, public.try('SET ml_score.on_error = ' || v) FROM unnest(ARRAY['fail', $$'null'$$, 'server', 'maybe']) v;
SELECT v, public.try('SET ml_score.batching = ' || v) FROM unnest(ARRAY['off', 'on', 'maybe']) v;
SELECT public.try('SET ml_score.no_such_setting = 1');

CREATE ROLE ml_score_setter;
SET ROLE ml_score_setter;
SELECT v, public.try('SET ml_score.' || v) FROM unnest(ARRAY['batching = off', 'timeout = 1', 'log_requests = ''all''', 'max_response_size = 1024']) v;
RESET ROLE;
DROP ROLE ml_score_setter;
