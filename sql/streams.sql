-- ml_score.create_stream and its companions: what they take and what they refuse; no hub is asked
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS ml_score;
\pset format unaligned
\pset tuples_only on
CREATE SERVER st_hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers 'localhost:9', security_protocol 'plaintext');
CREATE SERVER st_online TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://example.com/score');
CREATE TABLE st_target (id bigint PRIMARY KEY, at timestamptz DEFAULT now());
CREATE TABLE st_odd (id bigint, _offset text);
CREATE SEQUENCE st_sequence;

SELECT args || '|' || public.try(format('SELECT ml_score.create_stream(%s, paused => true)', args)) FROM unnest(ARRAY[
	$$'a', 'st_hub', 'topic', 'st_target'$$,
	$$'a', 'st_hub', 'topic', 'st_target'$$,
	$$'b', 'st_hub', 'topic', query => 'INSERT INTO st_target SELECT id FROM batch', columns => 'id bigint'$$,
	$$'', 'st_hub', 'topic', 'st_target'$$,
	$$NULL, 'st_hub', 'topic', 'st_target'$$,
	$$'c', 'nowhere', 'topic', 'st_target'$$,
	$$'c', 'st_online', 'topic', 'st_target'$$,
	$$'c', 'st_hub', '', 'st_target'$$,
	$$'c', 'st_hub', 'topic'$$,
	$$'c', 'st_hub', 'topic', 'st_target', query => 'SELECT 1', columns => 'id bigint'$$,
	$$'c', 'st_hub', 'topic', query => 'SELECT 1'$$,
	$$'c', 'st_hub', 'topic', query => 'SELEC 1', columns => 'id bigint'$$,
	$$'c', 'st_hub', 'topic', query => ' ', columns => 'id bigint'$$,
	$$'c', 'st_hub', 'topic', 'st_missing'$$,
	$$'c', 'st_hub', 'topic', 'st_sequence'$$,
	$$'c', 'st_hub', 'topic', 'st_odd'$$,
	$$'c', 'st_hub', 'topic', 'st_target', columns => 'id bigint, other text'$$,
	$$'c', 'st_hub', 'topic', 'st_target', columns => 'id nonsense'$$,
	$$'c', 'st_hub', 'topic', 'st_target', format => 'xml'$$,
	$$'c', 'st_hub', 'topic', 'st_target', format => 'raw'$$,
	$$'c', 'st_hub', 'topic', 'st_target', format_options => '{"colour": "blue"}'$$,
	$$'c', 'st_hub', 'topic', 'st_target', start => 'soon'$$,
	$$'c', 'st_hub', 'topic', 'st_target', start => 'infinity'$$,
	$$'c', 'st_hub', 'topic', 'st_target', partitions => '{}'$$,
	$$'c', 'st_hub', 'topic', 'st_target', partitions => '{0,-1}'$$,
	$$'c', 'st_hub', 'topic', 'st_target', workers => 0$$,
	$$'c', 'st_hub', 'topic', 'st_target', max_batch_rows => 0$$,
	$$'c', 'st_hub', 'topic', 'st_target', max_batch_delay => 'soon'$$,
	$$'c', 'st_hub', 'topic', 'st_target', max_batch_bytes => '1TB'$$,
	$$'c', 'st_hub', 'topic', 'st_target', on_error => 'ignore'$$,
	$$'c', 'st_hub', 'topic', 'st_target', on_offset_out_of_range => 'ignore'$$,
	$$'c', 'st_hub', 'topic', 'st_target', hop => '1 minute'$$,
	$$'c', 'st_hub', 'topic', 'st_target', allowed_lateness => '1s'$$,
	$$'c', 'st_hub', 'topic', 'st_target', event_time => 'at'$$,
	$$'c', 'st_hub', 'topic', 'st_target', late_events => 'update'$$,
	$$'c', 'st_hub', 'topic', 'st_target', idle_timeout => '1 day'$$]) AS args;
SELECT name, owner::text = current_user, server, topic, target, columns, query, format, start, workers, max_batch_rows, max_batch_delay, max_batch_bytes,
	on_error, on_offset_out_of_range, state FROM ml_score.stream ORDER BY name;

-- altered: what is given, and no more
SELECT args || '|' || public.try(format('SELECT ml_score.alter_stream(%s)', args)) FROM unnest(ARRAY[
	$$'none', workers => 2$$,
	$$NULL, workers => 2$$,
	$$'a', workers => 2, max_batch_rows => 5, max_batch_delay => '1s', max_batch_bytes => '1MB', on_error => 'fail', on_offset_out_of_range => 'latest', consumer_group => 'g'$$,
	$$'b', format => 'csv', format_options => '{"header": true}'$$,
	$$'b', workers => 65$$,
	$$'b', max_batch_delay => 'soon'$$,
	$$'b', on_error => 'ignore'$$,
	$$'b', format => 'raw', format_options => '{}'$$,
	$$'b', columns => 'id nonsense'$$,
	$$'b', columns => ''$$,
	$$'b', query => 'SELEC 1'$$,
	$$'b', target => 'st_missing'$$,
	$$'b', target => 'st_target', query => 'SELECT 1'$$,
	$$'b', allowed_lateness => '1s'$$,
	$$'b', owner => 'st_nobody'$$,
	$$'b', server => 'st_hub'$$,
	$$'b', topic => 'other'$$,
	$$'b', start => 'latest'$$,
	$$'b', partitions => '{0}'$$,
	$$'b', paused => true$$,
	$$'b', "window" => '1 minute'$$,
	$$'b', hop => '1 minute'$$,
	$$'b', event_time => 'at'$$,
	$$'b', late_events => 'update'$$,
	$$'b', target => 'st_target', columns => '', format => 'json'$$,
	$$'a', query => 'SELECT FROM batch'$$,
	$$'a', query => 'SELECT FROM batch', columns => 'id int'$$]) AS args;
