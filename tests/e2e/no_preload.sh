#!/bin/bash
# Without shared_preload_libraries everything that needs no shared memory works, row by row; what needs it says what to set.
. "$(dirname "$0")/../lib/tap.sh"
need_peer fast
start_cluster "plain-$PGVER" "$PGVER"
use_cluster "plain-$PGVER"
sql "CREATE EXTENSION ml_score"
fast_function f "/tag/plain$PGVER"
diamonds_table 60

out=$(sql "SELECT sum(f($DIAMOND)) = sum($FAST_SCORE) FROM diamonds; SELECT count(f($DIAMOND)) FROM diamonds" 2>&1)
like "$out" "^t" "scores are right"
like "$out" "shared_preload_libraries" "it says how to get batching"
is "$(grep -c 'shared_preload_libraries' <<<"$out")" 1 "once a session"
is "$(stats_of "plain$PGVER" max_rows)" 1 "row by row"
is "$(stats_of "plain$PGVER" connections)" 1 "over one connection"
is "$(sql "SELECT f(1, 'a', 'b', 'c', 1, 1, 1, 1, 1)" 2>/dev/null)" 45 "a single call"
is "$(sql "SELECT f(1, 'a', 'b', 'c', 1, 1, 1, 1, 1); SELECT server, requests FROM ml_score.stat_endpoint" 2>/dev/null | tail -n 1)" "f|1" \
	"stat_endpoint shows what this session sent"
like "$(sql "SELECT f(1, 'a', 'b', 'c', 1, 1, 1, 1, 1); SELECT ml_score.report()" 2>/dev/null)" "This session alone: shared_preload_libraries does not have ml_score" \
	"and so does ml_score.report"
like "$(sql_error "SELECT f(1, 'a', 'b', 'c', 1, 1, 1, 1, 1); SET ml_score.nonsense = 1")" "42602|invalid configuration parameter" \
	"the prefix ml_score is reserved once the library is loaded"
like "$(sql "ALTER SERVER f OPTIONS (ADD log_table 'public.f_log', ADD shadow_deployment 'green')" 2>&1)" "WARNING: +requests to server \"f\" are neither logged nor copied in this server" \
	"options that need the worker say so"
is "$(sql "SELECT f(1, 'a', 'b', 'c', 1, 1, 1, 1, 1)" 2>/dev/null)" 45 "and scoring goes on"
sql "ALTER SERVER f OPTIONS (DROP log_table, DROP shadow_deployment)"
sql "ALTER SERVER f RENAME TO renamed_unseen"
is "$(sql "SELECT f(1, 'a', 'b', 'c', 1, 1, 1, 1, 1)" 2>/dev/null)" 45 "functions follow a server that was renamed where the library was not loaded"

sql "SELECT ml_score.create_monitor('by_hand', current => 'SELECT carat * 2 AS carat FROM diamonds', baseline => 'SELECT carat FROM diamonds')"
is "$(sql "SELECT ml_score.run_monitor('by_hand')")" breached "a monitor runs by hand"
like "$(sql_error "SELECT ml_score.create_monitor_action('by_hand', 'tell', channel => 'c')" | tr '\n' ' ')" "55000.*alerts need ml_score in shared_preload_libraries" "an action is the work of a background worker"
like "$(sql_error "SELECT ml_score.alter_monitor('by_hand', schedule => '1 hour')" | tr '\n' ' ')" "55000.*monitors with a schedule need" "so is a schedule"

. "$(dirname "$0")/../lib/identity.sh"
identity_server token_unshared "auth 'entra', credential 'client_secret'"
mapping token_unshared "tenant_id 'ok', client_id 'unshared-$PGVER', client_secret 's'"
identity reset >/dev/null
is "$(sql "SELECT sum(token_unshared(i)) FROM generate_series(1, 3) i; SELECT token_unshared(1); SELECT identity, fetches FROM ml_score.token_status" 2>/dev/null)" \
	$'0\n0\nunshared-'"$PGVER|1" "a session fetches its token once"
sql "SELECT token_unshared(1)" >/dev/null 2>&1
is "$(identity "count?path=/ok/oauth2")" 2 "another session one of its own"

sql "CREATE USER MAPPING FOR postgres SERVER renamed_unseen" 2>/dev/null
like "$(sql "ALTER USER MAPPING FOR postgres SERVER renamed_unseen OPTIONS (ADD key 'k')" 2>&1)" "WARNING: +option \"key\" of the user mapping is not used by server \"renamed_unseen\"" \
	"options that nothing uses are told of by the statement that loads the library, too"
is "$(sql "SELECT f(1, 'a', 'b', 'c', 1, 1, 1, 1, 1); ALTER USER MAPPING FOR postgres SERVER renamed_unseen OPTIONS (SET key 'k2')" 2>&1 | grep -c 'is not used')" 1 "once"
use_cluster "main-$PGVER"
stop_cluster "plain-$PGVER"
done_testing
