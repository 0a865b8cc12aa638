-- monitors and their alerts: what they may be, what a run finds, who sees it
\set VERBOSITY default
SET TimeZone = 'UTC';
SET client_min_messages = warning;
CREATE ROLE regress_watch_owner;
CREATE ROLE regress_watch_other;
CREATE ROLE regress_watch_monitor IN ROLE pg_monitor;
CREATE SCHEMA watch AUTHORIZATION regress_watch_owner;
SET ROLE regress_watch_owner;
SET search_path = watch;

-- a month of scored rows: from the 11th on a number is greater, a category and a NULL are new
CREATE TABLE scored AS
SELECT '2026-01-01'::timestamptz + i * interval '1 hour' AS at, (i * 37 % 100)::float8 + CASE WHEN i >= 240 THEN 40 ELSE 0 END AS a,
    CASE WHEN i >= 240 AND i % 3 = 0 THEN 'new' WHEN i % 2 = 0 THEN 'x' ELSE 'y' END AS c,
    CASE WHEN i >= 240 AND i % 10 = 0 THEN NULL ELSE i % 7 END AS n, (i % 50)::float8 AS price
FROM generate_series(0, 719) i;
CREATE TABLE profile AS SELECT * FROM ml_score.freeze('SELECT a, c, n, price FROM scored WHERE at < ''2026-01-11''');
CREATE TABLE truth AS SELECT at, price AS predicted, price + CASE WHEN at >= '2026-01-11' THEN 9 ELSE 1 END AS actual FROM scored;

-- what does not fit
SELECT ml_score.create_monitor(NULL);
SELECT ml_score.create_monitor('');
SELECT ml_score.create_monitor('m');
SELECT ml_score.create_monitor('m', min_rows => NULL);
SELECT ml_score.create_monitor('m', baseline => 'SELECT 1');
SELECT ml_score.create_monitor('m', current => 'SELECT 1 AS a');
SELECT ml_score.create_monitor('m', current => 'SELECT a FROM scored', baseline => 'SELECT a FROM scored', min_rows => -1);
SELECT ml_score.create_monitor('m', current => 'SELECT a FROM scored', baseline => 'SELECT a FROM scored', formulas => 'other');
SELECT ml_score.create_monitor('m', current => 'SELECT a FROM scored', baseline => 'SELECT a FROM scored', schedule => '10 ms');
SELECT ml_score.create_monitor('m', current => 'SELECT a FROM scored', baseline => 'SELECT a FROM scored', schedule => '1 month');
SELECT ml_score.create_monitor('m', current => 'SELECT a FROM scored', baseline => 'SELECT a FROM scored', window_size => '1 day');
SELECT ml_score.create_monitor('m', current => 'SELECT a FROM scored', baseline => 'SELECT a FROM scored', window_size => '-1 day');
SELECT ml_score.create_monitor('m', current => 'SELECT at, a FROM scored', time_column => 'at');
SELECT ml_score.create_monitor('m', current => 'SELECT at, a FROM scored', time_column => 'at', window_size => '0');
SELECT ml_score.create_monitor('m', current => 'SELECT at, a FROM scored', time_column => 'at', window_size => '1 day', baseline_window_size => '0');
SELECT ml_score.create_monitor('m', current => 'SELECT at, a FROM scored', time_column => 'at', window_size => '1 day', window_offset => '1 hour', baseline_window_offset => '1 day');
SELECT ml_score.create_monitor('m', current => 'SELECT a FROM scored', time_column => 'at', window_size => '1 day');
SELECT ml_score.create_monitor('m', current => 'SELECT at FROM scored', time_column => 'at', window_size => '1 day');
SELECT ml_score.create_monitor('m', current => 'SELECT at, a FROM nowhere', time_column => 'at', window_size => '1 day');
SELECT ml_score.create_monitor('m', current => 'DELETE FROM scored', baseline => 'SELECT a FROM scored');
SELECT ml_score.create_monitor('m', custom => 'SHOW work_mem');
SELECT ml_score.create_monitor('m', current => 'SELECT a FROM scored', baseline => 'SELECT a FROM scored', predictions => '{price}');
SELECT ml_score.create_monitor('m', current => 'SELECT a FROM scored', baseline => 'SELECT a FROM scored', features => '{b}');
SELECT ml_score.create_monitor('m', current => 'SELECT a FROM scored', baseline => 'SELECT a FROM scored', categorical => '{b}');
SELECT ml_score.create_monitor('m', current => 'SELECT a FROM scored', baseline => 'SELECT a FROM scored', signals => '{drift}');
SELECT ml_score.create_monitor('m', current => 'SELECT a FROM scored', baseline => 'SELECT a FROM scored', signals => '{prediction_drift}');
SELECT ml_score.create_monitor('m', current => 'SELECT a FROM scored', baseline => 'SELECT a FROM scored', signals => '{model_performance}');
SELECT ml_score.create_monitor('m', current => 'SELECT a FROM scored', baseline => 'SELECT a FROM scored', signals => '{custom}');
SELECT ml_score.create_monitor('m', custom => 'SELECT 1 AS metric, 2 AS value', signals => '{data_drift}');
SELECT ml_score.create_monitor('m', performance => 'SELECT actual FROM truth');
SELECT ml_score.create_monitor('m', performance => 'SELECT actual, predicted FROM truth', time_column => 'at', window_size => '1 day');
SELECT ml_score.create_monitor('m', custom => 'SELECT 1 AS metric');
SELECT ml_score.create_monitor('m', custom => 'SELECT 1 AS metric, now() AS value');
SELECT ml_score.create_monitor('m', custom => 'SELECT ''a'' AS metric, 1 AS value', thresholds => '[]');
SELECT ml_score.create_monitor('m', custom => 'SELECT ''a'' AS metric, 1 AS value', thresholds => '{"drift": {}}');
SELECT ml_score.create_monitor('m', custom => 'SELECT ''a'' AS metric, 1 AS value', thresholds => '{"custom": 1}');
SELECT ml_score.create_monitor('m', custom => 'SELECT ''a'' AS metric, 1 AS value', thresholds => '{"custom": {"a": "1"}}');
SELECT ml_score.create_monitor('m', custom => 'SELECT ''a'' AS metric, 1 AS value', thresholds => '{"custom": {"a": {"over": 1}}}');
SELECT ml_score.create_monitor('m', custom => 'SELECT ''a'' AS metric, 1 AS value', thresholds => '{"custom": {"a": {"above": 1, "below": 0}}}');
SELECT ml_score.create_monitor('m', custom => 'SELECT ''a'' AS metric, 1 AS value', thresholds => '{"data_drift": {"psi": 1}}');
SELECT ml_score.create_monitor('m', current => 'SELECT a FROM scored', baseline => 'SELECT a FROM scored', thresholds => '{"data_drift": {"rmse": 1}}');
SELECT ml_score.create_monitor('m', current => 'SELECT a FROM scored', baseline => 'SELECT a FROM scored', thresholds => '{"data_drift": {"numerical": 1}}');
SELECT count(*) FROM ml_score.monitor;

