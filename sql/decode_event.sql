-- What a stream makes of an event.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS ml_score;
\pset null NULL
SET timezone = 'UTC';
SET datestyle = 'ISO';

-- names: exactly, then as people write them
SELECT * FROM ml_score.decode_event('json', '{"id": 1, "Device ID": "a", "x": 2}') AS e(id bigint, device_id text, y int);
SELECT * FROM ml_score.decode_event('json', '{"ID": 1, "id": 2, "iD": 3}') AS e(id bigint);
SELECT * FROM ml_score.decode_event('json', '{"id": 1, "id": 2}') AS e(id bigint);
SELECT * FROM ml_score.decode_event('json', '{"i\u0064": 1}') AS e(id bigint);

-- every type
SELECT * FROM ml_score.decode_event('json', '{"b": true, "i2": -32768, "i4": "2147483647", "i8": 9223372036854775807, "f4": 0.1,
	"f8": 1e-7, "n": 12345678901234567890.123456789012345678901234567890, "t": "z\u00fcrich \ud83d\ude00", "v": "abc", "c": "x",
	"by": "3q2+7w==", "u": "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"}')
	AS e(b bool, i2 smallint, i4 int, i8 bigint, f4 real, f8 float8, n numeric, t text, v varchar(3), c char(3), by bytea, u uuid);
SELECT * FROM ml_score.decode_event('json', '{"j": {"a": [1, 2.50]}, "jb": {"b": 1, "a": [1, 2.50, null]}, "t": {"a": 1}, "a": [1, null, 3],
	"m": [[1, 2], [3, 4]], "ta": ["x", null, "y,z"], "js": [{"a": 1}, 2], "i": "1 day 02:00", "ip": "10.0.0.1/8", "r": "[1,5)"}')
	AS e(j json, jb jsonb, t text, a int[], m float8[], ta text[], js jsonb[], i interval, ip inet, r int4range);
CREATE TYPE place AS (lat float8, lon float8, seen timestamptz);
SELECT * FROM ml_score.decode_event('json', '{"p": {"lat": 1.5, "seen": 1700000000}, "ps": [{"lon": 2}, null, {"LAT": 3}]}') AS e(p place, ps place[]);
CREATE TYPE mood AS ENUM ('sad', 'happy');
SELECT * FROM ml_score.decode_event('json', '{"m": "happy"}') AS e(m mood);
SELECT * FROM ml_score.decode_event('json', '{"m": "bored"}') AS e(m mood);
SELECT * FROM ml_score.decode_event('json', '{"a": null, "b": null, "c": null}') AS e(a int, b jsonb, c text[]);

-- times
SELECT * FROM ml_score.decode_event('json', '{"a": "2026-03-02T10:00:00.1234567Z", "b": "2026-03-02 10:00:00.5+02:30", "c": "2026-03-02T10:00", "d": "2026-02-28",
	"e": "2026-03-02T10:00:00+05", "f": "Mar 2 2026 10:00 PST"}') AS e(a timestamptz, b timestamptz, c timestamptz, d date, e timestamp, f timestamptz);
SELECT * FROM ml_score.decode_event('json', '{"a": 1700000000, "b": 1700000000123, "c": 1700000000123456, "d": 1700000000123456789, "e": 1700000000.5, "f": -1}')
	AS e(a timestamptz, b timestamptz, c timestamptz, d timestamptz, e timestamp, f date);
SELECT * FROM ml_score.decode_event('json', '{"a": 5000, "b": "5000", "c": [1, 2], "d": 1700000000678.9}', '{"time_unit": "ms"}')
	AS e(a timestamptz, b timestamptz, c timestamptz[], d timestamptz(0));
SELECT * FROM ml_score.decode_event('json', '{"a": 5000, "b": 5000}', '{"time_unit": {"b": "ms"}}') AS e(a timestamptz, b timestamptz);
SELECT * FROM ml_score.decode_event('json', '{"a": "5000"}') AS e(a timestamptz);
SELECT * FROM ml_score.decode_event('json', jsonb_build_object('a', 'yes, ' || repeat('ten chars ', 30))::text) AS e(a timestamptz);
SELECT * FROM ml_score.decode_event('json', '{"a": 1e30}') AS e(a timestamptz);
SELECT * FROM ml_score.decode_event('json', '{"a": "2026-02-30T00:00:00Z"}') AS e(a timestamptz);

