#!/bin/bash
# A query gives what row-by-row calls give: every statement of equivalence.sql with batching on and off.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/equivalence.sh"
equivalence_tables

# outcome BATCHING STATEMENT: rows and errors; rows sorted unless the statement says an order.
outcome() {
	local out
	out=$("$PGBIN/psql" -XAtq -v ON_ERROR_STOP=1 -c "SET ml_score.batching = $1" -c "SET client_min_messages = notice" -f - <<<"$2" 2>&1 |
		sed 's/^psql:<stdin>:[0-9]*: //')
	case $2 in
	*"ORDER BY"* | *FETCH*) printf '%s\n' "$out" ;;
	*) sort <<<"$out" ;;
	esac
}

statement=
check() {
	local on off
	statement=$(sed '/^-- /d; /^$/d' <<<"$statement")
	[ -n "$statement" ] || return 0
	case $statement in MERGE*RETURNING*) [ "$PGVER" -ge 17 ] || return 0 ;; esac
	off=$(outcome off "$statement")
	sql "DROP MATERIALIZED VIEW IF EXISTS mv" 2>/dev/null
	on=$(outcome on "$statement")
	sql "DROP MATERIALIZED VIEW IF EXISTS mv" 2>/dev/null
	if [ "$on" = "$off" ] && ! grep -q '^ERROR' <<<"$on"; then
		ok 0 "${statement:0:100}"
	else
		ok 1 "${statement:0:100}" "$statement" "$(diff <(echo "$off") <(echo "$on") | head -n 8)" "$(grep -m 2 ERROR <<<"$on")"
	fi
	statement=
}
while IFS= read -r line; do
	if [ "$line" = -- ]; then check; else statement+=$line$'\n'; fi
done <"$(dirname "$0")/equivalence.sql"
check
done_testing
