# tap.sh - the harness of end-to-end tests. A test file is a bash script that begins with
#
#   . "$(dirname "$0")/../lib/tap.sh"
#
# and says in order what it proves. tests/run.sh gives it a running PostgreSQL (PGHOST and so on; cluster $CLUSTER of
# version $PGVER), a fresh database with the extension, and $RUN. Each check prints one TAP line; the rest explains.
# shellcheck shell=bash

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$ROOT/tests/lib/install.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/peers.sh"
set +e

TEST_COUNT=0
TEST_NAME=$(basename "$0" .sh)

# ok STATUS NAME [EXPLANATION...]
ok() {
	local status=$1 name=$2
	shift 2
	TEST_COUNT=$((TEST_COUNT + 1))
	if [ "$status" -eq 0 ]; then
		echo "ok $TEST_COUNT - $name"
	else
		echo "not ok $TEST_COUNT - $name"
		[ $# -eq 0 ] || printf '%s\n' "$@" | sed 's/^/#   /'
	fi
}

# is GOT EXPECTED NAME
is() {
	[ "$1" = "$2" ]
	ok $? "$3" "got:      $1" "expected: $2"
}

# like GOT REGEX NAME; unlike: the opposite
like() {
	grep -Eq -- "$2" <<<"$1"
	ok $? "$3" "got:      $1" "expected to match: $2"
}

unlike() {
	! grep -Eq -- "$2" <<<"$1"
	ok $? "$3" "got:      $1" "expected not to match: $2"
}

# cmp_ok A OP B NAME: numbers; OP is < <= > or >=.
cmp_ok() {
	case $2 in '<' | '<=' | '>' | '>=') ;; *) die "cmp_ok does not know $2" ;; esac
	awk -v a="$1" -v b="$3" "BEGIN { exit !(a != \"\" && a + 0 $2 b + 0) }"
	ok $? "$4" "expected: $1 $2 $3"
}

skip_all() {
	echo "# skipped: $*"
	echo "1..0 # SKIP $*"
	exit 0
}

done_testing() {
	echo "1..$TEST_COUNT"
}

# sql STATEMENT... or sql <<EOF: run it, print the rows (| between columns); errors go to stderr and stop a script.
sql() {
	if [ $# -gt 0 ]; then
		"$PGBIN/psql" -XAtq -v ON_ERROR_STOP=1 -c "$*"
	else
		"$PGBIN/psql" -XAtq -v ON_ERROR_STOP=1 -f -
	fi
}

# sql_as ROLE STATEMENT
sql_as() {
	PGUSER=$1 sql "$2"
}

# sql_error STATEMENT: what it complains about, with SQLSTATE, detail and hint; "no error" when it does not.
sql_error() {
	local out
	if out=$("$PGBIN/psql" -XAtq -v ON_ERROR_STOP=1 -v VERBOSITY=verbose -c "$*" 2>&1); then
		echo "no error: $out"
	else
		echo "$out"
	fi
}

# sql_background NAME STATEMENT: run it beside the script; sql_join NAME waits and gives its output and errors.
sql_background() {
	"$PGBIN/psql" -XAtq -v ON_ERROR_STOP=1 -c "$2" >"$RUN/$TEST_NAME.$1.out" 2>&1 &
	echo $! >"$RUN/$TEST_NAME.$1.pid"
}

sql_join() {
	while kill -0 "$(cat "$RUN/$TEST_NAME.$1.pid")" 2>/dev/null; do sleep 0.05; done
	cat "$RUN/$TEST_NAME.$1.out"
}

# poll SECONDS CMD...: until the command succeeds.
poll() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

# wait_until SECONDS QUERY: until the query answers t.
wait_until() {
	poll "$1" is_true "$2"
}

is_true() {
	[ "$(sql "$1" 2>/dev/null)" = t ]
}

# Milliseconds now, for measuring how fast something ended.
now_ms() {
	echo $((${EPOCHREALTIME/[.,]/} / 1000))
}

# server_log_mark: remember where the server's log ends; server_log: what was written since.
server_log_mark() {
	LOG_MARK=$(stat -c %s "$RUN/$CLUSTER/log")
}

server_log() {
	tail -c "+$((LOG_MARK + 1))" "$RUN/$CLUSTER/log"
}

# diamonds_table [ROWS]: table diamonds(id, nine columns, price), from the real data set.
diamonds_table() {
	need_diamonds
	sql <<-EOF
		CREATE TABLE diamonds (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, carat float8, cut text, color text,
			clarity text, depth float8, "table" float8, price float8, x float8, y float8, z float8);
		\\copy diamonds (carat, cut, color, clarity, depth, "table", price, x, y, z) FROM PROGRAM 'head -n $((${1:-53940} + 1)) $CACHE/diamonds.csv' (FORMAT csv, HEADER)
		ANALYZE diamonds;
	EOF
}

# fast_function NAME PATH: server NAME on the fast endpoint with these path options, and function NAME(nine columns).
fast_function() {
	need_peer fast
	sql <<-EOF
		CREATE SERVER $1 TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(peer_url fast)$2/score', auth 'none');
		CREATE FUNCTION $1(carat float8, cut text, color text, clarity text, depth float8, "table" float8, x float8,
			y float8, z float8) RETURNS float8 LANGUAGE ml_score STABLE PARALLEL SAFE COST 10000 AS '$1';
	EOF
}

# What the fast endpoint answers for a row of diamonds, computed in SQL.
FAST_SCORE='1*carat + 2*octet_length(cut) + 3*octet_length(color) + 4*octet_length(clarity) + 5*depth + 6*"table" + 7*x + 8*y + 9*z'
DIAMOND='carat, cut, color, clarity, depth, "table", x, y, z'
export FAST_SCORE DIAMOND
