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
	mkdir -p "$CACHE/locks" "$WORK"
}

# exclusively NAME CMD...: while nobody else who shares $CACHE runs a command under that name.
exclusively() {
	local lock
	exec {lock}>"$CACHE/locks/$1"
	flock "$lock"
	"${@:2}"
	exec {lock}>&-
}

# A port that nobody listens on now, and that this run has not given away yet.
free_port() {
	local port
	while :; do
		port=$((20000 + RANDOM % 12000))
		mkdir "$PORTS/$port" 2>/dev/null || continue
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
	done
	echo "$port"
}

# new_run_dir KIND: make $RUN, the directory of this run: logs, process ids, data directories. Short enough for sockets.
new_run_dir() {
	RUN=$(mktemp -d "${TMPDIR:-/tmp}/mls-$1.XXXXXX")
	chmod 755 "$RUN"
	PORTS=$RUN/ports
	export RUN PORTS
	mkdir "$PORTS"
	: >"$RUN/pids"
}

# remember PID: cleanup ends it.
remember() {
	echo "$1" >>"$RUN/pids"
}

# end_pids SIGNAL PID...: ask them to end, insist after ten seconds.
end_pids() {
	local i
	for ((i = 0; i < 100; i++)); do
		kill -"$([ $i -eq 0 ] && echo "$1" || echo 0)" "${@:2}" 2>/dev/null || return 0
		sleep 0.1
	done
	kill -KILL "${@:2}" 2>/dev/null || true
}

# End all that this run started, and drop its directory.
cleanup() {
	local dir pids servers=()
	[ -n "${RUN:-}" ] && [ -d "$RUN" ] || return 0
	for dir in "$RUN"/*/data; do
		end_cluster "$dir" &
		servers+=($!)
	done
	mapfile -t pids <"$RUN/pids"
	[ ${#pids[@]} -eq 0 ] || end_pids TERM "${pids[@]}"
	wait "${servers[@]}"
	[ -n "${KEEP_RUN:-}" ] || rm -rf "$RUN"
}

# end_cluster DATA: stop the server at once; its data is not needed any more.
end_cluster() {
	local pid
	pid=$(head -n 1 "$1/postmaster.pid" 2>/dev/null) || return 0
	end_pids QUIT "$pid"
}
