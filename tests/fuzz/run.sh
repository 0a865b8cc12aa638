#!/bin/bash
# run.sh - fuzz what reads others' bytes (libFuzzer, address and undefined behaviour sanitizers).
#
#   tests/fuzz/run.sh [SECONDS] [TARGET...]     60 by default, of each target: codec (endpoints' replies and swagger, starting
#                                               from tests/fixtures/swagger and a few replies), event (streams' events)
#
# It installs what is missing. PG_CONFIG says whose headers, FUZZ_DIR where programs and corpora are kept. An input that
# fails is left there.

. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"
. "$ROOT/tests/lib/install.sh"
. "$ROOT/tests/lib/pg.sh"

make_state_dirs
# shellcheck disable=SC2086 # a list of words
need_packages $BUILD_PACKAGES clang-14 libclang-rt-14-dev
need_pg 15
PG_CONFIG=${PG_CONFIG:-$(pg_prefix 15)/bin/pg_config}
DIR=${FUZZ_DIR:-$(mktemp -d "${TMPDIR:-/tmp}/mls-fuzz.XXXXXX")}
LIBRARIES="-L$("$PG_CONFIG" --pkglibdir) -lpgcommon -lpgport -lz -lm"
SECONDS_EACH=${1:-60}

# build TARGET SOURCE...: what the target needs of src/codec.
build() {
	local target=$1
	shift
	mkdir -p "$DIR/corpus_$target"
	# shellcheck disable=SC2046,SC2086 # lists of words
	"${CC:-clang-14}" -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -D_GNU_SOURCE \
		-isystem "$("$PG_CONFIG" --includedir-server)" -Isrc -Itests/fuzz -o "$DIR/fuzz_$target" "tests/fuzz/fuzz_$target.c" tests/fuzz/memory.c \
		tests/unit/encoding_shim.c $(printf 'src/codec/%s.c ' "$@") $LIBRARIES
}

seed_codec() {
	local document reply first n=0
	for document in tests/fixtures/swagger/*.json; do
		{ printf '\1'; cat "$document"; } >"$DIR/corpus_codec/$(basename "$document")"
	done
	for reply in '[1.5,NaN]' '{"predictions":[1,"x",null]}' '"[1, 2]"' '{"a":[1,2],"b":[3,4]}' '{"columns":["a"],"data":[[1]]}' \
		'{"outputs":[{"name":"p","shape":[2,1],"datatype":"FP64","data":[1.5,2.5e-3]}]}' '{"a":{"b":[{"x":"\u00e9\ud83d\ude00"}]}}'; do
		for first in '\0' '\4' '\14' '\24'; do
			# shellcheck disable=SC2059 # an octal escape
			{ printf "$first"; printf %s "$reply"; } >"$DIR/corpus_codec/reply$((n += 1))"
		done
	done
}

seed_event() {
	printf '\0\2\4\4\0\0\0\0\0\0\370\77\0\0\0\0\0\0\0\0\0\2\2k\2v\0\2\5\2\2\0\0\200\77' >"$DIR/corpus_event/record"
	printf '\1\2\2\0\4\2\0\0\0' >"$DIR/corpus_event/list"
	printf '\11{"type":"record","name":"r","fields":[{"name":"a","type":["null","int"],"default":null,"aliases":["b"]}]}\0\2\4' >"$DIR/corpus_event/schema"
	printf '\11{"type":"enum","name":"e","symbols":["A"],"default":"A"}\0\0' >"$DIR/corpus_event/enum"
	printf '\12$.a["b"][2].c\0{"a": {"b": [1, 2, {"c": "x"}]}, "A": 1}' >"$DIR/corpus_event/path"
	printf '\0132026-03-02T10:00:00.123456+01:30' >"$DIR/corpus_event/time"
	printf '\0131700000000.25' >"$DIR/corpus_event/number"
	printf '\15\0a,"b ""c"""\r\n\n"x\ny",\n' >"$DIR/corpus_event/csv"
	{ printf '\14'; printf '{"a": 1}' | gzip -n; } >"$DIR/corpus_event/gzip"
}

cd "$ROOT"
[ $# -gt 1 ] && shift || set -- codec event
for target; do
	case $target in
	codec) build codec find_results reshape json_read json_write json_number swagger swagger_node swagger_rows ;;
	event) build event avro_schema avro_resolve avro_json decode_time event_path gunzip csv_record key_hint json_read json_write json_number ;;
	*) echo "unknown target $target" >&2 && exit 2 ;;
	esac
	"seed_$target"
	(cd "$DIR" && "./fuzz_$target" -max_total_time="$SECONDS_EACH" -max_len=4096 -print_final_stats=1 "corpus_$target")
done
