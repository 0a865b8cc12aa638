#!/bin/bash
# ml_score.profile measures the endpoint on the user's own rows.
. "$(dirname "$0")/../lib/tap.sh"
need_peer fast
fast_function f "/tag/prof$PGVER/latency/5ms"
diamonds_table 1000
sql "CREATE TABLE p AS SELECT * FROM ml_score.profile('f', 'SELECT $DIAMOND FROM diamonds', ARRAY[20, 200], ARRAY[1, 4])"
is "$(sql "SELECT count(*) FROM p")" 4 "a line per setting"
is "$(sql "SELECT count(*) FROM p WHERE recommended")" 1 "one is recommended"
is "$(sql "SELECT rows_per_second = max(rows_per_second) OVER () FROM p ORDER BY recommended DESC LIMIT 1")" t "the fastest, on a plain endpoint"
is "$(sql "SELECT bool_and(requests > 0 AND p50_ms >= 5 AND p95_ms >= p50_ms AND errors = 0) FROM p")" t "requests, quantiles and errors make sense"
is "$(stats_of "prof$PGVER" max_rows)" 200 "batches had the asked size"
done_testing