-- Azure's thresholds, against a profile; windows before and after the drift
SELECT ml_score.create_monitor('m', current => 'SELECT at, a, c, n, price FROM scored', baseline => 'SELECT feature, distribution FROM profile',
    predictions => '{price}', time_column => 'at', window_size => '4 days');
SELECT ml_score.create_monitor('m', custom => 'SELECT 1 AS metric, 2 AS value');
SELECT ml_score.run_monitor('m', '2026-01-09');
SELECT signal, feature, metric, round(value::numeric, 6) AS value, threshold, bound, breached FROM ml_score.monitor_result WHERE threshold IS NOT NULL OR metric = 'population_stability_index' ORDER BY 1, 2, 3;
SELECT ml_score.run_monitor('m', '2026-01-16');
SELECT at, window_start, window_end, outcome FROM ml_score.monitor_run ORDER BY at;
SELECT signal, feature, metric, round(value::numeric, 6) AS value, threshold FROM ml_score.monitor_result WHERE breached ORDER BY 1, 2, 3;
SELECT signal, breached, since FROM ml_score.monitor_signal ORDER BY 1;
-- a moment before the last run changes nothing; a window without enough rows tells nothing
SELECT ml_score.run_monitor('m', '2026-01-08');
SELECT signal, breached, since FROM ml_score.monitor_signal ORDER BY 1;
SELECT ml_score.run_monitor('m', '2026-03-01');
SELECT signal, metric, value, threshold, breached FROM ml_score.monitor_result WHERE run = (SELECT max(id) FROM ml_score.monitor_run) AND feature = 'a' ORDER BY 1, 2;
SELECT monitor, owner, state, signal, breached, since, last_run_at, last_outcome, next_run_at, pending_alerts FROM ml_score.monitor_status ORDER BY signal;
SELECT ml_score.run_monitor('m', 'infinity');
-- a run for a moment to come does not make those until then past ones
SELECT ml_score.create_monitor('ahead', custom => 'SELECT ''a'' AS metric, 1 AS value', thresholds => '{"custom": {"a": 2}}');
SELECT ml_score.run_monitor('ahead', '2100-01-01');
SELECT ml_score.alter_monitor('ahead', thresholds => '{"custom": {"a": 0}}');
SELECT ml_score.run_monitor('ahead');
SELECT breached, since < '2100-01-01' FROM ml_score.monitor_status WHERE monitor = 'ahead';
SELECT ml_score.drop_monitor('ahead');

