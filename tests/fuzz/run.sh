#!/bin/bash
# run.sh - fuzz what reads the endpoints' bytes (libFuzzer, address and undefined behaviour sanitizers).
#
#   tests/fuzz/run.sh [SECONDS]     60 by default; starts from tests/fixtures/swagger and a few replies
#
# PG_CONFIG says whose headers, FUZZ_DIR where program and corpus are kept. An input that fails is left there.

set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
PG_CONFIG=${PG_CONFIG:-pg_config}
DIR=${FUZZ_DIR:-$(mktemp -d "${TMPDIR:-/tmp}/mls-fuzz.XXXXXX")}
CODEC="find_results reshape json_read json_write json_number swagger swagger_node swagger_rows"

cd "$ROOT"
mkdir -p "$DIR/corpus"
# shellcheck disable=SC2046 # a list of words
"${CC:-clang-14}" -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -D_GNU_SOURCE \
	-isystem "$("$PG_CONFIG" --includedir-server)" -Isrc -Itests/fuzz -o "$DIR/fuzz_codec" tests/fuzz/*.c \
	tests/unit/encoding_shim.c $(printf 'src/codec/%s.c ' $CODEC) -L"$("$PG_CONFIG" --pkglibdir)" -lpgcommon -lpgport -lm

for document in tests/fixtures/swagger/*.json; do
	{ printf '\1'; cat "$document"; } >"$DIR/corpus/$(basename "$document")"
done
n=0
for reply in '[1.5,NaN]' '{"predictions":[1,"x",null]}' '"[1, 2]"' '{"a":[1,2],"b":[3,4]}' '{"columns":["a"],"data":[[1]]}' \
	'{"outputs":[{"name":"p","shape":[2,1],"datatype":"FP64","data":[1.5,2.5e-3]}]}' '{"a":{"b":[{"x":"\u00e9\ud83d\ude00"}]}}'; do
	for first in '\0' '\4' '\14' '\24'; do
		# shellcheck disable=SC2059 # an octal escape
		{ printf "$first"; printf %s "$reply"; } >"$DIR/corpus/reply$((n += 1))"
	done
done
cd "$DIR"
exec ./fuzz_codec -max_total_time="${1:-60}" -max_len=4096 -print_final_stats=1 corpus
