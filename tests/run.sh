#!/bin/bash
# run.sh - every test: unit tests, pg_regress and end-to-end tests, on PostgreSQL 15, 16 and 18.
#
#   tests/run.sh                  installs what is missing on Debian 12 (root or sudo), builds, tests
#   tests/run.sh --pg 15          one version only (comma-separated for several)
#   tests/run.sh --only PATTERN   files whose name matches the regular expression: unit, regress, or an end-to-end test
#   tests/run.sh --asan           on 16 only, with AddressSanitizer and UBSan in the extension
#   tests/run.sh --keep           leave the run's directory (logs, data) behind
#
# The last line is "N passed, N failed"; the exit status is not 0 when something failed.

. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
. "$ROOT/tests/lib/install.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/peers.sh"

ONLY=. VERSIONS=$PG_VERSIONS
while [ $# -gt 0 ]; do
	case $1 in
	--only) ONLY=$2 && shift ;;
	--pg) VERSIONS=${2//,/ } && shift ;;
	--asan) export SANITIZE=1 VERSIONS=16 ;;
	--keep) KEEP_RUN=1 ;;
	-h | --help) sed -n '2,/^$/s/^# \{0,1\}//p' "$0" && exit 0 ;;
	*) die "unknown option $1; see --help" ;;
	esac
	shift
done

PASSED=0 FAILED=0 FAILURES=()

# Count the TAP in FILE under LABEL, show what failed. A script that ends without its plan counts as a failure.
count_tap() {
	local label=$1 file=$2 status=$3 good bad
	good=$(grep -c '^ok ' "$file")
	bad=$(grep -c '^not ok ' "$file")
	if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ] || ! grep -q '^1\.\.' "$file"; then
		bad=$((bad + 1))
		echo "# ended early, status $status" >>"$file"
	fi
	PASSED=$((PASSED + good)) FAILED=$((FAILED + bad))
	if [ "$bad" -gt 0 ]; then
		FAILURES+=("$label: $bad")
		step "FAILED $label: $bad of $((good + bad))"
		grep -v '^ok ' "$file" | tail -n 60 | sed 's/^/    /' >&2
	else
		step "passed $label: $good$(sed -n 's/^1\.\.0 # SKIP/ (skipped:/p' "$file" | sed 's/$/)/')"
	fi
}

wanted() {
	grep -Eq -- "$ONLY" <<<"$1"
}

run_unit() {
	local out=$RUN/unit.out status=0
	[ -x "$ROOT/tests/unit/run.sh" ] && wanted unit || return 0
	need_packages $TEST_PACKAGES
	need_pg 15
	UNIT_BUILD=$WORK/unit PG_CONFIG=$(pg_prefix 15)/bin/pg_config timeout 600 "$ROOT/tests/unit/run.sh" >"$out" 2>&1 || status=$?
	count_tap unit "$out" $status
}

# pg_regress of PostgreSQL 15 says "test NAME ... ok", later ones speak TAP: make it all TAP.
regress_tap() {
	sed -E 's/^test ([^ ]+) +\.\.\. ok.*/ok 1 - \1/; s/^test ([^ ]+) +\.\.\. FAILED.*/not ok 1 - \1/; s/^#? *1\.\..*//' "$1"
	echo "1..$(grep -Ec '^(test|ok|not ok) ' "$1")"
}

# pg_regress_program VERSION: the wheel's for 18 crashes at once, the one for 16 drives 18 as well.
pg_regress_program() {
	local ver=$1
	[ "$ver" != 18 ] || ver=16
	need_pg "$ver"
	echo "$(dirname "$("$(pg_prefix "$ver")/bin/pg_config" --pgxs)")/../test/regress/pg_regress"
}