-- thresholds of one's own, by kind; a limit of null; earlier rows as the baseline, with an offset
SELECT ml_score.create_monitor('own', current => 'SELECT at, a, c FROM scored;', time_column => 'at', window_size => '3 days', window_offset => '12 hours',
    signals => '{data_drift}', thresholds => '{"data_drift": {"numerical": {"PSI": 1000, "jensen_shannon_distance": null}, "categorical": {"ChiSquaredTest": 0.01}}}');
SELECT ml_score.run_monitor('own', '2026-01-13 12:00');
SELECT window_start, window_end, outcome FROM ml_score.monitor_run WHERE monitor = 'own';
SELECT feature, metric, threshold, bound, breached FROM ml_score.monitor_result WHERE monitor = 'own' AND threshold IS NOT NULL ORDER BY 1, 2;
SELECT d.jensen_shannon_distance = r.value FROM ml_score.drift('SELECT a FROM scored WHERE at >= ''2026-01-07'' AND at < ''2026-01-10''', 'SELECT a FROM scored WHERE at >= ''2026-01-10'' AND at < ''2026-01-13''') d,
    ml_score.monitor_result r WHERE r.monitor = 'own' AND r.feature = 'a' AND r.metric = 'jensen_shannon_distance';
-- performance: numbers, and classes; a metric with a limit in the other direction
SELECT ml_score.create_monitor('right', performance => 'SELECT at, actual, predicted FROM truth; ', time_column => 'at', window_size => '2 days', thresholds => '{"model_performance": {"rmse": 5, "r2": null}}', min_rows => 10);
SELECT ml_score.run_monitor('right', '2026-01-10'), ml_score.run_monitor('right', '2026-01-14');
SELECT at, feature, metric, value, threshold, bound, breached FROM ml_score.monitor_result WHERE monitor = 'right' AND metric = 'rmse' ORDER BY at;
SELECT ml_score.create_monitor('classes', performance => 'SELECT c AS actual, ''x''::text AS predicted FROM scored', min_rows => 0);
SELECT ml_score.run_monitor('classes', '2026-01-14');
SELECT metric, round(value::numeric, 6), threshold, breached FROM ml_score.monitor_result WHERE monitor = 'classes' ORDER BY 1;
SELECT ml_score.alter_monitor('classes', thresholds => '{"model_performance": {"accuracy": 0.9}}');
SELECT ml_score.run_monitor('classes', '2026-01-15');
-- custom: the window's bounds, a feature, a limit below
SELECT ml_score.create_monitor('mine', custom => 'SELECT ''rows'' AS metric, count(*) AS value, c AS feature FROM scored WHERE at >= $1 AND at < $2 GROUP BY c',
    window_size => '1 day', thresholds => '{"custom": {"rows": {"below": 10}}}');
SELECT ml_score.run_monitor('mine', '2026-01-05'), ml_score.run_monitor('mine', '2026-01-20');
SELECT at, feature, metric, value, threshold, bound, breached FROM ml_score.monitor_result WHERE monitor = 'mine' ORDER BY at, feature;
SELECT ml_score.create_monitor('nothing', custom => 'SELECT NULL::text AS metric, 1 AS value');
SELECT ml_score.run_monitor('nothing');

