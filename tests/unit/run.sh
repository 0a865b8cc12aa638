#!/bin/bash
# run.sh - unit tests of the code that does no I/O: compiled standalone, without a server. TAP on standard output.
#
#   tests/unit/run.sh [MODULE...]     tests/unit/test_MODULE.c; all of them by default
#
# A suite's first comment names what it is compiled with: "sources: src/a/b.c src/a/c.c". PG_CONFIG says whose headers,
# and whose libpgcommon and libpgport (palloc and StringInfo outside a server); CC and EXTRA_CFLAGS (sanitizers) which
# compiler, UNIT_BUILD where the programs go.

set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
BUILD=${UNIT_BUILD:-$(mktemp -d "${TMPDIR:-/tmp}/mls-unit.XXXXXX")}
PG_CONFIG=${PG_CONFIG:-pg_config}
INCLUDES=$("$PG_CONFIG" --includedir-server)
LIBRARIES="-L$("$PG_CONFIG" --pkglibdir) -L$("$PG_CONFIG" --libdir) -lpgcommon -lpgport -lcurl -lz -lm -lcrypto"
FAILED=0

[ -n "${UNIT_BUILD:-}" ] || trap 'rm -rf "$BUILD"' EXIT
mkdir -p "$BUILD"
cd "$ROOT"

# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(for suite in tests/unit/test_*.c; do basename "$suite" .c; done)
for name; do
	suite=tests/unit/test_${name#test_}.c
	program=$BUILD/${name#test_}
	sources=$(sed -n '0,/sources:/s/.*sources: *//p' "$suite" | sed 's,\*/,,')
	echo "# $suite"
	# shellcheck disable=SC2086 # lists of words
	if ! ${CC:-cc} -std=gnu11 -g -O1 -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers -D_GNU_SOURCE -isystem "$INCLUDES" \
		-Isrc -Itests/unit ${EXTRA_CFLAGS:-} -o "$program" "$suite" tests/unit/assert_shim.c $sources $LIBRARIES; then
		echo "not ok - $suite compiles"
		FAILED=1
		continue
	fi
	"$program" || FAILED=1
done
exit $FAILED