SELECT name, target, columns, query, format, format_options, consumer_group, workers, max_batch_rows, max_batch_delay, max_batch_bytes,
	on_error, on_offset_out_of_range, version FROM ml_score.stream ORDER BY name;
SELECT ml_score.alter_stream('a', target => 'st_target', columns => '', on_error => 'dead_letter');
CREATE SCHEMA st_schema;
CREATE DOMAIN st_schema.st_id AS bigint;
SET search_path = st_schema, public;
SELECT ml_score.create_stream('w', 'st_hub', 'topic', columns => 'id st_id', query => 'SELECT FROM batch', "window" => '1 minute', paused => true);
RESET search_path;
SELECT public.try($$SELECT ml_score.alter_stream('w', allowed_lateness => '5s', idle_timeout => '7s', format => 'json_lines')$$);
SELECT public.try($$SELECT ml_score.alter_stream('w', target => 'st_target')$$);
SELECT public.try($$SELECT ml_score.alter_stream('w', columns => 'id st_id')$$);
SELECT size, lateness, idle, search_path, format FROM ml_score.stream JOIN ml_score.stream_window ON stream = name;
SELECT ml_score.drop_stream('w');
DROP SCHEMA st_schema CASCADE;

-- those that change it
SELECT ml_score.seek_stream('a', '2026-01-01 00:00:00Z'), ml_score.seek_stream('b', 'latest');
SELECT name, start::timestamptz = '2026-01-01 00:00:00Z' FROM ml_score.stream WHERE name = 'a';
SELECT public.try($$SELECT ml_score.seek_stream('a', 'soon')$$);
SELECT public.try($$SELECT ml_score.seek_stream('a', 'infinity'::timestamptz)$$);
SELECT f || '|' || public.try('SELECT ' || f) FROM unnest(ARRAY[$$ml_score.pause_stream('none')$$, $$ml_score.resume_stream('none')$$,
	$$ml_score.seek_stream('none', 'latest')$$, $$ml_score.drop_stream('none')$$, $$ml_score.replay_dead_letter('none')$$, $$ml_score.wait_stream('none')$$,
	$$ml_score.purge('1 day', 'none')$$, $$ml_score.wait_stream('a')$$, $$ml_score.replay_dead_letter(NULL)$$, $$ml_score.purge(NULL)$$]) AS f;
SELECT stream, partition, state, lag, rows FROM ml_score.stat_stream ORDER BY stream;