-- paths
SELECT * FROM ml_score.decode_event('json', '{"device": {"id": "a", "tags": ["x", "y", {"z": 1}]}, "a.b": {"it''s \"": 5}, "v": 1}',
	'{"paths": {"id": "$.device.id", "tag": "$.device.tags[1]", "z": "$[\"device\"].tags[2].z", "q": "$.\"a.b\"[''it\\''s \"'']", "all": "$", "none": "$.device.none.at[0]"}}')
	AS e(id text, tag text, z int, q int, "all" jsonb, none int, v int);
SELECT * FROM ml_score.decode_event('json', '{"b": null, "c": 3, "a": null}', '{"paths": {"x": ["$.a", "$.b", "$.c"]}}') AS e(x int);
SELECT * FROM ml_score.decode_event('json', '{"c": 3, "a": 1}', '{"paths": {"x": ["$.a", "$.b", "$.c"]}}') AS e(x int);
SELECT * FROM ml_score.decode_event('json', '{"ID": 3, "id": 1}', '{"paths": {"x": "$.ID"}}') AS e(x int, id int);
SELECT * FROM ml_score.decode_event('json', '{}', '{"paths": {"x": "device.id"}}') AS e(x int);
SELECT * FROM ml_score.decode_event('json', '{}', '{"paths": {"x": "$.a[*]"}}') AS e(x int);
SELECT * FROM ml_score.decode_event('json', '{}', '{"paths": {"x": "$.a[''b"}}') AS e(x int);
SELECT * FROM ml_score.decode_event('json', '{}', '{"paths": {"y": "$.a"}}') AS e(x int);
SELECT * FROM ml_score.decode_event('json', '{}', '{"paths": {"x": []}}') AS e(x int);
SELECT * FROM ml_score.decode_event('json', '{}', '{"paths": "$.a"}') AS e(x int);

-- the stream's own columns stay out of it
SELECT * FROM ml_score.decode_event('json', '{"_offset": 1, "a": 2}') AS e(_offset bigint, a int);
SELECT * FROM ml_score.decode_event('json', '{"_offset": 1, "a": 2}') AS e(_offset bigint);

-- lines, arrays
SELECT * FROM ml_score.decode_event('json_lines', E'{"a": 1}\r\n\n  \n{"a": 2}\n') AS e(a int);
SELECT * FROM ml_score.decode_event('json_lines', E'{"a": 1}\n{"a": x}\n') AS e(a int);
SELECT * FROM ml_score.decode_event('json_lines', E'{"a": 1}\n{"a": 2} 3\n') AS e(a int);
SELECT * FROM ml_score.decode_event('json_lines', '') AS e(a int);
SELECT * FROM ml_score.decode_event('json_array', '[{"a": 1}, {"a": 2, "b": [{"c": [1, {"d": 4}]}]}, {"a": 3}]', '{"paths": {"d": "$.b[0].c[1].d"}}') AS e(a int, d int);
SELECT * FROM ml_score.decode_event('json_array', '[]') AS e(a int);
SELECT * FROM ml_score.decode_event('json_array', '{"a": 1}') AS e(a int);
SELECT * FROM ml_score.decode_event('json_array', '[{"a": 1}, 5]') AS e(a int);
SELECT * FROM ml_score.decode_event('json_array', '[{"a": 1}, {"a": 2}') AS e(a int);
SELECT * FROM ml_score.decode_event('json_array', '[{"a": 1},]') AS e(a int);
SELECT * FROM ml_score.decode_event('json', '[{"a": 1}]') AS e(a int);

-- CSV
SELECT * FROM ml_score.decode_event('csv', E'1,abc,2.5\r\n\n2,"x, ""y""\nz",\n3,"",-1') AS e(a int, b text, c float8);
SELECT * FROM ml_score.decode_event('csv', E'\ufeffB,x,"A"\nb1,y,1\nb2,z,2\n', '{"header": true}') AS e(a int, b text, c float8);
SELECT * FROM ml_score.decode_event('csv', E'1;\'it\\\'s\';NULL;\'NULL\'', '{"delimiter": ";", "quote": "''", "escape": "\\", "null": "NULL"}') AS e(a int, b text, c text, d text);
SELECT * FROM ml_score.decode_event('csv', E't\t2026-03-02T10:00:00Z\t"{""a"": [1]}"\t[1,2]\t3q2+7w==\t1700000000000', '{"delimiter": "\t", "time_unit": {"f": "ms"}}')
	AS e(a bool, b timestamptz, c jsonb, d int[], e bytea, f timestamptz);
