#!/bin/bash
# lint.sh - warnings as errors on gcc and clang, formatting, cppcheck, shellcheck. Every finding is printed.

. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
. "$ROOT/tests/lib/install.sh"
. "$ROOT/tests/lib/pg.sh"

make_state_dirs
# shellcheck disable=SC2086
need_packages $BUILD_PACKAGES $LINT_PACKAGES
need_pg 15
findings=0
cd "$ROOT"

# check NAME CMD...
check() {
	local name=$1
	shift
	if "$@" >"$WORK/lint.log" 2>&1; then
		step "clean: $name"
	else
		findings=$((findings + 1))
		step "FAILED: $name"
		grep -vE '^(gcc|clang-14|make) ' "$WORK/lint.log" | head -n 60 >&2
	fi
}

# compile CC FLAGS: the whole extension, in a directory of its own.
compile() {
	local dir=$WORK/lint-$1
	rm -rf "$dir"
	mkdir -p "$dir"
	source_files | tar -c -T - | tar -x -C "$dir"
	make -C "$dir" -s -j2 CC="$1" with_llvm=no PG_CONFIG="$(pg_prefix 15)/bin/pg_config" EXTRA_CFLAGS="-Werror $2"
}

formatted() {
	find src tests/unit tests/bench -name '*.[ch]' -print0 | xargs -0 clang-format-14 --dry-run -Werror
}

c_checked() {
	cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --enable=warning,performance -j 2 --include=tests/lib/cppcheck.h \
		--suppress=missingInclude --suppress=missingIncludeSystem --suppress=unknownMacro --suppress=nullPointerRedundantCheck -I src src
}

shell_checked() {
	find .ci/run tests -name '*.sh' -print0 -o -path .ci/run -print0 | xargs -0 -n 16 -P 2 shellcheck -x -P SCRIPTDIR -S warning -e SC1090,SC1091,SC2034,SC2089,SC2090,SC2154,SC2164
}

check "gcc -Werror" compile gcc ""
check "clang -Werror" compile clang-14 "-Wno-unknown-warning-option -Wno-ignored-optimization-argument"
check "clang-format" formatted
check cppcheck c_checked
check shellcheck shell_checked
[ $findings -eq 0 ] || die "$findings checks failed"
