-- Events that are Avro; the bytes were written by fastavro.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS ml_score;
\pset null NULL
\x on
SET timezone = 'UTC';
SET datestyle = 'ISO';

-- every type, and what has a logical one
SELECT * FROM ml_score.decode_event('avro', '\xffc7afa02502107ac3bc22726963680208ff439eb2ffffffff7fe504eed0b252f6a5ecdf956702fdffe6a4bac38f0182a0f9e5f481a6064861306565626339392d396330622d346566382d626236642d366262396264333830613131cdcccc3d9c7500883ce4377e0108deadbeef0206020200020300040278000000000000f83f02798dedb5a0f7c690be00000000000000f83f00'::bytea, jsonb_build_object('schema', $${"type": "record", "name": "Reading", "namespace": "io.x", "fields": [{"name": "id", "type": "long"}, {"name": "device", "type": ["null", "string"], "default": null}, {"name": "n", "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 3}]}, {"name": "fx", "type": {"type": "fixed", "name": "Dec", "size": 5, "logicalType": "decimal", "precision": 10, "scale": 0}}, {"name": "d", "type": {"type": "int", "logicalType": "date"}}, {"name": "t", "type": {"type": "int", "logicalType": "time-millis"}}, {"name": "ts", "type": {"type": "long", "logicalType": "timestamp-millis"}}, {"name": "tu", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]}, {"name": "lt", "type": {"type": "long", "logicalType": "local-timestamp-micros"}}, {"name": "u", "type": {"type": "string", "logicalType": "uuid"}}, {"name": "f", "type": "float"}, {"name": "g", "type": "double"}, {"name": "ok", "type": "boolean"}, {"name": "raw", "type": "bytes"}, {"name": "mood", "type": {"type": "enum", "name": "Mood", "symbols": ["SAD", "HAPPY"]}}, {"name": "a", "type": {"type": "array", "items": ["null", "int"]}}, {"name": "m", "type": {"type": "map", "values": "double"}}, {"name": "place", "type": {"type": "record", "name": "Place", "fields": [{"name": "lat", "type": "double"}, {"name": "mood", "type": "Mood"}]}}, {"name": "none", "type": "null"}]}$$::jsonb))
	AS e(id bigint, device text, n numeric, fx numeric, d date, t time, ts timestamptz, tu timestamptz, lt timestamp, u uuid, f real, g float8, ok bool, raw bytea, mood text, a int[], m jsonb, place jsonb, "none" text);
SELECT * FROM ml_score.decode_event('avro', '\xffc7afa02502107ac3bc22726963680208ff439eb2ffffffff7fe504eed0b252f6a5ecdf956702fdffe6a4bac38f0182a0f9e5f481a6064861306565626339392d396330622d346566382d626236642d366262396264333830613131cdcccc3d9c7500883ce4377e0108deadbeef0206020200020300040278000000000000f83f02798dedb5a0f7c690be00000000000000f83f00'::bytea, jsonb_build_object('schema', $${"type": "record", "name": "Reading", "namespace": "io.x", "fields": [{"name": "id", "type": "long"}, {"name": "device", "type": ["null", "string"], "default": null}, {"name": "n", "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 3}]}, {"name": "fx", "type": {"type": "fixed", "name": "Dec", "size": 5, "logicalType": "decimal", "precision": 10, "scale": 0}}, {"name": "d", "type": {"type": "int", "logicalType": "date"}}, {"name": "t", "type": {"type": "int", "logicalType": "time-millis"}}, {"name": "ts", "type": {"type": "long", "logicalType": "timestamp-millis"}}, {"name": "tu", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]}, {"name": "lt", "type": {"type": "long", "logicalType": "local-timestamp-micros"}}, {"name": "u", "type": {"type": "string", "logicalType": "uuid"}}, {"name": "f", "type": "float"}, {"name": "g", "type": "double"}, {"name": "ok", "type": "boolean"}, {"name": "raw", "type": "bytes"}, {"name": "mood", "type": {"type": "enum", "name": "Mood", "symbols": ["SAD", "HAPPY"]}}, {"name": "a", "type": {"type": "array", "items": ["null", "int"]}}, {"name": "m", "type": {"type": "map", "values": "double"}}, {"name": "place", "type": {"type": "record", "name": "Place", "fields": [{"name": "lat", "type": "double"}, {"name": "mood", "type": "Mood"}]}}, {"name": "none", "type": "null"}]}$$, 'paths', '{"lat": "$.place.lat", "second": "$.a[2]", "x": "$.m.x"}'::jsonb))
	AS e(id bigint, lat float8, second int, x float8);
-- gzip'd, too
\x off
SELECT * FROM ml_score.decode_event('avro', '\x1f8b0800000000000203636202005111e19d02000000'::bytea, '{"schema": {"type": "record", "name": "r", "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": "int"}]}}') AS e(a int, b int);

-- small schemas: values, and what is none
CREATE FUNCTION pg_temp.avro(type text, data text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	RETURN (SELECT v FROM ml_score.decode_event('avro', decode(data, 'hex'),
		jsonb_build_object('schema', '{"type": "record", "name": "r", "fields": [{"name": "v", "type": ' || type || '}]}')) AS e(v json));
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(' ', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''));
END $$;
\pset format unaligned
\pset tuples_only on
\set VERBOSITY terse
SELECT type, data, pg_temp.avro(type, data) FROM (VALUES
	('"int"', '00'), ('"int"', '01'), ('"int"', 'feffffff0f'), ('"int"', 'ffffffff0f'), ('"int"', '8080808010'), ('"long"', 'feffffffffffffffff01'), ('"long"', 'ffffffffffffffffff01'),
	('"long"', 'ffffffffffffffffff02'), ('"long"', 'ffffffffffffffffffff01'), ('"long"', '80'), ('"long"', ''), ('"long"', '0000'),
	('"boolean"', '00'), ('"boolean"', '01'), ('"boolean"', '02'), ('"float"', '0000c07f'), ('"float"', '0000c0'), ('"double"', '000000000000f0ff'), ('"double"', '182d4454fb210940'),
	('"string"', '04c3bc'), ('"string"', '02ff'), ('"string"', '0200'), ('"string"', '0661'), ('"string"', '0161'), ('"string"', 'feffffffffffffffff01'), ('"bytes"', '06616263'), ('"bytes"', '00'),
	('"null"', ''), ('["null", "int"]', '00'), ('["null", "int"]', '0204'), ('["null", "int"]', '04'), ('["null", "int"]', '01'), ('["null", "int"]', '808080801000'), ('["int", "string"]', '020261'),
	('{"type": "enum", "name": "e", "symbols": ["A", "B"]}', '02'), ('{"type": "enum", "name": "e", "symbols": ["A", "B"]}', '04'), ('{"type": "enum", "name": "e", "symbols": ["A", "B"]}', '01'),
	('{"type": "array", "items": "int"}', '00'), ('{"type": "array", "items": "int"}', '0402040206 00'), ('{"type": "array", "items": "int"}', '0304020400'), ('{"type": "array", "items": "int"}', '04020402'),
	('{"type": "array", "items": "int"}', 'ffffffffffffffffff0100'), ('{"type": "array", "items": "null"}', '0600'), ('{"type": "array", "items": "null"}', 'feffffffffffffffff01'),
	('{"type": "map", "values": "int"}', '020261020000'), ('{"type": "map", "values": "int"}', '0202610200'), ('{"type": "map", "values": "int"}', '0202'),
	('{"type": "fixed", "name": "f", "size": 3}', '616263'), ('{"type": "fixed", "name": "f", "size": 3}', '6162'),
	('{"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}', '00'), ('{"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}', '0205'),
	('{"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}', '02ff'), ('{"type": "bytes", "logicalType": "decimal", "precision": 40}', '20ffffffffffffffffffffffffffffffff'), ('{"type": "bytes", "logicalType": "decimal", "precision": 40}', '2080000000000000000000000000000000'),
	('{"type": "int", "logicalType": "date"}', 'd3e3d4a00a'), ('{"type": "int", "logicalType": "date"}', '00'), ('{"type": "int", "logicalType": "time-millis"}', '01'), ('{"type": "long", "logicalType": "timestamp-millis"}', 'feffffffffffffffff01'),
	('{"type": "long", "logicalType": "timestamp-millis"}', '01'), ('{"type": "long", "logicalType": "date"}', '02'), ('{"type": "string", "logicalType": "new"}', '0261'),
	('{"type": "fixed", "name": "f", "size": 12, "logicalType": "duration"}', '0100000002000000dc050000')) AS x(type, data);

-- a list of records that holds itself, within bounds
SELECT pg_temp.avro('{"type": "record", "name": "list", "fields": [{"name": "head", "type": "int"}, {"name": "tail", "type": ["null", "list"]}]}', '020204020600');
SELECT pg_temp.avro('{"type": "record", "name": "list", "fields": [{"name": "head", "type": "int"}, {"name": "tail", "type": ["null", "list"]}]}', repeat('0202', 100000));

-- schemas that are none
SELECT schema, pg_temp.avro(schema, '') FROM unnest(ARRAY['5', '"wrong"', '[]', '["null", ["int"]]', '{}', '{"type": "record", "name": "x"}', '{"type": "record", "fields": []}', '{"type": "enum", "name": "e"}', '{"type": "fixed", "name": "f"}',
	'{"type": "array"}', '{"type": "record", "name": "x", "fields": [{"type": "int"}]}', '{"type": "record", "name": "x", "fields": [{"name": "y"}]}', '{"type": "record", "name": "r", "fields": []}', '"int']) AS schema;
SELECT * FROM ml_score.decode_event('avro', '\x00'::bytea) AS e(a int);
SELECT * FROM ml_score.decode_event('avro', '\x00'::bytea, '{"schema": 5}') AS e(a int);
SELECT * FROM ml_score.decode_event('avro', '\x00'::bytea, '{"schema": "long"}') AS e(a int);
SELECT * FROM ml_score.decode_event('avro', '\x00'::bytea, '{"schema": "\"long\""}') AS e(a int);
SELECT * FROM ml_score.decode_event('avro', '\x00'::bytea, '{"registry": "no_such_server"}') AS e(a int);
CREATE SERVER avro_online TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:1/');
SELECT * FROM ml_score.decode_event('avro', '\x00'::bytea, '{"registry": "avro_online"}') AS e(a int);
CREATE SERVER avro_registry TYPE 'registry' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:1/', auth 'basic', max_attempts '1');
\set VERBOSITY default
SELECT * FROM ml_score.decode_event('avro', '\x00'::bytea, '{"registry": "avro_registry"}') AS e(a int);
CREATE USER MAPPING FOR PUBLIC SERVER avro_registry OPTIONS (username 'u', password 'avro-secret');
SELECT * FROM ml_score.decode_event('avro', '\x0000'::bytea, '{"registry": "avro_registry"}') AS e(a int);
SELECT * FROM ml_score.decode_event('avro', '\x0100000001'::bytea, '{"registry": "avro_registry"}') AS e(a int);
-- libcurl's words differ from version to version
SELECT regexp_replace(try($$SELECT * FROM ml_score.decode_event('avro', '\x0000000001'::bytea, '{"registry": "avro_registry"}') AS e(a int)$$),
    'port 1: .* server\.', 'port 1: ...');
DROP SERVER avro_online, avro_registry CASCADE;
