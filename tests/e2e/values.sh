#!/bin/bash
# How values travel: every type as JSON in every layout, as the endpoint's swagger wants it; and every form of reply read back.
. "$(dirname "$0")/../lib/tap.sh"
need_peer mirror
URL=$(peer_url mirror)
sql <<-EOF
	CREATE SERVER m TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$URL/rows', request_format 'records', auth 'none', max_attempts '1');
	CREATE TABLE t AS SELECT generate_series(1, 3) AS i;
	CREATE TYPE pair AS (a int, b text);
	CREATE TYPE mood AS ENUM ('sad', 'happy');
	CREATE DOMAIN positive AS int CHECK (VALUE > 0);
	CREATE TABLE diamond (id int, carat float8, dropped int, cut text);
	INSERT INTO diamond VALUES (1, 0.23, 0, 'Ideal');
	ALTER TABLE diamond DROP dropped;
EOF

# at PATH: where requests go. format LAYOUT: how rows are laid out in them.
at() {
	sql "ALTER SERVER m OPTIONS (SET url '$URL/${1//\'/\'\'}')"
}

format() {
	sql "ALTER SERVER m OPTIONS (SET request_format '$1')"
}

percent_encode() {
	/usr/bin/python3 -c 'import os, sys, urllib.parse; sys.stdout.write(urllib.parse.quote(os.fsencode(sys.argv[1]), safe=""))' "$1"
}

# sent ARGUMENTS VALUES EXPECTED: what a call sends: the row, or from /echo the body.
sent() {
	is "$(sql "BEGIN; CREATE FUNCTION f($1) RETURNS text LANGUAGE ml_score STABLE AS 'm'; SELECT f($2); ROLLBACK" 2>&1)" "$3" "sends $2 ($1): $3"
}

# not_sent ARGUMENTS VALUES REGEX: the error instead.
not_sent() {
	like "$(sql_error "BEGIN; CREATE FUNCTION f($1) RETURNS text LANGUAGE ml_score STABLE AS 'm'; SELECT f($2)")" "$3" "does not send $2 ($1): $3"
}

# read_as RESULT REPLY EXPECTED [ROWS [MORE ARGUMENTS]]: what a function with this result makes of the reply, for ROWS rows.
read_as() {
	local result=$1 reply=$2 expected=$3 rows=${4:-1} arguments=${5:-}
	at "reply/$(percent_encode "$reply")"
	is "$(sql "BEGIN; CREATE FUNCTION f(carat int, cut text$arguments) $result LANGUAGE ml_score STABLE AS 'm'; SELECT string_agg(coalesce(f(i, 'x')::text, 'NULL'), ' ' ORDER BY i) FROM t WHERE i <= $rows; ROLLBACK" 2>&1)" \
		"$expected" "reads $reply as ${result}$arguments: $expected"
}

# not_read RESULT REPLY REGEX [ROWS [MORE ARGUMENTS]]
not_read() {
	local result=$1 reply=$2 regex=$3 rows=${4:-1} arguments=${5:-} error
	at "reply/$(percent_encode "$reply")"
	error=$(sql_error "BEGIN; CREATE FUNCTION f(carat int, cut text$arguments) $result LANGUAGE ml_score STABLE AS 'm'; SELECT f(i, 'x') FROM t WHERE i <= $rows")
	like "$error" "$regex" "does not read ${reply:0:60} as ${result}$arguments: $regex"
	like "$error" 'server "m"' "and names the server"
}

