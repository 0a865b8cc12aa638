#!/bin/bash
# Beside pg_stat_statements and auto_explain, in either order of loading.
# Version: 15, which has contrib
. "$(dirname "$0")/../lib/tap.sh"
[ -f "$("$PGBIN/pg_config" --pkglibdir)/auto_explain.so" ] || skip_all "this PostgreSQL has no contrib"
need_peer fast
for order in "pg_stat_statements,auto_explain,ml_score" "ml_score,auto_explain,pg_stat_statements"; do
	remove_cluster companions
	start_cluster companions "$PGVER" "shared_preload_libraries = '$order'" "auto_explain.log_min_duration = 0" "auto_explain.log_analyze = on" "compute_query_id = on"
	use_cluster companions
	sql "CREATE EXTENSION ml_score; CREATE EXTENSION pg_stat_statements"
	fast_function f ""
	diamonds_table 200
	server_log_mark
	is "$(sql "SELECT sum(f($DIAMOND)) = sum($FAST_SCORE) FROM diamonds")" t "$order: scores are right"
	like "$(server_log)" "Custom Scan \(ML Score\)" "$order: auto_explain shows the scan"
	is "$(sql "SELECT calls FROM pg_stat_statements WHERE query LIKE '%sum(f(%'")" 1 "$order: pg_stat_statements counts the query"
	use_cluster "main-$PGVER"
done
done_testing
