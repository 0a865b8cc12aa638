#!/bin/bash
# The extension comes and goes cleanly, with and without preload.
. "$(dirname "$0")/../lib/tap.sh"

is "$(sql "SELECT extversion FROM pg_extension WHERE extname = 'ml_score'")" 1.0 "CREATE EXTENSION"
is "$(sql "SELECT nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'ml_score'")" \
	ml_score "its objects stand in schema ml_score"
is "$(sql "SELECT lanpltrusted FROM pg_language WHERE lanname = 'ml_score'")" t "the language is trusted"
is "$(sql "SELECT count(*) FROM pg_foreign_data_wrapper WHERE fdwname = 'ml_score'")" 1 "the foreign-data wrapper is there"

fast_function gone ""
like "$(sql_error "DROP EXTENSION ml_score")" "2BP01.*depend" "DROP EXTENSION refuses while servers and functions depend on it"
is "$(sql "DROP EXTENSION ml_score CASCADE; SELECT count(*) FROM pg_foreign_server" 2>/dev/null)" 0 "CASCADE drops them"
is "$(sql "SELECT count(*) FROM pg_proc WHERE proname = 'gone'")" 0 "the functions too"
is "$(sql "CREATE EXTENSION ml_score; SELECT 1")" 1 "and it can be created again"

done_testing