# Numbers keep their digits, texts their characters.
sent "x smallint" "'-7'" '{"x":-7}'
sent "x int" 2147483647 '{"x":2147483647}'
sent "x bigint" 9007199254740993 '{"x":9007199254740993}'
sent "x bigint" "'-9223372036854775808'" '{"x":-9223372036854775808}'
sent "x numeric" 123456789012345678901234567890.1234567890 '{"x":123456789012345678901234567890.1234567890}'
sent "x numeric" 1e-10 '{"x":0.0000000001}'
sent "x float8" 0.1 '{"x":0.1}'
sent "x float8" 3 '{"x":3.0}'
sent "x float8" 1e300 '{"x":1e+300}'
sent "x real" "'0.1'" '{"x":0.1}'
sent "x bool" true '{"x":true}'
sent "x text" "E'h\\u00e9 \"q\" \\\\ \\n \\t \\x01 \\U0001F600'" '{"x":"hé \"q\" \\ \n \t \u0001 😀"}'
sent "x text" "''" '{"x":""}'
sent "x text" NULL '{"x":null}'
sent "x varchar" "'abc'" '{"x":"abc"}'
sent '"Scored Labels" text, "Größe" int' "'a', 1" '{"Scored Labels":"a","Größe":1}'
sent "x date" "'2024-02-29'" '{"x":"2024-02-29"}'
sent "x time" "'12:30:01.5'" '{"x":"12:30:01.5"}'
sent "x timestamp" "'2024-02-29 12:30:01.5'" '{"x":"2024-02-29T12:30:01.5"}'
sent "x timestamptz" "'2024-02-29 12:30:00+02'" '{"x":"2024-02-29T10:30:00+00:00"}'
sent "x interval" "'1 day 02:03:04'" '{"x":"P1DT2H3M4S"}'
sent "x uuid" "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'" '{"x":"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}'
sent "x bytea" "'\\xdeadbeef'" '{"x":"3q2+7w=="}'
sent "x json" "'{\"a\" : 1.10}'" '{"x":{"a" : 1.10}}'
sent "x jsonb" "'{\"b\":[1.10,null],\"a\":true}'" '{"x":{"a": true, "b": [1.10, null]}}'
sent "x inet" "'10.0.0.1'" '{"x":"10.0.0.1"}'
sent "x mood" "'happy'" '{"x":"happy"}'
sent "x positive" 5 '{"x":5}'
sent "x int[]" "'{1,NULL,3}'" '{"x":[1,null,3]}'
sent "x int[]" "'{}'" '{"x":[]}'
sent "x float8[]" "'{{1,2},{3,4.5}}'" '{"x":[[1.0,2.0],[3.0,4.5]]}'
sent "x pair, y int" "row(1, 'x'), 2" '{"x":{"a":1,"b":"x"},"y":2}'
sent "x pair[], y int" "array[row(1, 'x')::pair, NULL], 2" '{"x":[{"a":1,"b":"x"},null],"y":2}'
sent "x positive[], y int" "'{1,2}', 2" '{"x":[1,2],"y":2}'
for value in NaN Infinity -Infinity; do
	not_sent "x float8" "'$value'" "22023.*could not send $value in argument \"x\" of function f\(double precision\) to server \"m\""
	not_sent "x real" "'$value'" "could not send $value in argument"
	not_sent "y float8[]" "array[1, '$value'::float8]" "could not send $value in argument \"y\""
	not_sent "r pair, y float8" "row(1, 'x'), '$value'" "argument \"y\""
done
not_sent "x numeric" "'NaN'" "could not send NaN in argument"
not_sent "x date" "'infinity'" "could not send an infinite date"
not_sent "x timestamptz" "'-infinity'" "could not send an infinite date"
not_sent "x date" "'0044-03-15 BC'" "could not send a date before the year 1"

# One composite is the record; an array of them a data frame of many rows.
sent "r pair" "row(1, NULL)" '{"a":1,"b":null}'
sent "r pair" "NULL" '{"a":null,"b":null}'
sent "r diamond" "(SELECT d FROM diamond d)" '{"id":1,"carat":0.23,"cut":"Ideal"}'
frame="array[row(1,'x')::pair, row(2,'y')::pair]"
is "$(sql "BEGIN; CREATE TABLE frames AS SELECT $frame AS x; INSERT INTO frames SELECT x || row(3,'z')::pair FROM frames; INSERT INTO frames VALUES ('{}');
	CREATE FUNCTION f(r pair[]) RETURNS text[] LANGUAGE ml_score STABLE AS 'm'; SELECT f(x) FROM frames; ROLLBACK")" \
	"$(printf '%s\n' '{"{\"a\":1,\"b\":\"x\"}","{\"a\":2,\"b\":\"y\"}"}' '{"{\"a\":1,\"b\":\"x\"}","{\"a\":2,\"b\":\"y\"}","{\"a\":3,\"b\":\"z\"}"}' '{}')" \
	"data frames in one request each get their own rows' results"
not_sent "r pair[]" "$frame" "takes a data frame, but returns a single text"