run_regress() {
	local ver=$1 build=$WORK/build-$1 out=$RUN/regress-$1 tests status=0 crashes
	wanted regress || return 0
	tests="test_setup $(cd "$build/sql" && ls ./*.sql | sed 's#^./##; s#\.sql$##; /^test_setup$/d')"
	mkdir -p "$out"
	crashes=$(crash_count)
	# shellcheck disable=SC2086
	"$(pg_regress_program "$ver")" \
		--inputdir="$build" --outputdir="$out" --bindir="$(pg_prefix "$ver")/bin" --host="$PGHOST" --port="$PGPORT" \
		--user=postgres --dbname=contrib_regression $tests >"$out/out" 2>&1 || status=$?
	regress_tap "$out/out" >"$out/tap"
	[ ! -s "$out/regression.diffs" ] || sed 's/^/# /' "$out/regression.diffs" >>"$out/tap"
	check_crashes "$crashes" "$out/tap"
	count_tap "regress on $ver" "$out/tap" $status
}

# run_e2e FILE: in a fresh database with the extension; the server must survive it.
run_e2e() {
	local file=$1 name status=0 out crashes
	name=$(basename "$file" .sh)
	out=$RUN/$name-$PGVER.out
	wanted "$name" || return 0
	"$PGBIN/psql" -Xqd postgres -c "DROP DATABASE IF EXISTS \"$name\"" -c "CREATE DATABASE \"$name\"" 2>/dev/null
	if ! "$PGBIN/psql" -Xqd "$name" -v ON_ERROR_STOP=1 -c "CREATE EXTENSION ml_score" >"$out" 2>&1; then
		count_tap "$name on $PGVER" "$out" 1
		return 0
	fi
	crashes=$(crash_count)
	PGDATABASE=$name timeout 300 bash "$file" >"$out" 2>&1 </dev/null || status=$?
	check_crashes "$crashes" "$out"
	count_tap "$name on $PGVER" "$out" $status
	# Each database with the extension has a supervisor, which takes a worker slot.
	"$PGBIN/psql" -Xqd postgres -c "DROP DATABASE IF EXISTS \"$name\" WITH (FORCE)" 2>/dev/null
}

# Signal 9 is a test's own doing. The last two are what the sanitizers say.
CRASHES='terminated by signal ([1-8]|1[0-9])|TRAP: |PANIC: |ERROR: AddressSanitizer|: runtime error: '

crash_count() {
	grep -cE "$CRASHES" "$RUN/$CLUSTER/log"
}

# check_crashes COUNT FILE: a failure in FILE's TAP when there are more than COUNT by now.
check_crashes() {
	[ "$(crash_count)" != "$1" ] || return 0
	{
		echo "not ok 999 - the server stays up"
		awk -v re="$CRASHES" -v before="$1" '$0 ~ re && ++n > before { left = 20 } left-- > 0 { print "#   " $0 }' \
			"$RUN/$CLUSTER/log" | head -n 40
	} >>"$2"
	sleep 2
}

run_version() {
	local ver=$1 file
	start_cluster "main-$ver" "$ver" "shared_preload_libraries = 'ml_score'" "max_worker_processes = 32"
	use_cluster "main-$ver"
	run_regress "$ver"
	for file in "$ROOT"/tests/e2e/*.sh; do
		run_e2e "$file"
	done
	stop_cluster "main-$ver"
}

make_state_dirs
new_run_dir test
trap cleanup EXIT
trap 'exit 130' INT TERM
# shellcheck disable=SC2086
need_packages $BUILD_PACKAGES
case $VERSIONS in *16* | *18*) need_packages $TEST_PACKAGES ;; esac
for version in $VERSIONS; do build_extension "$version"; done
set +e
run_unit
for version in $VERSIONS; do run_version "$version"; done

[ -z "${KEEP_RUN:-}" ] || echo "logs: $RUN" >&2
[ ${#FAILURES[@]} -eq 0 ] || printf 'failed: %s\n' "${FAILURES[@]}" >&2
echo "$PASSED passed, $FAILED failed"
[ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ]