-- a day is a day of the monitor's time zone, whoever calls from where
SET TimeZone = 'Europe/Berlin';
SELECT ml_score.create_monitor('day', custom => 'SELECT ''hours'' AS metric, extract(epoch FROM $2 - $1) / 3600 AS value;', window_size => '1 day', window_offset => '1 day');
SET TimeZone = 'UTC';
SELECT ml_score.run_monitor('day', '2026-03-31 00:00 Europe/Berlin'), ml_score.run_monitor('day', '2026-04-01 00:00 Europe/Berlin');
SELECT r.at, r.window_start, r.window_end, v.value FROM ml_score.monitor_run r JOIN ml_score.monitor_result v ON v.run = r.id WHERE r.monitor = 'day' ORDER BY 1;

-- changes
SELECT ml_score.alter_monitor(NULL);
SELECT ml_score.alter_monitor('nowhere', min_rows => 3);
SELECT ml_score.alter_monitor('mine', custom => '');
SELECT ml_score.alter_monitor('mine', current => 'SELECT at, a FROM scored', baseline => 'SELECT a FROM scored', time_column => 'at', signals => '{custom, data_drift}', schedule => '0');
SELECT current, baseline, signals, schedule, next_run_at FROM ml_score.monitor WHERE name = 'mine';
SELECT signal, breached FROM ml_score.monitor_signal WHERE monitor = 'mine';
SELECT ml_score.alter_monitor('mine', signals => '{data_drift}');
SELECT ml_score.alter_monitor('mine', signals => '{data_drift}', thresholds => '{}');
SELECT signal, breached FROM ml_score.monitor_signal WHERE monitor = 'mine';
SELECT ml_score.pause_monitor('mine');
SELECT state FROM ml_score.monitor_status WHERE monitor = 'mine';
SELECT ml_score.resume_monitor('mine');
SELECT state FROM ml_score.monitor_status WHERE monitor = 'mine';
SELECT ml_score.pause_monitor('nowhere'), ml_score.resume_monitor('nowhere');
SELECT ml_score.drop_monitor('nowhere');
SELECT ml_score.run_monitor('nowhere');

-- actions
RESET ROLE;
CREATE SERVER watch_hook TYPE 'webhook' FOREIGN DATA WRAPPER ml_score;
CREATE SERVER watch_hook TYPE 'webhook' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://hooks.example.com/x', auth 'entra');
CREATE SERVER watch_hook TYPE 'webhook' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://hooks.example.com/x');
CREATE SERVER watch_online TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://hooks.example.com/x');
CREATE USER MAPPING FOR regress_watch_owner SERVER watch_online OPTIONS (secret 'x');
CREATE SERVER watch_batch TYPE 'batch' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://hooks.example.com/jobs');
SET ROLE regress_watch_owner;
SELECT ml_score.create_monitor_action(NULL, 'x', channel => 'c');
SELECT ml_score.create_monitor_action('nowhere', 'x', channel => 'c');
SELECT ml_score.create_monitor_action('m', '', channel => 'c');
SELECT ml_score.create_monitor_action('m', repeat('n', 64), channel => 'c');
SELECT ml_score.create_monitor_action('m', 'x');
SELECT ml_score.create_monitor_action('m', 'x', channel => 'c', statement => 'SELECT 1');
SELECT ml_score.create_monitor_action('m', 'x', channel => '');
SELECT ml_score.create_monitor_action('m', 'x', statement => ' ; ');
SELECT ml_score.create_monitor_action('m', 'x', statement => 'SELEC 1');
SELECT ml_score.create_monitor_action('m', 'x', channel => 'c', events => '{error}');
SELECT ml_score.create_monitor_action('m', 'x', channel => 'c', events => '{}');
SELECT ml_score.create_monitor_action('m', 'x', channel => 'c', signals => '{custom}');
SELECT ml_score.create_monitor_action('m', 'x', channel => 'c', cool_down => '-1 hour');
SELECT ml_score.create_monitor_action('m', 'x', webhook => 'nowhere');
SELECT ml_score.create_monitor_action('m', 'x', webhook => 'watch_online');
SELECT ml_score.create_monitor_action('m', 'x', webhook => 'watch_hook');
SELECT ml_score.create_monitor_action('m', 'x', batch => '{"input": "x"}');
SELECT ml_score.create_monitor_action('m', 'x', batch => '{"server": "watch_batch", "input": "azureml://x"}');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER watch_hook, watch_batch TO regress_watch_owner;
SET ROLE regress_watch_owner;
SELECT ml_score.create_monitor_action('m', 'hook', webhook => 'watch_hook');
CREATE USER MAPPING FOR regress_watch_owner SERVER watch_hook OPTIONS (secret 'whsec_AAAA');
SELECT ml_score.create_monitor_action('m', 'again', webhook => 'watch_hook', events => '{breach}', signals => '{data_drift}', cool_down => '0');
SELECT ml_score.create_monitor_action('m', 'again', channel => 'c');
SELECT ml_score.create_monitor_action('m', 'x', batch => '{"server": "watch_batch", "input": "azureml://x", "no_such": 1}');
SELECT ml_score.create_monitor_action('m', 'train', batch => '{"server": "watch_batch", "input": "azureml://x", "parameters": {"rate": 0.1}, "result_columns": ["a", "b\"c"], "gzip": true, "experiment": null}');
SELECT name, channel, webhook, statement, batch, events, signals, cool_down FROM ml_score.monitor_action ORDER BY name;
SELECT ml_score.drop_monitor_action('m', 'x');
SELECT ml_score.drop_monitor_action('m', 'hook'), ml_score.drop_monitor_action('m', 'again'), ml_score.drop_monitor_action('m', 'train');
SELECT ml_score.retry_alert(0);