# The layouts.
at echo
sent "a float8, b text" "1.5, 'x'" '{"data":[{"a":1.5,"b":"x"}]}'
sent "a float8[]" "'{1,2}'" '{"data":[{"a":[1.0,2.0]}]}'
format numpy
sent "a float8, b text" "1.5, 'x'" '{"data":[[1.5,"x"]]}'
sent "a float8[]" "'{1,2}'" '{"data":[[1.0,2.0]]}'
sent "a jsonb" "'[1,\"x\"]'" '{"data":[[1, "x"]]}'
sent "r pair" "row(1, 'x')" '{"data":[[1,"x"]]}'
format designer
sent "a float8, b text" "1.5, 'x'" '{"Inputs":{"WebServiceInput0":[{"a":1.5,"b":"x"}]},"GlobalParameters":{}}'
format input_data
sent "a float8, b text" "1.5, 'x'" '{"input_data":{"columns":["a","b"],"index":[0],"data":[[1.5,"x"]]}}'
like "$(sql_error "BEGIN; CREATE FUNCTION f(r pair[]) RETURNS text[] LANGUAGE ml_score STABLE AS 'm'; SELECT f($frame)")" "1 result for 2 rows" \
	"a data frame of two rows wants two results"
format dataframe_split
sent "a float8, b text" "1.5, 'x'" '{"dataframe_split":{"columns":["a","b"],"data":[[1.5,"x"]]}}'
sent "r pair" "row(1, 'x')" '{"dataframe_split":{"columns":["a","b"],"data":[[1,"x"]]}}'
format dataframe_records
sent "a float8, b text" "1.5, 'x'" '{"dataframe_records":[{"a":1.5,"b":"x"}]}'
format inputs
sent "a float8, b text" "1.5, 'x'" '{"inputs":[[1.5,"x"]]}'
sent "a float8[]" "'{1,2}'" '{"inputs":[[1.0,2.0]]}'
sent "a float8" "1.5" '{"inputs":[[1.5]]}'
sent "a text" "'words'" '{"inputs":["words"]}'
format instances
sent "a float8, b text" "1.5, 'x'" '{"instances":[{"a":1.5,"b":"x"}]}'
sent "a float8[]" "'{1,2}'" '{"instances":[[1.0,2.0]]}'
format open_inference
sent "a float8, b text" "1.5, 'x'" '{"inputs":[{"name":"a","shape":[1,1],"datatype":"FP64","data":[1.5]},{"name":"b","shape":[1,1],"datatype":"BYTES","parameters":{"content_type":"str"},"data":["x"]}],"parameters":{"content_type":"pd"}}'
sent "a real[]" "'{1,2}'" '{"inputs":[{"name":"a","shape":[1,2],"datatype":"FP32","data":[[1.0,2.0]]}]}'
format auto
at v2/models/m/infer
sent "a bigint" "1" '{"inputs":[{"name":"a","shape":[1,1],"datatype":"INT64","data":[1]}],"parameters":{"content_type":"pd"}}'
at invocations
sent "a bool" "true" '{"dataframe_split":{"columns":["a"],"data":[[true]]}}'
at echo
sent "a bool" "true" '{"data":[{"a":true}]}'

