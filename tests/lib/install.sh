# install.sh - what a bare Debian 12 lacks: packages by apt (root or sudo), Python packages into environments of ours.
#
# Quick when everything is there; each function may be called again at any time. Only Debian packages reach the system;
# the user's PostgreSQL clusters are left alone, and none is created.
# shellcheck shell=bash

COMPILE_PACKAGES="ca-certificates gcc make libc6-dev libcurl4-openssl-dev librdkafka-dev libssl-dev zlib1g-dev python3 python3-venv curl"
BUILD_PACKAGES="$COMPILE_PACKAGES postgresql-15 postgresql-server-dev-15 postgresql-15-cron"
LINT_PACKAGES="clang-14 clang-format-14 cppcheck shellcheck"

missing_packages() {
	local package status
	for package in "$@"; do
		status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=
		[ "$status" = installed ] || echo "$package"
	done
}

may_install() {
	[ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }
}

# Prefix for commands that change the system: nothing for root, sudo for others who may.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		env DEBIAN_FRONTEND=noninteractive "$@"
	else
		sudo -n env DEBIAN_FRONTEND=noninteractive "$@"
	fi
}

apt_install() {
	local log=$WORK/apt.log
	if ! as_root apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "$@" >>"$log" 2>&1; then
		run_logged "$log" as_root apt-get -o DPkg::Lock::Timeout=300 update -qq
		run_logged "$log" as_root apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "$@"
	fi
}

# Debian's package makes and starts a cluster "main" when it is installed: not on a machine that had no PostgreSQL.
apt_install_postgresql() {
	local conf=/etc/postgresql-common/createcluster.conf
	if [ -n "$(missing_packages postgresql-common)" ]; then
		apt_install postgresql-common
		as_root cp -p $conf $conf.ml_score
		as_root sed -i 's/^#\? *create_main_cluster.*/create_main_cluster = false/' $conf
		apt_install "$@"
		as_root mv $conf.ml_score $conf
	else
		apt_install "$@"
	fi
}

# need_packages NAME...: install what is missing of these Debian packages.
need_packages() {
	command -v apt-get >/dev/null || die "apt-get not found: these scripts install on Debian 12 only"
	[ -z "$(missing_packages "$@")" ] || exclusively packages install_missing "$@"
}

install_missing() {
	local missing
	missing=$(missing_packages "$@" | tr '\n' ' ')
	[ -n "$missing" ] || return 0
	may_install || die "these Debian packages are missing, and neither root nor sudo (without a password) is at hand: $missing"
	: >"$WORK/apt.log"
	step "installing Debian packages: $missing"
	# shellcheck disable=SC2086
	case " $missing" in
	*" postgresql-15 "*) apt_install_postgresql $missing ;;
	*) apt_install $missing ;;
	esac
}

# A browser without a screen, and a font to write with.
need_chromium() {
	need_packages chromium-headless-shell fonts-dejavu-core
}

# unpack_package NAME DIR: a Debian package's files without installing it, for it would start a service.
unpack_package() {
	exclusively packages download_package "$1" "$2"
}

download_package() {
	local name=$1 dir=$2 tmp=$2.tmp
	[ -d "$dir" ] && return 0
	rm -rf "$tmp"
	mkdir -p "$tmp/download"
	if ! env -C "$tmp/download" apt-get download -qq "$name" >"$WORK/apt.log" 2>&1; then
		may_install && run_logged "$WORK/apt.log" as_root apt-get -o DPkg::Lock::Timeout=300 update -qq
		run_logged "$WORK/apt.log" env -C "$tmp/download" apt-get download -qq "$name"
	fi
	run_logged "$WORK/apt.log" dpkg-deb -x "$tmp/download/$name"_*.deb "$tmp/content"
	mv "$tmp/content" "$dir"
	rm -rf "$tmp"
}

# Prometheus, and what tells it of PostgreSQL, as $CACHE/prometheus and $CACHE/postgres_exporter.
need_prometheus() {
	unpack_package prometheus "$CACHE/prometheus"
	unpack_package prometheus-postgres-exporter "$CACHE/postgres_exporter"
}

need_go() {
	command -v go >/dev/null || need_packages golang-go
}

# pip inside an environment, with the system's certificates: those include a company's own.
venv_pip() {
	local venv=$1
	shift
	PIP_CERT=${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt} PIP_DISABLE_PIP_VERSION_CHECK=1 \
		"$venv/bin/python" -m pip "$@"
}

# need_venv NAME: the Python environment of tests/peers/NAME.txt, as $CACHE/venv-NAME.
need_venv() {
	exclusively "venv-$1" make_venv "$1"
}

make_venv() {
	local name=$1 venv=$CACHE/venv-$1 pins=$ROOT/tests/peers/$1.txt
	cmp -s "$pins" "$venv/installed.txt" && return 0
	step "installing Python packages of $name ($(grep -cv '^#' "$pins"))"
	rm -rf "$venv"
	run_logged "$WORK/venv-$name.log" /usr/bin/python3 -m venv "$venv"
	run_logged "$WORK/venv-$name.log" venv_pip "$venv" install -q --only-binary :all: -r "$pins"
	cp "$pins" "$venv/installed.txt"
}

# unpack_wheel PACKAGE==VERSION DIR: unpack a wheel without installing it.
unpack_wheel() {
	exclusively wheels download_wheel "$1" "$2"
}

download_wheel() {
	local dir=$2 tmp=$2.tmp
	[ -d "$dir" ] && return 0
	rm -rf "$tmp"
	mkdir -p "$tmp/download"
	[ -x "$CACHE/venv-pip/bin/python" ] || run_logged "$WORK/wheel.log" /usr/bin/python3 -m venv "$CACHE/venv-pip"
	run_logged "$WORK/wheel.log" venv_pip "$CACHE/venv-pip" download -q --no-deps --only-binary :all: -d "$tmp/download" "$1"
	/usr/bin/python3 -m zipfile -e "$tmp"/download/*.whl "$tmp/content"
	mv "$tmp/content" "$dir"
	rm -rf "$tmp"
}

# The diamonds data set as $CACHE/diamonds.csv: 53,940 rows, with a header.
need_diamonds() {
	[ -s "$CACHE/diamonds.csv" ] && return 0
	unpack_wheel plotnine==0.15.9 "$CACHE/plotnine"
	ln -sf plotnine/plotnine/data/diamonds.csv "$CACHE/diamonds.csv"
}
