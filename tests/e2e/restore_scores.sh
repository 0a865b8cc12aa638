#!/bin/bash
# A restored database scores at once: function, view, mapping with its key.
. "$(dirname "$0")/../lib/tap.sh"
need_peer fast
fast_function f "/tag/restored$PGVER"
sql "ALTER SERVER f OPTIONS (SET auth 'key'); CREATE USER MAPPING FOR postgres SERVER f OPTIONS (key 'the-key');
	CREATE VIEW a_view AS SELECT f(1, 'a', 'b', 'c', 1, 1, 1, 1, 1) AS v"
copy=${PGDATABASE}_copy
"$PGBIN/psql" -Xqd postgres -c "DROP DATABASE IF EXISTS $copy" -c "CREATE DATABASE $copy" 2>/dev/null
"$PGBIN/pg_dump" "$PGDATABASE" | "$PGBIN/psql" -Xq -v ON_ERROR_STOP=1 -d "$copy" >/dev/null
is "$(PGDATABASE=$copy sql "SELECT f(1, 'a', 'b', 'c', 1, 1, 1, 1, 1)")" 45 "the function scores"
is "$(PGDATABASE=$copy sql "SELECT v FROM a_view")" 45 "the view too"
like "$(last_of "restored$PGVER")" '"Bearer the-key"' "with the key of the restored mapping"
is "$(PGDATABASE=$copy sql "DROP SERVER f CASCADE; SELECT count(*) FROM pg_proc p JOIN pg_language l ON l.oid = prolang WHERE lanname = 'ml_score'" 2>/dev/null)" 0 \
	"DROP SERVER CASCADE takes function and view along"
"$PGBIN/psql" -Xqd postgres -c "DROP DATABASE $copy"
done_testing