SELECT * FROM ml_score.decode_event('csv', '1,2', '{"header": true}') AS e("1" int);
SELECT * FROM ml_score.decode_event('csv', '') AS e(a int);
SELECT * FROM ml_score.decode_event('csv', E'1,2\n3') AS e(a int, b int);
SELECT * FROM ml_score.decode_event('csv', E'1,2,3') AS e(a int, b int);
SELECT * FROM ml_score.decode_event('csv', E'1,2\n1,"2') AS e(a int, b int);
SELECT * FROM ml_score.decode_event('csv', E'"1"2,2') AS e(a int, b int);
SELECT * FROM ml_score.decode_event('csv', E'x,2') AS e(a int, b int);
SELECT * FROM ml_score.decode_event('csv', E'{"a",2') AS e(a jsonb, b int);
SELECT * FROM ml_score.decode_event('csv', E'c,d\n1,2', '{"header": true}') AS e(a int, b int);
SELECT * FROM ml_score.decode_event('csv', E'a,A\n1,2', '{"header": true}') AS e(a int, b int);
SELECT * FROM ml_score.decode_event('csv', E'a,b\n1,2,3', '{"header": true}') AS e(a int, b int);
SELECT * FROM ml_score.decode_event('csv', '1', '{"header": 1}') AS e(a int);
SELECT * FROM ml_score.decode_event('csv', '1', '{"delimiter": "::"}') AS e(a int);
SELECT * FROM ml_score.decode_event('csv', '1', '{"delimiter": "\""}') AS e(a int);
SELECT * FROM ml_score.decode_event('csv', '1', '{"paths": {}}') AS e(a int);

-- raw
SELECT * FROM ml_score.decode_event('raw', '\x00ff1f8b'::bytea) AS e(x bytea);
SELECT * FROM ml_score.decode_event('raw', 'it is "text"') AS e(x text);
SELECT * FROM ml_score.decode_event('raw', '{"b": 1,  "a": [2]}') AS e(x jsonb);
SELECT * FROM ml_score.decode_event('raw', '"string"') AS e(x json);
SELECT * FROM ml_score.decode_event('raw', '{"b": 1') AS e(x jsonb);
SELECT * FROM ml_score.decode_event('raw', '42') AS e(x int);
SELECT * FROM ml_score.decode_event('raw', '\xff'::bytea) AS e(x text);
SELECT * FROM ml_score.decode_event('raw', repeat('[', 100000)) AS e(x jsonb);
SELECT length(x::text) FROM ml_score.decode_event('raw', '[' || repeat('[],', 100000) || '[]]') AS e(x jsonb);
SELECT * FROM ml_score.decode_event('raw', 'x') AS e(x text, y text);
SELECT * FROM ml_score.decode_event('raw', 'x') AS e(x text[]);

-- Event Grid's envelope, CloudEvents', the SDK's
SELECT * FROM ml_score.decode_event('eventgrid', '[{"id": "5f1", "topic": "/subscriptions/1/workspaces/ws1", "subject": "experiments/7b/runs/job_42",
	"eventType": "Microsoft.MachineLearningServices.RunStatusChanged", "eventTime": "2026-03-02T10:00:00.1234567Z", "dataVersion": "", "metadataVersion": "1",
	"data": {"experimentId": "7b", "runId": "job_42", "runStatus": "Completed"}}, {"id": "5f2", "event_type": "x", "data": {"runId": "job_43"}}]')
	AS e(id text, source text, type text, "time" timestamptz, subject text, run_id text, "runStatus" text, data jsonb);
SELECT * FROM ml_score.decode_event('eventgrid', '{"specversion": "1.0", "id": "5f1", "source": "ws1", "type": "DatasetDriftDetected", "time": "2026-03-02T10:00:00Z",
	"data": {"DataDriftId": "aa", "DriftCoefficient": 0.41}, "traceparent": "00-1"}')
	AS e(id text, topic text, event_type text, event_time timestamptz, data_drift_id text, drift_coefficient float8, traceparent text);

