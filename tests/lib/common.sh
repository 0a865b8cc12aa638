# common.sh - what every script under tests/ starts with: where things are, progress, errors, and ending what was started.
#
# Sourced, never run. Nothing is written into the checkout: downloads go to $CACHE and are shared by all checkouts of
# this user, everything else to $WORK, which belongs to this checkout. Both survive, so that a second run is quick;
# `rm -rf` of $STATE is always safe when nothing runs.
# shellcheck shell=bash

set -euo pipefail
umask 022
export LC_ALL=C.UTF-8

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
STATE=${ML_SCORE_STATE:-/var/tmp/ml_score-$(id -u)}
CACHE=$STATE/cache
WORK=$STATE/work-$(printf '%s' "$ROOT" | cksum | cut -d ' ' -f 1)

# Servers refuse to run as root: this is who they run as then (Debian's package creates it).
SERVER_USER=$([ "$(id -u)" = 0 ] && echo postgres || id -un)

die() {
	printf '%s: error: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# One line of progress, with the seconds since the start.
step() {
	printf '[%3ds] %s\n' "$SECONDS" "$*" >&2
}

# run_logged LOG CMD...: quiet while it works; the log's end and a one-line error when it does not.
run_logged() {
	local log=$1
	shift
	if ! "$@" >"$log" 2>&1; then
		tail -n 25 "$log" >&2
		die "failed: $* (whole log: $log)"
	fi
}

# as_server CMD...: run it as the user that servers run as, who need not see the current directory.
as_server() {
	if [ "$(id -u)" = 0 ]; then
		env -C / setpriv --reuid "$SERVER_USER" --regid "$SERVER_USER" --init-groups env HOME="$WORK" "$@"
	else
		"$@"
	fi
}

# The state directory has a foreseeable name in a public place: take it only when it is ours.
make_state_dirs() {
	mkdir -p "$STATE"
	if [ -L "$STATE" ] || [ ! -O "$STATE" ]; then
		die "$STATE belongs to someone else; set ML_SCORE_STATE to a directory of your own"
	fi
	chmod 755 "$STATE"
	mkdir -p "$CACHE" "$WORK"
}

# A port that nobody listens on now.
free_port() {
	local port
	while :; do
		port=$((20000 + RANDOM % 12000))
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
	done
	echo "$port"
}

# new_run_dir KIND: make $RUN, the directory of this run: logs, process ids, data directories. Short enough for sockets.
new_run_dir() {
	RUN=$(mktemp -d "${TMPDIR:-/tmp}/mls-$1.XXXXXX")
	chmod 755 "$RUN"
	export RUN
	: >"$RUN/pids"
}

# remember PID: cleanup ends it.
remember() {
	echo "$1" >>"$RUN/pids"
}

# end_pid PID: ask it to end, insist after five seconds.
end_pid() {
	local pid=$1 i
	kill -TERM "$pid" 2>/dev/null || return 0
	for ((i = 0; i < 50; i++)); do
		kill -0 "$pid" 2>/dev/null || return 0
		sleep 0.1
	done
	kill -KILL "$pid" 2>/dev/null || true
}

# End all that this run started, newest first, and drop its directory.
cleanup() {
	local pid dir
	[ -n "${RUN:-}" ] && [ -d "$RUN" ] || return 0
	for dir in "$RUN"/*/data; do
		[ -f "$dir/postmaster.pid" ] && end_cluster "$dir"
	done
	if [ -s "$RUN/pids" ]; then
		for pid in $(tac "$RUN/pids"); do end_pid "$pid"; done
	fi
	[ -n "${KEEP_RUN:-}" ] || rm -rf "$RUN"
}

# end_cluster DATA: stop the server at once; its data is not needed any more.
end_cluster() {
	local pid
	pid=$(head -n 1 "$1/postmaster.pid" 2>/dev/null) || return 0
	kill -INT "$pid" 2>/dev/null || return 0
	for _ in $(seq 100); do
		kill -0 "$pid" 2>/dev/null || return 0
		sleep 0.1
	done
	kill -QUIT "$pid" 2>/dev/null || true
}
