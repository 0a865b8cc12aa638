#!/bin/bash
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
-- a batch job stays behind, with its dead letters
WITH job AS (
	INSERT INTO ml_score.batch_job (owner, server, state, send_key, format, rows_per_file, gzip, result_format, on_missing, on_error, retain,
		request_id, folder, folders, search_path, time_zone)
	VALUES (current_user::regrole, 's', 'completed', false, 'csv', 1, false, 'auto', 'record', 'dead_letter', 'none', gen_random_uuid(), 'f', '{f}', '', 'UTC')
	RETURNING id)
INSERT INTO ml_score.dead_letter (job, blob, line, raw, reason, sqlstate) SELECT id, 'b', 1, 'x', 'r', '22000' FROM job;
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
	is "$(PGDATABASE=$restored sql 'SELECT count(*) FROM ml_score.batch_job')" 0 "$format: but for batch jobs"
	like "$(PGDATABASE=$restored sql_error 'DROP SERVER zz_server')" 'function aa_first.* depends on server zz_server' \
		"$format: functions are bound to their servers"
	like "$(PGDATABASE=$restored sql_error 'DROP SERVER "new name"')" 'function followed.* depends on server new name' \
		"$format: the renamed one too"
done

# pg_dump by a role that may not see the mappings' secrets does not write them
sql "GRANT SELECT ON ALL TABLES IN SCHEMA public TO dump_app; ALTER ROLE dump_app LOGIN; CREATE ROLE dump_reader LOGIN IN ROLE pg_read_all_data"
unlike "$(PGUSER=dump_reader "$PGBIN/pg_dump" "$PGDATABASE" 2>&1)" 'sesame|a ready one' "another role's dump has no secrets"

"$PGBIN/psql" -Xqd postgres -c "DROP DATABASE $restored" -c "DROP DATABASE $PGDATABASE" -c "DROP ROLE dump_app" -c "DROP ROLE dump_reader"
done_testing