# As the swagger of the real inference server declares it.
at schema/records.2/rows
columns="carat float8, cut text, depth float8, \"table\" bigint, good bool, seen timestamptz"
sent "$columns" "0.23, 'Ideal', 61.5, 55, true, '2024-01-01Z'" '{"carat":0.23,"cut":"Ideal","depth":61.5,"table":55,"good":true,"seen":"2024-01-01T00:00:00+00:00"}'
sent "cut int" 5 '{"cut":"5"}'
sent "cut bigint" 9007199254740993 '{"cut":"9007199254740993"}'
sent "cut float8" 3 '{"cut":"3"}'
sent "cut numeric" 1.10 '{"cut":"1.10"}'
sent "cut bool" true '{"cut":"true"}'
sent "cut jsonb" "'{\"a\":1}'" '{"cut":"{\"a\": 1}"}'
not_sent "cut float8" "'NaN'" "could not send NaN"
sent "carat text" "'4.50'" '{"carat":4.50}'
not_sent "carat text" "'four'" "could not send a text that is not a number in argument \"carat\""
not_sent "carat text" "' 4'" "a text that is not a number"
sent "carat bool" true '{"carat":1}'
sent '"table" float8' 55 '{"table":55}'
sent "good text" "'yes'" '{"good":true}'
not_sent "good text" "'maybe'" "neither true nor false"
sent "good int" 1 '{"good":true}'
not_sent "good int" 2 "a number other than 0 and 1"
not_sent "carat date" "'2024-01-01'" "42804.*could not send argument \"carat\" of function f\(date\) to server \"m\" as number"
not_sent "good uuid" "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'" "as boolean"
not_sent "cut int[]" "'{1}'" "as string"
sent "r diamond" "(SELECT d FROM diamond d)" '{"carat":0.23,"cut":"Ideal"}'
at schema/numpy.2/echo
sent "data float8[]" "'{1,2,3}'" '{"data":[[1.0,2.0,3.0]]}'
sent "a float8, b float8, c text" "1, 2, '3'" '{"data":[[1.0,2.0,3]]}'
sent "r pair" "row(1, '2')" '{"data":[[1,2]]}'
not_sent "r pair" "row(1, 'x')" "a text that is not a number in argument \"r.b\""
at schema/numpy_1d.2/echo
sent "data bigint" 7 '{"data":[7]}'
at schema/numpy_3d.2/echo
sent "data float8[]" "'{{1,2},{3,4}}'" '{"data":[[[1.0,2.0],[3.0,4.0]]]}'
at schema/values.3/echo
sent "x1 float8, x2 text" "1, 'a'" '{"data":[[1.0,"a"]]}'
at schema/designer.2/echo
sent "carat float8, cut text" "1, 'a'" '{"Inputs":{"WebServiceInput0":[{"carat":1.0,"cut":"a"}]},"GlobalParameters":{}}'
at schema/automl.2/echo
sent "a int, b text" "1, 'a'" '{"data":[{"a":1,"b":"a"}],"method":"predict"}'
at schema/automl_v2.2/echo
sent "a int, b text" "1, 'a'" '{"Inputs":{"data":[{"a":1,"b":"a"}]},"GlobalParameters":{"method": "predict"}}'
at schema/conforming.2/echo
sent "\"Inputs\" float8[]" "'{1,2,3}'" '{"Inputs":[[1.0,2.0,3.0]],"GlobalParameters":1.0}'
at schema/input_data.3/echo
sent "carat float8, cut int, ok bool" "1, 2, true" '{"input_data":{"columns":["carat","cut","ok"],"index":[0],"data":[[1.0,"2",true]]}}'
at schema/input_data_numpy.2/echo
sent "input_data float8[]" "'{1,2}'" '{"input_data":[[1.0,2.0]]}'

