# lanes.sh - tests side by side. A lane runs one test after another and has everything to itself: a directory $RUN with
# clusters and peers of its own. So a test may restart, stop, break and count whatever it likes.
#
# Sourced by run.sh, whose run_item NAME VERSION runs one test and calls `result` once. $RUN is the lane's there, $RUN_ALL
# the whole run's.
# shellcheck shell=bash

RUN_ALL=$RUN LANES=()

# run_lanes COUNT LIST: run_item for each line of the file LIST, each in the lane that gets there first; returns at the end.
run_lanes() {
	local i
	mkdir "$RUN_ALL/taken"
	: >"$RUN_ALL/results"
	for ((i = 1; i <= $1; i++)); do
		run_lane "$i" "$2" </dev/null &
		LANES+=($!)
	done
	for i in "${LANES[@]}"; do
		wait "$i" || echo "0 1 a lane, which ended early with status $?" >>"$RUN_ALL/results"
	done
	LANES=()
}

run_lane() {
	local item items
	mapfile -t items <"$2"
	RUN=$RUN_ALL/$1
	mkdir "$RUN"
	: >"$RUN/pids"
	trap end_lane EXIT
	trap 'exit 143' TERM
	for item in "${items[@]}"; do
		# shellcheck disable=SC2086
		! mkdir "$RUN_ALL/taken/${item// /-}" 2>/dev/null || run_item $item
	done
}

# limited SECONDS CMD...: its status; a signal to the lane ends it at once.
limited() {
	timeout "$@" &
	TEST_PID=$!
	wait $TEST_PID
}

end_lane() {
	[ -z "${TEST_PID:-}" ] || kill -TERM $TEST_PID 2>/dev/null
	cleanup
}

# Each lane ends what it started.
end_lanes() {
	[ ${#LANES[@]} -eq 0 ] || kill -TERM "${LANES[@]}" 2>/dev/null
	wait
}

# result LABEL FILE STATUS SECONDS: count the TAP in FILE, show what failed, as one block. A script that ends without its
# plan counts as a failure.
result() {
	local label=$1 file=$2 status=$3 took=$4 good bad lock
	good=$(grep -c '^ok ' "$file")
	bad=$(grep -c '^not ok ' "$file")
	if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ] || ! grep -q '^1\.\.' "$file"; then
		bad=$((bad + 1))
		echo "# ended early, status $status" >>"$file"
	fi
	exec {lock}>"$RUN_ALL/results.lock"
	flock "$lock"
	echo "$good $bad $label" >>"$RUN_ALL/results"
	if [ "$bad" -gt 0 ]; then
		step "FAILED $label: $bad of $((good + bad)) ($took s)"
		grep -v '^ok ' "$file" | tail -n 60 | sed 's/^/    /' >&2
	elif grep -q '^1\.\.0 # SKIP' "$file"; then
		step "skipped $label: $(sed -n 's/^1\.\.0 # SKIP //p' "$file")"
	else
		step "passed $label: $good ($took s)"
	fi
	exec {lock}>&-
}