-- who sees and does what
SELECT count(DISTINCT monitor) FROM ml_score.monitor_status;
INSERT INTO ml_score.monitor_run (monitor, at, outcome, started_at, ended_at) VALUES ('m', now(), 'ok', now(), now());
SET ROLE regress_watch_other;
SELECT (SELECT count(*) FROM ml_score.monitor), (SELECT count(*) FROM ml_score.monitor_run), (SELECT count(*) FROM ml_score.monitor_result),
    (SELECT count(*) FROM ml_score.monitor_signal), (SELECT count(*) FROM ml_score.monitor_status), (SELECT count(*) FROM ml_score.alert);
SELECT ml_score.run_monitor('m');
SELECT ml_score.alter_monitor('m', min_rows => 3);
SELECT ml_score.drop_monitor('m');
SELECT ml_score.pause_monitor('m');
SELECT ml_score.create_monitor_action('m', 'x', channel => 'c');
SELECT ml_score.drop_monitor_action('m', 'x');
SELECT ml_score.purge_monitor('0', 'm');
SELECT ml_score.purge_monitor('0');
SET ROLE regress_watch_monitor;
SELECT count(DISTINCT monitor) > 0 FROM ml_score.monitor_status WHERE owner = 'regress_watch_owner'::regrole;
SELECT count(*) > 0 FROM ml_score.monitor_result;
SELECT ml_score.run_monitor('m');

-- it runs as its owner, whoever calls, and cannot become anyone else
SET ROLE regress_watch_owner;
CREATE FUNCTION watch.who() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN current_user; END $$;
CREATE FUNCTION watch.climb() RETURNS text LANGUAGE plpgsql AS $$ BEGIN SET ROLE NONE; RETURN 'up'; END $$;
SELECT ml_score.create_monitor('who', custom => 'SELECT who() AS metric, 1 AS value');
SELECT ml_score.create_monitor('climb', custom => 'SELECT watch.climb() AS metric, 1 AS value');
RESET ROLE;
RESET search_path;
SELECT ml_score.run_monitor('who');
SELECT metric FROM ml_score.monitor_result WHERE monitor = 'who';
SELECT ml_score.run_monitor('climb');
BEGIN READ ONLY;
SELECT ml_score.run_monitor('who');
ROLLBACK;

-- what is old goes
SET ROLE regress_watch_owner;
SELECT ml_score.purge_monitor(NULL);
SELECT ml_score.purge_monitor('-1 day');
SELECT ml_score.purge_monitor('1 day');
SELECT ml_score.purge_monitor('0', 'm');
SELECT count(*) FROM ml_score.monitor_result WHERE monitor = 'm';
SELECT ml_score.purge_monitor('0') > 0;
SELECT ml_score.drop_monitor(name) FROM ml_score.monitor;
SELECT count(*) FROM ml_score.monitor_signal;
RESET ROLE;
DROP SERVER watch_hook, watch_online, watch_batch CASCADE;
DROP SCHEMA watch CASCADE;
DROP ROLE regress_watch_owner, regress_watch_other, regress_watch_monitor;