# Texts of a database in another encoding travel as UTF-8.
sql "CREATE DATABASE latin_$PGVER ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
latin() {
	PGCLIENTENCODING=UTF8 PGDATABASE=latin_$PGVER sql "$1" 2>&1
}
latin "CREATE EXTENSION ml_score; CREATE SERVER m TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$URL/rows', request_format 'records', auth 'none', max_attempts '1');
	CREATE FUNCTION f(\"Größe\" text) RETURNS text LANGUAGE ml_score AS 'm'"
is "$(latin "SELECT f('café')")" '{"Größe":"café"}' "LATIN1 goes out and comes back as the same characters"
latin "ALTER SERVER m OPTIONS (SET url '$URL/reply/%5B%22caf%C3%A9%22%5D')"
is "$(latin "SELECT f('x'), octet_length(f('x'))")" 'café|4' "UTF-8 becomes LATIN1"
latin "ALTER SERVER m OPTIONS (SET url '$URL/reply/%5B%22%E2%82%AC%22%5D')"
like "$(latin "SELECT f('x')")" "a text has characters that the database's encoding LATIN1 has not" "what LATIN1 has not is an error"
sql "DROP DATABASE latin_$PGVER"

# Replies: where the results are.
at rows
format records
read_as "RETURNS float8" '[1.5,2.5]' "1.5 2.5" 2
read_as "RETURNS float8" ' [ [1.5] , [[2.5]] ] ' "1.5 2.5" 2
read_as "RETURNS float8" '{"predictions":[1.5,2.5]}' "1.5 2.5" 2
read_as "RETURNS float8" '{"Results":{"WebServiceOutput0":[{"carat":1,"cut":"x","Scored Labels":1.5},{"carat":1,"cut":"x","Scored Labels":null}]}}' "1.5 NULL" 2
read_as "RETURNS float8" '"[1.5, 2.5]"' "1.5 2.5" 2
read_as "RETURNS float8" '"{\"result\": [1.5, 2.5]}"' "1.5 2.5" 2
read_as "RETURNS float8" '{"result":"[1.5, 2.5]"}' "1.5 2.5" 2
read_as "RETURNS float8" '{"outputs":[{"name":"p","shape":[2,1],"datatype":"FP64","data":[1.5,2.5]}]}' "1.5 2.5" 2
read_as "RETURNS float8" '{"price":[1.5,2.5],"carat":[3,4]}' "1.5 2.5" 2
read_as "RETURNS float8" '[{"price":1.5},{"price":2.5}]' "1.5 2.5" 2
read_as "RETURNS float8" '1.5' "1.5"
read_as "RETURNS float8" '{"price":1.5}' "1.5"
not_read "RETURNS float8" '[1.5]' "the reply has 1 result for 2 rows" 2
not_read "RETURNS float8" '[1.5,2,3]' "the reply has 3 results for 2 rows" 2
not_read "RETURNS float8" '[]' "the reply has 0 results for 1 row"
not_read "RETURNS float8" '1.5' "the reply has no list of results" 2
not_read "RETURNS float8" '[{"a":1,"b":2}]' 'not clear which member of the result is the value: "a", "b"'
not_read "RETURNS float8" '[[1,2]]' "an array of 2 values stands where one value"
not_read "RETURNS float8" '[[]]' "an empty array stands where one value"
not_read "RETURNS float8" '<html><body>Bad Gateway</body></html>' "the reply is not JSON.*<html>"
not_read "RETURNS float8" '' "the reply is empty"
not_read "RETURNS float8" '[1.5' "the reply is not JSON: an early end"
not_read "RETURNS float8" '[1.5]]' "the reply is not JSON: more after the end"
not_read "RETURNS float8" $'["\377"]' "not valid UTF-8 at byte 2"
not_read "RETURNS float8" "$(printf '[%.0s' {1..200})" "not JSON: nesting that is too deep"
not_read "RETURNS float8" '"could not convert string to float"' '"could not convert string to float" is not a value of type double precision'

# Replies: values.
read_as "RETURNS float8" '[NaN,-Infinity,"NaN"]' "NaN -Infinity NaN" 3
read_as "RETURNS float8" '["4.5"," 1e3 ",0.30000000000000004]' "4.5 1000 0.30000000000000004" 3
not_read "RETURNS float8" '["abc"]' '"abc" is not a value of type double precision'
not_read "RETURNS float8" '[true]' "true is not a value of type double precision"
not_read "RETURNS float8" '[1e400]' "1e400 is out of range for type double precision"
read_as "RETURNS real" '[0.1,16777217]' "0.1 1.6777216e+07" 2
not_read "RETURNS real" '[1e39]' "out of range for type real"
read_as "RETURNS int" '[3.0,-7,3e2]' "3 -7 300" 3
not_read "RETURNS int" '[3.5]' "3.5 is not a value of type integer"
not_read "RETURNS int" '[NaN]' "NaN is not a value of type integer"
not_read "RETURNS int" '[3000000000]' "out of range for type integer"
not_read "RETURNS smallint" '[40000]' "out of range for type smallint"
read_as "RETURNS bigint" '[9223372036854775807,9007199254740993]' "9223372036854775807 9007199254740993" 2
read_as "RETURNS numeric" '[1.10,123456789012345678901234567890.123456789,"1.50"]' "1.10 123456789012345678901234567890.123456789 1.50" 3
read_as "RETURNS numeric" '[NaN]' "NaN"
not_read "RETURNS numeric" '[1e9999999]' "out of range for type numeric"
read_as "RETURNS bool" '[true,0,"True"]' "true false true" 3
not_read "RETURNS bool" '[2]' "2 is not a value of type boolean"
read_as "RETURNS text" '["h\u00e9llo \ud83d\ude00",1.10,true]' "héllo 😀 1.10 true" 3
not_read "RETURNS text" '["a\u0000b"]' "escape that is no character"
not_read "RETURNS text" '["\ud83d"]' "escape that is no character"
read_as "RETURNS jsonb" '[{"b":1.10,"a":[1,2]},[1],"x"]' '{"a": [1, 2], "b": 1.10} [1] "x"' 3
read_as "RETURNS jsonb" '{"a":1,"b":2}' '{"a": 1, "b": 2}'
not_read "RETURNS jsonb" '[{"a":NaN}]' "holds NaN, which type jsonb cannot"
not_read "RETURNS jsonb" '["\u0000"]' "no character"
read_as "RETURNS json" '[{"a" : 1.10}]' '{"a" : 1.10}'
read_as "RETURNS float8[]" '[[0.1,0.9],[]]' "{0.1,0.9} {}" 2
read_as "RETURNS float8[]" '[[[1,2],[3,4]]]' "{{1,2},{3,4}}"
read_as "RETURNS float8[]" '[{"probabilities":[1,null]}]' "{1,NULL}"
not_read "RETURNS float8[]" '[[[1,2],[3]]]' "an array has rows of 2 and of 1 elements"
not_read "RETURNS float8[]" '[[1,[2]]]' "arrays and single values are mixed"
not_read "RETURNS float8[]" '[0.1]' "0.1 is not an array"
read_as "RETURNS date" '["2024-02-29","2024-02-29T00:00:00.000"]' "2024-02-29 2024-02-29" 2
not_read "RETURNS date" '["nonsense"]' "nonsense"
read_as "RETURNS uuid" '["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]' "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
read_as "RETURNS bytea" '["3q2\/7w=="]' '\xdeadbfef'
not_read "RETURNS bytea" '["***"]' "not base64"
read_as "RETURNS mood" '["happy"]' "happy"
not_read "RETURNS mood" '["angry"]' '"angry" is not a value of type mood'
read_as "RETURNS positive" '[5]' "5"
not_read "RETURNS positive" '[-5]' "violates check constraint"
read_as "RETURNS pair" '[{"a":1,"b":"x"},[2,"y"]]' "(1,x) (2,y)" 2
read_as "RETURNS pair[]" '[[{"a":1,"b":"x"},[2,"y"]]]' '{"(1,x)","(2,y)"}'

# Replies: one OUT argument says which member it is.
read_as "" '[{"label":"a","prob":0.5},{"prob":1,"label":"b"}]' "0.5 1" 2 ", OUT prob float8"
read_as "" '[{"Scored Label":"a","Scored Probabilities":0.5}]' "0.5" 1 ", OUT scored_probabilities float8"
read_as "" '{"label":["a","b"],"prob":[0.5,1]}' "0.5 1" 2 ", OUT prob float8"
read_as "" '[1.5,{"price":2.5}]' "1.5 2.5" 2 ", OUT prob float8"
not_read "" '[{"label":"a","price":0.5}]' 'not clear which member of the result is the value: "label", "price"' 1 ", OUT prob float8"

# Replies: columns.
two=", OUT scored_label text, OUT prob float8"
read_as "" '[{"scored_label":"a","prob":0.5},{"prob":1,"scored_label":null,"more":[]}]' "(a,0.5) (,1)" 2 "$two"
read_as "" '[{"Scored Label":"a","PROB":0.5}]' "(a,0.5)" 1 "$two"
read_as "" '[{"Prob":9,"prob":0.5,"PROB":8,"scored_label":"a"}]' "(a,0.5)" 1 "$two"
read_as "" '[["a",0.5],["b",1]]' "(a,0.5) (b,1)" 2 "$two"
read_as "" '{"scored_label":["a","b"],"prob":[0.5,1]}' "(a,0.5) (b,1)" 2 "$two"
read_as "" '{"scored_label":"a","prob":0.5}' "(a,0.5)" 1 "$two"
read_as "" '{"columns":["prob","scored_label"],"data":[[0.5,"a"]]}' "(a,0.5)" 1 "$two"
read_as "" '{"outputs":[{"name":"scored_label","shape":[2],"datatype":"BYTES","data":["a","b"]},{"name":"prob","shape":[2,1],"datatype":"FP64","data":[0.5,1]}]}' "(a,0.5) (b,1)" 2 "$two"
read_as "" '[null]' "NULL" 1 "$two"
not_read "" '[{"scored_label":"a"}]' 'column "prob" is missing from the result, which has "scored_label"' 1 "$two"
not_read "" '[["a"]]' "an array of 1 values? for 2 columns" 1 "$two"
not_read "" '["a"]' "stands where a result of 2 columns is expected" 1 "$two"
not_read "" '[{"scored_label":"a","prob":"x"}]' 'column "prob": "x" is not a value of type double precision' 1 "$two"
read_as "" '[7.5,{"price":8},{"other":9}]' "(7.5,) (8,) (9,)" 3 ", OUT price float8, OUT error text"
read_as "" '["x"]' '(,"could not use the reply of server ""m"" as results of function f(integer,text): column ""price"": ""x"" is not a value of type double precision")' 1 ", OUT price float8, OUT error text"
done_testing
