#!/bin/bash
# Secrets show nowhere: not in errors, the log at any level, EXPLAIN, views, or another role's dump.
. "$(dirname "$0")/../lib/tap.sh"
need_peer fast
key="S3cr3t-$RANDOM$RANDOM"
sql <<-EOF
	CREATE SERVER vault TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(peer_url fast)/tag/vault/score', auth 'key');
	CREATE FUNCTION secretly(a float8, note text) RETURNS float8 LANGUAGE ml_score STABLE AS 'vault';
	DROP ROLE IF EXISTS vault_reader;
	CREATE ROLE vault_reader LOGIN;
	GRANT USAGE ON FOREIGN SERVER vault TO vault_reader;
EOF
sql "SET log_statement = 'none'; SET log_min_duration_statement = -1; CREATE USER MAPPING FOR postgres SERVER vault OPTIONS (key '$key')"

server_log_mark
shown=$(sql 2>&1 <<-EOF
	SET client_min_messages = debug5;
	SET log_min_messages = debug5;
	SET log_statement = 'none';
	SET ml_score.log_requests = 'all';
	EXPLAIN (ANALYZE, VERBOSE) SELECT secretly(i, 'payload-marker-' || i) FROM generate_series(1, 50) i;
	EXPLAIN (ANALYZE, VERBOSE, FORMAT json) SELECT secretly(i, 'payload-marker-' || i) FROM generate_series(1, 50) i;
	SELECT * FROM ml_score.stat_endpoint;
	SELECT * FROM pg_stat_activity;
EOF
)
is "$(last_of vault | grep -c "Bearer $key")" 1 "the endpoint got the key"
is "$(grep -c -- "$key" <<<"$shown")" 0 "EXPLAIN, messages at debug5 and views do not show it"
log=$(server_log)
is "$(grep -c -- "$key" <<<"$log")" 0 "the server log at debug5 does not show it"
like "$log" "vault" "ml_score.log_requests writes a line that names the server"
like "$log" "status[ =:]*200|200" "with the status"
is "$(grep -c 'payload-marker-' <<<"$(grep -v -i 'statement\|query\|STATEMENT' <<<"$log")")" 0 "and no payload"

unlike "$(sql_error "SELECT secretly('NaN', 'x')")" "$key" "errors do not show it"
is "$(PGUSER=vault_reader sql "SELECT count(*) FROM pg_user_mappings WHERE array_to_string(umoptions, ',') LIKE '%$key%'")" 0 \
	"pg_user_mappings hides it from others"
is "$("$PGBIN/pg_dump" -U vault_reader "$PGDATABASE" 2>/dev/null | grep -c -- "$key")" 0 "another role's pg_dump does not have it"
is "$("$PGBIN/psql" -XAtqc '\des+' -c '\deu+' -U vault_reader | grep -c -- "$key")" 0 "nor psql's listings"

server_log_mark
sql "SET ml_score.log_requests = 'failed'; SELECT secretly(1, 'x')" >/dev/null
unlike "$(server_log)" "vault" "log_requests = failed is silent about what went well"
is "$(PGUSER=vault_reader sql_error "SET ml_score.log_requests = 'all'" | grep -c 42501)" 1 "log_requests is a superuser's"
done_testing
