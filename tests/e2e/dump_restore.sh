#!/bin/bash
<<<<<<< Updated upstream
# What a user configured survives pg_dump and restore: servers, mappings, functions, grants, in an order that works.
. "$(dirname "$0")/../lib/tap.sh"

sql <<'SQL'
CREATE ROLE dump_app;
CREATE SERVER zz_server TYPE 'online' VERSION '1' FOREIGN DATA WRAPPER ml_score
	OPTIONS (url 'http://127.0.0.1:1/score', auth 'key', timeout '2min', max_batch_rows 'auto', request_format 'numpy');
COMMENT ON SERVER zz_server IS 'sorts after its functions';
CREATE SERVER "It's quoted" TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:1/score');
CREATE SERVER renamed TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:1/score');
CREATE USER MAPPING FOR PUBLIC SERVER zz_server OPTIONS (key 'sesame');
CREATE USER MAPPING FOR dump_app SERVER zz_server OPTIONS (token 'a ready one');
GRANT USAGE ON FOREIGN SERVER zz_server TO dump_app;
GRANT USAGE ON FOREIGN DATA WRAPPER ml_score TO dump_app;
CREATE FUNCTION aa_first(carat float8, cut text) RETURNS float8
	LANGUAGE ml_score STABLE PARALLEL SAFE COST 10000 AS 'zz_server';
CREATE FUNCTION quoted(x float8, OUT y float8, OUT error text) LANGUAGE ml_score STABLE STRICT AS 'It''s quoted';
CREATE FUNCTION followed(x float8) RETURNS float8 LANGUAGE ml_score STABLE AS 'renamed';
ALTER SERVER renamed RENAME TO "new name";
ALTER FUNCTION aa_first OWNER TO dump_app;
REVOKE EXECUTE ON FUNCTION quoted FROM PUBLIC;
CREATE TABLE stone (id int, carat float8, cut text);
CREATE VIEW priced AS SELECT id, aa_first(carat, cut) FROM stone;
SQL

restored=${PGDATABASE}_restored
for format in plain custom; do
	"$PGBIN/psql" -Xqd postgres -c "DROP DATABASE IF EXISTS $restored" -c "CREATE DATABASE $restored" 2>/dev/null
	"$PGBIN/pg_dump" -F "$format" -f "$RUN/dump.$format" "$PGDATABASE"
	ok $? "$format: pg_dump"
	if [ "$format" = plain ]; then
		errors=$("$PGBIN/psql" -Xq -v ON_ERROR_STOP=1 -d "$restored" -f "$RUN/dump.$format" 2>&1 >/dev/null)
	else
		errors=$("$PGBIN/pg_restore" -e -d "$restored" "$RUN/dump.$format" 2>&1)
	fi
	is "$errors" "" "$format: restores without an error"
	# a second dump says the same as the first, but for the random key that newer versions put around psql commands
	"$PGBIN/pg_dump" "$PGDATABASE" | grep -v '^\\\(un\)\?restrict' >"$RUN/before.sql"
	"$PGBIN/pg_dump" "$restored" | grep -v '^\\\(un\)\?restrict' >"$RUN/after.sql"
	is "$(diff "$RUN/before.sql" "$RUN/after.sql")" "" "$format: and is all there"
	like "$(PGDATABASE=$restored sql_error 'DROP SERVER zz_server')" 'function aa_first.* depends on server zz_server' \
		"$format: functions are bound to their servers"
	like "$(PGDATABASE=$restored sql_error 'DROP SERVER "new name"')" 'function followed.* depends on server new name' \
		"$format: the renamed one too"
done

# pg_dump by a role that may not see the mappings' secrets does not write them
sql "GRANT SELECT ON ALL TABLES IN SCHEMA public TO dump_app; ALTER ROLE dump_app LOGIN; CREATE ROLE dump_reader LOGIN IN ROLE pg_read_all_data"
unlike "$(PGUSER=dump_reader "$PGBIN/pg_dump" "$PGDATABASE" 2>&1)" 'sesame|a ready one' "another role's dump has no secrets"

"$PGBIN/psql" -Xqd postgres -c "DROP DATABASE $restored" -c "DROP DATABASE $PGDATABASE" -c "DROP ROLE dump_app" -c "DROP ROLE dump_reader"
=======
# pg_dump carries servers, mappings and model functions over, in an order that restores.
. "$(dirname "$0")/../lib/tap.sh"
need_peer fast
fast_function f "/tag/dumped"
sql <<-EOF
	ALTER SERVER f OPTIONS (SET auth 'key', ADD max_batch_rows '50', ADD timeout '20s');
	CREATE USER MAPPING FOR postgres SERVER f OPTIONS (key 'the-key');
	CREATE TABLE scored (id int, v float8);
	CREATE VIEW a_view AS SELECT f(1, 'a', 'b', 'c', 1, 1, 1, 1, 1) AS v;
	CREATE SCHEMA aaa;
	CREATE FUNCTION aaa.first_by_name(k int) RETURNS float8 LANGUAGE ml_score STABLE AS 'f';
	COMMENT ON FUNCTION f IS 'prices diamonds';
EOF
copy=${PGDATABASE}_copy
for format in plain custom; do
	sql "DROP DATABASE IF EXISTS \"$copy\"" 2>/dev/null
	sql "CREATE DATABASE \"$copy\""
	if [ $format = plain ]; then
		out=$("$PGBIN/pg_dump" "$PGDATABASE" | PGDATABASE=$copy "$PGBIN/psql" -Xq -v ON_ERROR_STOP=1 -o /dev/null 2>&1)
	else
		"$PGBIN/pg_dump" -Fc -f "$RUN/dump-$PGVER" "$PGDATABASE"
		out=$("$PGBIN/pg_restore" -j 2 --exit-on-error -d "$copy" "$RUN/dump-$PGVER" 2>&1)
	fi
	is "$out" "" "$format: restores without a complaint"
	is "$(PGDATABASE=$copy sql "SELECT f(1, 'a', 'b', 'c', 1, 1, 1, 1, 1)")" 45 "$format: the function scores"
	is "$(PGDATABASE=$copy sql "SELECT v FROM a_view")" 45 "$format: the view too"
	is "$(PGDATABASE=$copy sql "SELECT array_to_string(srvoptions, ' ') FROM pg_foreign_server" | tr ' ' '\n' | grep -c -e max_batch_rows=50 -e timeout=20s -e auth=key)" 3 \
		"$format: the server's options are there"
	is "$(PGDATABASE=$copy sql "SELECT umoptions FROM pg_user_mappings")" "{key=the-key}" "$format: the mapping for its owner"
	like "$(PGDATABASE=$copy sql_error "DROP SERVER f")" "2BP01" "$format: the functions depend on the server again"
	is "$(PGDATABASE=$copy sql "DROP SERVER f CASCADE; SELECT count(*) FROM pg_proc p JOIN pg_language l ON l.oid = prolang WHERE lanname = 'ml_score'" 2>/dev/null)" 0 \
		"$format: and go with it"
done
sql "DROP DATABASE \"$copy\""
>>>>>>> Stashed changes
done_testing
