#!/bin/bash
# run.sh - every test: unit tests, pg_regress and end-to-end tests, on PostgreSQL 15, 16 and 18, several side by side.
#
#   tests/run.sh                  installs what is missing on Debian 12 (root or sudo), builds, tests
#   tests/run.sh --pg 15          one version only (comma-separated for several)
#   tests/run.sh --pg-config PATH only the installed PostgreSQL that this pg_config is of: any version, any Debian; it is
#                                 copied, not touched
#   tests/run.sh --only PATTERN   files whose name matches the regular expression: unit, regress, or an end-to-end test
#   tests/run.sh --jobs N         so many side by side (processors + 1, at most 4)
#   tests/run.sh --asan           on 16 only, with AddressSanitizer and UBSan in the extension
#   tests/run.sh --keep           leave the run's directory (logs, data) behind
#
# An end-to-end test is a file of tests/e2e. A line "# Version: N, why" in its head has it run once: on that version if it
# is among those tested, else on the first of them.
# The last line is "N passed, N failed"; the exit status is not 0 when something failed.

. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
. "$ROOT/tests/lib/install.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/peers.sh"

ONLY=. VERSIONS=$PG_VERSIONS JOBS=$(($(nproc) < 3 ? $(nproc) + 1 : 4))
while [ $# -gt 0 ]; do
	case $1 in
	--only) ONLY=$2 && shift ;;
	--pg) VERSIONS=${2//,/ } && shift ;;
	--pg-config) use_installed_pg "$2" && VERSIONS=$INSTALLED_PG && shift ;;
	--jobs) JOBS=$2 && shift ;;
	--asan) export SANITIZE=1 VERSIONS=16 ;;
	--keep) KEEP_RUN=1 ;;
	-h | --help) sed -n '2,/^$/s/^# \{0,1\}//p' "$0" && exit 0 ;;
	*) die "unknown option $1; see --help" ;;
	esac
	shift
done

wanted() {
	grep -Eq -- "$ONLY" <<<"$1"
}

# list_tests: lines "NAME VERSION". What runs once is listed first, for there the long ones are.
list_tests() {
	local version file name once
	! wanted unit || echo "unit $INSTALLED_PG"
	for version in $VERSIONS; do ! wanted regress || echo "regress $version"; done
	for once in 1 0; do
		for version in $VERSIONS; do
			for file in "$ROOT"/tests/e2e/*.sh; do
				name=$(basename "$file" .sh)
				! wanted "$name" || ! runs_on "$file" "$version" $once || echo "$name $version"
			done
		done
	done
}

# runs_on FILE VERSION ONCE: whether it runs there, among those that run once, or on every version.
runs_on() {
	local on
	on=$(sed -n '1,9s/^# Version: \([0-9]*\), .*/\1/p' "$1")
	case " $VERSIONS " in *" $on "*) ;; *) on=${on:+${VERSIONS%% *}} ;; esac
	if [ "$3" = 1 ]; then [ "$on" = "$2" ]; else [ -z "$on" ]; fi
}

run_item() {
	case $1 in
	unit) run_unit "$2" ;;
	regress) run_regress "$2" ;;
	*) run_e2e "$1" "$2" ;;
	esac
}

run_unit() {
	local out=$RUN/unit.out status=0 begun=$SECONDS
	UNIT_BUILD=$WORK/unit PG_CONFIG=$(pg_prefix "$1")/bin/pg_config limited 600 "$ROOT/tests/unit/run.sh" >"$out" 2>&1 || status=$?
	result unit "$out" $status $((SECONDS - begun))
}

# pg_regress of PostgreSQL 15 says "test NAME ... ok", later ones speak TAP: make it all TAP.
regress_tap() {
	sed -E 's/^test ([^ ]+) +\.\.\. ok.*/ok 1 - \1/; s/^test ([^ ]+) +\.\.\. FAILED.*/not ok 1 - \1/; s/^#? *1\.\..*//' "$1"
	echo "1..$(grep -Ec '^(test|ok|not ok) ' "$1")"
}

# pg_regress_program VERSION: the wheel's for 18 crashes at once, the one for 16 drives 18 as well.
pg_regress_program() {
	local ver=$1
	[ "$ver" != 18 ] || is_installed_pg 18 || ver=16
	echo "$(dirname "$("$(pg_prefix "$ver")/bin/pg_config" --pgxs)")/../test/regress/pg_regress"
}

