-- report: what is refused, who sees what, a database with nothing.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS ml_score;
RESET client_min_messages;
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SELECT ml_score.report() LIKE '<!DOCTYPE html>%<title>ml_score in %</html>' || chr(10);
SELECT ml_score.report('a <b>') ~ '<title>a &#60;b&#62;</title>.*<h1>a &#60;b&#62;</h1>';
SELECT ml_score.report(title => U&'caf\00e9') ~ '<h1>caf&#233;</h1>';
SELECT ml_score.report() ~ 'There is no stream that you may see.*There is no such batch job that you may see';
SELECT ml_score.report() ~ 'id="drift"|id="profile"';
-- drift and profile, when asked for
SELECT ml_score.report(baseline => 'SELECT g AS n, ''<'' || g % 2 AS word FROM generate_series(1, 10) g', current => 'SELECT g AS n, ''x'' AS word FROM generate_series(1, 20) g')
    ~ '<h3>n</h3>.*<h3>word</h3>.*&#60;0.*Figures of drift.*<th scope="row">n</th><td class="n">10</td><td class="n">20</td>';
SELECT ml_score.report(baseline => 'SELECT * FROM ml_score.freeze(''SELECT 1 AS code'', ''{code}'')', current => 'SELECT 2 AS code') ~ 'categorical.*100.0 %, now 0.0 %';
SELECT ml_score.report(baseline => 'SELECT 1 AS a, 2 AS b WHERE false', current => 'SELECT 1 AS a, 2 AS b WHERE false', categorical => '{b}') ~ 'Neither side has values';
SELECT ml_score.report(profile => 'SELECT 100 AS batch_rows, p AS parallel, 1000.5 * p AS rows_per_second, 1.5 AS p50_ms, NULL AS p95_ms, 0 AS errors, p = 2 AS recommended, ''f & g'' AS function FROM generate_series(1, 2) p')
    ~ '<h3>f &#38; g</h3>.*class="ring".*<td class="n">2,001</td><td class="n">1.5 ms</td><td class="n">&#8211;</td><td class="n">0</td><td><span class="badge good">recommended';
SELECT ml_score.report(profile => 'SELECT 1 AS batch_rows, 1 AS parallel, 1 AS rows_per_second, 1 AS p50_ms, 1 AS p95_ms, 0 AS errors, true AS recommended WHERE false') ~ 'The profile query gives no rows';
-- what is refused
SELECT ml_score.report(baseline => 'SELECT 1 AS a');
\echo :LAST_ERROR_SQLSTATE
SELECT ml_score.report(current => 'SELECT 1 AS a');
SELECT ml_score.report(categorical => '{a}');
\echo :LAST_ERROR_SQLSTATE
SELECT ml_score.report(categorical => NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT ml_score.report(formulas => NULL);
SELECT ml_score.report(formulas => 'mine');
\echo :LAST_ERROR_SQLSTATE
SELECT ml_score.report(since => '-1 day');
\echo :LAST_ERROR_SQLSTATE
SELECT ml_score.report(baseline => 'SELECT 1 AS a', current => 'SELECT 1 AS b');
\echo :LAST_ERROR_SQLSTATE
SELECT ml_score.report(profile => 'SELECT 1 AS batch_rows');
\echo :LAST_ERROR_SQLSTATE
SELECT ml_score.report(profile => 'SELECT ''many'' AS batch_rows, 1 AS parallel, 1 AS rows_per_second, 1 AS p50_ms, 1 AS p95_ms, 0 AS errors, true AS recommended');
\echo :LAST_ERROR_SQLSTATE
SELECT ml_score.report(profile => 'SELECT ''Infinity''::float8 AS batch_rows, 1 AS parallel, 1 AS rows_per_second, 1 AS p50_ms, 1 AS p95_ms, 0 AS errors, true AS recommended');
SELECT ml_score.report(profile => 'SELECT 1; SELECT 2');
\echo :LAST_ERROR_SQLSTATE
SELECT ml_score.report(profile => 'WITH w AS (DELETE FROM ml_score.dead_letter RETURNING 1) SELECT * FROM w');
\echo :LAST_ERROR_SQLSTATE
SELECT ml_score.report(profile => 'SELECT g AS batch_rows FROM generate_series(1, 20000) g');
\echo :LAST_ERROR_SQLSTATE
-- monitors: parts of thresholds in both directions, against 0, without end, unknown
CREATE TABLE report_metric AS SELECT * FROM (VALUES ('over', 4::float8), ('under', 4), ('none', 0), ('some', 1), ('endless', 'Infinity'), ('nothing', NULL), ('<free>', 7)) v(metric, value);
SELECT ml_score.create_monitor('report <m>', custom => 'SELECT * FROM report_metric',
    thresholds => '{"custom": {"over": 2, "under": {"below": 2}, "none": 0, "some": 0, "endless": 5, "nothing": 1}}');
SELECT ml_score.report() ~ 'report &#60;m&#62;</th><td>by hand</td><td></td><td><span class="badge plain">not known';
SELECT ml_score.run_monitor('report <m>');
SELECT regexp_replace(line[1], '<[^>]*>', ' ', 'g') FROM regexp_matches(ml_score.report(), '(<tr><th scope="row">report &#60;m&#62;</th><td>custom</td>.*?</tr>)', 'g') line;
SELECT ml_score.report() ~ 'id="history-t".*report &#60;m&#62;, .*: 300 % of the threshold', ml_score.report() ~ '1</dd></div>\n<div class="tile bad"><dt>signals breached</dt><dd>1<', ml_score.report() ~ 'free';
-- it shows what the caller may see: jobs and monitors, here
CREATE ROLE report_owner;
CREATE ROLE report_other;
INSERT INTO ml_score.batch_job (id, owner, server, state, send_key, format, rows_per_file, gzip, result_format, on_missing, on_error, retain, completed_at, error,
    request_id, folder, folders, search_path, time_zone)
VALUES (-7, 'report_owner', 'night', 'failed', false, 'csv', 1, false, 'auto', 'record', 'fail', 'none', now(), 'boom', gen_random_uuid(), '', '{}', '', '');
SET ROLE report_owner;
SELECT ml_score.report() ~ '-7 night.*boom', ml_score.report() ~ 'as report_owner sees it';
SET ROLE report_other;
SELECT ml_score.report() ~ 'night', ml_score.report() ~ 'There is no monitor that you may see';
SELECT ml_score.report(since => NULL) ~ 'All jobs that are kept';
SELECT ml_score.report(profile => 'SELECT * FROM ml_score.run_event');
\echo :LAST_ERROR_SQLSTATE
SELECT ml_score.report(baseline => 'SELECT id FROM ml_score.run_event', current => 'SELECT 1 AS id');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
UPDATE ml_score.batch_job SET submitted_at = now() - interval '8 days' WHERE id = -7;
SELECT ml_score.report() ~ 'night', ml_score.report(since => '9 days') ~ 'night', ml_score.report(since => NULL) ~ 'night';
-- however the session writes times
UPDATE ml_score.batch_job SET submitted_at = now() - interval '1 hour' WHERE id = -7;
SET DateStyle = 'SQL';
SET TimeZone = 'Asia/Kolkata';
SELECT ml_score.report(since => '2 hours') ~ 'night', ml_score.report(since => '30 minutes') ~ 'night';
RESET DateStyle;
RESET TimeZone;
DELETE FROM ml_score.batch_job WHERE id = -7;
DROP ROLE report_owner, report_other;
SELECT ml_score.drop_monitor('report <m>');
DROP TABLE report_metric;