-- others
CREATE ROLE st_other;
SET ROLE st_other;
SELECT public.try($$SELECT ml_score.create_stream('c', 'st_hub', 'topic', 'st_target', paused => true)$$);
SELECT public.try($$SELECT ml_score.pause_stream('a')$$);
SELECT count(*) FROM ml_score.stream;
SELECT public.try($$DELETE FROM ml_score.stream$$);
CREATE FUNCTION pg_temp.tell(text) RETURNS bool LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE NOTICE 'told %', $1; RETURN true; END $$;
SELECT stream FROM ml_score.stat_stream WHERE pg_temp.tell(stream);
SELECT name FROM ml_score.stream WHERE pg_temp.tell(name);
DROP FUNCTION pg_temp.tell(text);
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER st_hub TO st_other;
SET ROLE st_other;
SELECT public.try($$SELECT ml_score.create_stream('c', 'st_hub', 'topic', 'st_target', paused => true)$$);
-- no more workers than a role may have
BEGIN;
SELECT ml_score.create_stream('c1', 'st_hub', 'topic', columns => 'id int', query => 'SELECT FROM batch', workers => 3);
SELECT public.try($$SELECT ml_score.create_stream('c2', 'st_hub', 'topic', columns => 'id int', query => 'SELECT FROM batch', workers => 2)$$);
SELECT ml_score.create_stream('c2', 'st_hub', 'topic', columns => 'id int', query => 'SELECT FROM batch', workers => 2, paused => true);
SELECT public.try($$SELECT ml_score.resume_stream('c2')$$);
SELECT ml_score.alter_stream('c2', workers => 1), ml_score.resume_stream('c2');
SELECT public.try($$SELECT ml_score.alter_stream('c1', workers => 4)$$);
RESET ROLE;
SELECT count(*) FROM ml_score.stream_wanted WHERE allowed;
-- what was committed side by side
UPDATE ml_score.stream SET workers = 2 WHERE name = 'c2';
SELECT name, workers, allowed FROM ml_score.stream_wanted ORDER BY name;
SELECT stream, state, last_error FROM ml_score.stat_stream WHERE stream = 'c2';
-- given to a role that may not use the server, or that the caller is not
SELECT public.try($$SELECT ml_score.alter_stream('a', owner => 'pg_monitor')$$);
SET ROLE st_other;
SELECT left(public.try($$SELECT ml_score.alter_stream('c1', owner => 'pg_monitor')$$), 5);
RESET ROLE;
SELECT public.try($$SELECT ml_score.alter_stream('a', owner => 'st_other')$$);
GRANT INSERT ON st_target TO st_other;
SELECT ml_score.alter_stream('a', owner => 'st_other');
SELECT name, owner FROM ml_score.stream WHERE name IN ('a', 'c1') ORDER BY name;
-- planning a default runs its functions: as the stream's owner, not as who changes the stream
GRANT CREATE ON SCHEMA public TO st_other;
SET ROLE st_other;
CREATE FUNCTION st_trap() RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE 'run as %', current_user; END $$;
CREATE TABLE st_trapped (id bigint DEFAULT st_trap());
SELECT public.try($$SELECT ml_score.alter_stream('a', target => 'st_trapped')$$);
RESET ROLE;
SELECT public.try($$SELECT ml_score.alter_stream('a', target => 'st_trapped')$$);
-- what they need cannot be dropped
SELECT public.try($$DROP SERVER st_hub CASCADE$$);
SELECT public.try($$DROP ROLE st_other$$);
SELECT public.try($$DROP SERVER st_online$$);
ALTER SERVER st_hub RENAME TO st_bay;
SELECT DISTINCT server FROM ml_score.stream;
SAVEPOINT before_drop;
DROP SCHEMA ml_score CASCADE;
ROLLBACK TO before_drop;
DROP EXTENSION ml_score CASCADE;
ROLLBACK;
RESET ROLE;

-- without a credential
SET client_min_messages = warning;
CREATE SERVER st_string TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers 'localhost:9', auth 'connection_string');
GRANT USAGE ON FOREIGN SERVER st_string TO st_other;
SET ROLE st_other;
SELECT ml_score.create_stream('string', 'st_string', 'topic', columns => 'id bigint', query => 'SELECT FROM batch', paused => true);
SELECT ml_score.drop_stream('string');
CREATE USER MAPPING FOR st_other SERVER st_string OPTIONS (connection_string 'Endpoint=sb://localhost/;SharedAccessKeyName=n;SharedAccessKey=c2VjcmV0');
SELECT ml_score.create_stream('string', 'st_string', 'topic', columns => 'id bigint', query => 'SELECT FROM batch', paused => true);
SELECT ml_score.drop_stream('string');
DROP USER MAPPING FOR st_other SERVER st_string;
RESET ROLE;
DROP SERVER st_string;
SET client_min_messages = error;

-- dead letters tried again, and removed
INSERT INTO ml_score.dead_letter (stream, partition, "offset", raw, reason, sqlstate) VALUES
	('a', 0, 1, '{"id": 1}', 'r', '22000'), ('a', 0, 2, '{"id": "x"}', 'r', '22000'), ('a', 0, 3, '{"id": 1}', 'r', '22000'), ('a', 0, 4, NULL, 'r', '22000');
SELECT ml_score.replay_dead_letter('a', ARRAY[(SELECT min(id) FROM ml_score.dead_letter)]);
SELECT ml_score.replay_dead_letter('a');
SELECT "offset", reason, sqlstate FROM ml_score.dead_letter ORDER BY id;
SELECT id, at IS NOT NULL FROM st_target;
SELECT ml_score.purge('1 day'), ml_score.purge('0', 'b'), ml_score.purge('0');

-- into a table whose constraints are deferred
CREATE TABLE st_parent (id int PRIMARY KEY);
CREATE TABLE st_child (id int PRIMARY KEY, parent int REFERENCES st_parent DEFERRABLE INITIALLY DEFERRED);
SELECT ml_score.create_stream('deferred', 'st_hub', 'topic', 'st_child', paused => true);
INSERT INTO ml_score.dead_letter (stream, partition, "offset", raw, reason, sqlstate) VALUES
	('deferred', 0, 1, '{"id": 1, "parent": 5}', 'r', '23503'), ('deferred', 0, 2, '{"id": 2, "parent": 6}', 'r', '23503');
INSERT INTO st_parent VALUES (5);
SELECT ml_score.replay_dead_letter('deferred');
SELECT "offset", reason, sqlstate FROM ml_score.dead_letter ORDER BY id;
SELECT * FROM st_child;
SELECT ml_score.drop_stream('deferred');
DROP TABLE st_child, st_parent;
SELECT ml_score.drop_stream('a'), ml_score.drop_stream('b');
SELECT count(*) FROM ml_score.stream;
DROP TABLE st_target, st_odd;
DROP SEQUENCE st_sequence;
DROP SERVER st_hub, st_online;
DROP ROLE st_other;