run_regress() {
	local ver=$1 build=$WORK/build-$1 out=$RUN/regress-$1 tests status=0 begun=$SECONDS
	tests="test_setup $(cd "$build/sql" && ls ./*.sql | sed 's#^./##; s#\.sql$##; /^test_setup$/d')"
	mkdir -p "$out"
	main_cluster "$ver" >"$out/out" 2>&1
	mark_logs
	# shellcheck disable=SC2086
	limited 600 "$(pg_regress_program "$ver")" \
		--inputdir="$build" --outputdir="$out" --bindir="$(pg_prefix "$ver")/bin" --host="$PGHOST" --port="$PGPORT" \
		--user=postgres --dbname=contrib_regression $tests >>"$out/out" 2>&1 || status=$?
	regress_tap "$out/out" >"$out/tap"
	[ ! -s "$out/regression.diffs" ] || sed 's/^/# /' "$out/regression.diffs" >>"$out/tap"
	check_crashes "$out/tap"
	result "regress on $ver" "$out/tap" $status $((SECONDS - begun))
}

# run_e2e NAME VERSION: in a fresh database with the extension; the server must survive it.
run_e2e() {
	local name=$1 out=$RUN/$1-$2.out status=0 begun=$SECONDS
	main_cluster "$2" >"$out" 2>&1
	mark_logs
	if fresh_database "$name" >>"$out" 2>&1; then
		PGDATABASE=$name limited 900 bash "$ROOT/tests/e2e/$name.sh" >>"$out" 2>&1 || status=$?
	else
		status=1
	fi
	check_crashes "$out"
	# Each database with the extension has a supervisor, which takes a worker slot.
	"$PGBIN/psql" -Xqd postgres -c "DROP DATABASE IF EXISTS \"$name\" WITH (FORCE)" >/dev/null 2>&1
	end_other_clusters
	result "$name on $2" "$out" $status $((SECONDS - begun))
}

fresh_database() {
	"$PGBIN/psql" -Xqd postgres -v ON_ERROR_STOP=1 -c "CREATE DATABASE \"$1\"" &&
		"$PGBIN/psql" -Xqd "$1" -v ON_ERROR_STOP=1 -c "CREATE EXTENSION ml_score"
}

# main_cluster VERSION: have the lane's server of that version, and use it; one that does not answer any more is made anew.
main_cluster() {
	local name=main-$1
	if [ ! -d "$RUN/$name" ] || ! (use_cluster "$name" && "$PGBIN/psql" -Xqc "SELECT") >/dev/null 2>&1; then
		remove_cluster "$name"
		(start_cluster "$name" "$1" "shared_preload_libraries = 'ml_score'" "max_worker_processes = 32")
	fi
	use_cluster "$name"
}

# end_other_clusters: a test's own servers, where it left one.
end_other_clusters() {
	local dir
	for dir in "$RUN"/*/data; do
		case $dir in "$RUN"/main-* | "$RUN/*/data") ;; *) remove_cluster "$(basename "${dir%/data}")" ;; esac
	done
}

# Signal 9 is a test's own doing. The last two are what the sanitizers say.
CRASHES='terminated by signal ([1-8]|1[0-9])|TRAP: |PANIC: |ERROR: AddressSanitizer|: runtime error: '

# mark_logs: from here on; check_crashes FILE: a failure in FILE's TAP when a server's log tells of a crash since.
mark_logs() {
	stat -c '%s %n' "$RUN"/*/log >"$RUN/marks" 2>/dev/null
}

check_crashes() {
	local log size told
	told=$(for log in "$RUN"/*/log; do
		size=$(grep -F " $log" "$RUN/marks" | cut -d ' ' -f 1)
		tail -c "+$((${size:-0} + 1))" "$log" | grep -E -A 20 "$CRASHES"
	done | head -n 40)
	[ -z "$told" ] || printf '%s\n' "not ok 999 - the server stays up" "$told" | sed '2,$s/^/#   /' >>"$1"
}

make_state_dirs
new_run_dir test
. "$ROOT/tests/lib/lanes.sh"
trap 'end_lanes; cleanup' EXIT
trap 'exit 130' INT TERM
# shellcheck disable=SC2086
need_packages $BUILD_PACKAGES
for version in $VERSIONS; do
	build_extension "$version"
	template_cluster "$version"
done
! wanted unit || need_pg "$INSTALLED_PG" # the wheel's libraries are of no use to it
set +e
list_tests >"$RUN/tests"
run_lanes "$JOBS" "$RUN/tests"

[ -z "${KEEP_RUN:-}" ] || echo "logs: $RUN" >&2
awk '$2 > 0 { n = $2; sub(/^[0-9]+ [0-9]+ /, ""); print "failed: " $0 ": " n }' "$RUN/results" >&2
read -r passed failed < <(awk '{ p += $1; f += $2 } END { print p + 0, f + 0 }' "$RUN/results")
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