-- what is no event
SELECT * FROM ml_score.decode_event('json', '') AS e(a int);
SELECT * FROM ml_score.decode_event('json', '{"a": 1} x') AS e(a int);
SELECT * FROM ml_score.decode_event('json', '{"a": 01}') AS e(a int);
SELECT * FROM ml_score.decode_event('json', '{"a": 1, "b": "x') AS e(a int);
SELECT * FROM ml_score.decode_event('json', '{}') AS e(a int);
SELECT * FROM ml_score.decode_event('json', '{"b": 1, "c": 2}') AS e(a int);
SELECT * FROM ml_score.decode_event('json', '{"a": {"b": 1}}') AS e(a int);
SELECT * FROM ml_score.decode_event('json', '{"a": [1]}') AS e(a int);
SELECT * FROM ml_score.decode_event('json', '{"a": 1.5}') AS e(a int);
SELECT * FROM ml_score.decode_event('json', '{"a": 2147483648}') AS e(a int);
SELECT * FROM ml_score.decode_event('json', '{"a": 1e999999999}') AS e(a numeric);
SELECT * FROM ml_score.decode_event('json', '{"a": 123.456}') AS e(a numeric(4,2));
SELECT * FROM ml_score.decode_event('json', '{"a": "abcd"}') AS e(a varchar(3));
SELECT * FROM ml_score.decode_event('json', '{"a": "x\u0000"}') AS e(a text);
SELECT * FROM ml_score.decode_event('json', '{"a": {"b": "\ud800"}}') AS e(a jsonb);
SELECT * FROM ml_score.decode_event('json', '{"a": NaN}') AS e(a jsonb);
SELECT * FROM ml_score.decode_event('json', '{"a": [[1], 2]}') AS e(a int[]);
SELECT * FROM ml_score.decode_event('json', '{"a": "*"}') AS e(a bytea);
SELECT * FROM ml_score.decode_event('json', '\x7b2261223a22ff227d'::bytea) AS e(a text);
SELECT * FROM ml_score.decode_event('json', '{"a": ' || repeat('[', 1000)) AS e(a text);

-- domains may raise: their complaint is the event's fault, too
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN inverse AS int CHECK (1 / VALUE < 2) NOT NULL;
SELECT * FROM ml_score.decode_event('json', '{"a": 1}') AS e(a positive);
SELECT * FROM ml_score.decode_event('json', '{"a": -1}') AS e(a positive);
SELECT * FROM ml_score.decode_event('json', '{"a": 0}') AS e(a inverse);
SELECT * FROM ml_score.decode_event('json', '{"a": null}') AS e(a inverse);

-- tombstones
SELECT * FROM ml_score.decode_event('json', NULL::bytea) AS e(a int);
SELECT * FROM ml_score.decode_event('json', NULL::bytea, '{"tombstones": "row"}') AS e(a int);
SELECT * FROM ml_score.decode_event('json', NULL::bytea, '{"tombstones": "fail"}') AS e(a int);
SELECT * FROM ml_score.decode_event('raw', NULL::text) AS e(a text);

-- gzip
SELECT * FROM ml_score.decode_event('json', '\x1f8b0800000000000203ab564a54b25230d651504a02d24ae95599054ab500a858240615000000'::bytea) AS e(a int, b text);

-- options
SELECT * FROM ml_score.decode_event('xml', '') AS e(a int);
SELECT * FROM ml_score.decode_event(NULL, '') AS e(a int);
SELECT * FROM ml_score.decode_event('json', '{}', '{"delimiter": ","}') AS e(a int);
SELECT * FROM ml_score.decode_event('raw', '{}', '{"paths": {"a": "$"}}') AS e(a int);
SELECT * FROM ml_score.decode_event('json', '{}', '[1]') AS e(a int);
SELECT * FROM ml_score.decode_event('json', '{}', '{"compression": "zip"}') AS e(a int);
SELECT * FROM ml_score.decode_event('json', '{}', '{"max_size": "1MB"}') AS e(a int);
SELECT * FROM ml_score.decode_event('json', '{}', '{"tombstones": true}') AS e(a int);
SELECT * FROM ml_score.decode_event('json', '{}', '{"time_unit": "m"}') AS e(a int);
SELECT ml_score.decode_event('json', '{}');

DROP DOMAIN positive, inverse;
DROP TYPE place, mood;
