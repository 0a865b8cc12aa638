#!/bin/bash
# The storage emulator that tests write to: Azure's own client reads, writes and lists; keys, SAS and tokens are checked.
# Version: 16, the emulator is the same for every version
. "$(dirname "$0")/../lib/tap.sh"
need_peer azurite azurite_https
box=azurite-peer

blob_container $box
printf 'a,b\n1,2\n' | blob_put $box/in/one.csv rows=1
printf '' | blob_put $box/in/empty.csv
is "$(blob_list $box/in)" "0 $box/in/empty.csv
8 $box/in/one.csv" "blobs are listed"
is "$(blob_get $box/in/one.csv)" $'a,b\n1,2' "and read"
like "$(blob_show $box/in/one.csv)" '"metadata": \{"rows": "1"\}' "with their metadata"

# status URL [CURL OPTION...]: the HTTP status of it.
status() {
	curl -sS -m 20 -o /dev/null -w '%{http_code}' --cacert "$BLOB_CA" "$@"
}

one=$(blob_url $box/in/one.csv)
is "$(status "$one")" 403 "nobody reads without a credential"
is "$(status "$one?$(blob_sas $box r)")" 200 "a SAS reads"
is "$(status -X PUT -H 'x-ms-blob-type: BlockBlob' -d x "$(blob_url $box/new)?$(blob_sas $box r)")" 403 "one for reading does not write"
is "$(status -X PUT -H 'x-ms-blob-type: BlockBlob' -d x "$(blob_url $box/new)?$(blob_sas $box rc)")" 201 "one for writing does"
is "$(status -X PUT -H 'x-ms-blob-type: BlockBlob' -H 'If-None-Match: *' -d x "$(blob_url $box/new)?$(blob_sas $box rcw)")" 409 \
	"what exists is not made again"
is "$(status "$one?$(blob_sas $box r -60)")" 403 "an expired SAS is refused"
blob_delete $box/in
is "$(blob_list $box)" "1 $box/new" "blobs are deleted by prefix"

BLOB_PEER=azurite_https
blob_container $box
echo hello | blob_put $box/a
one=$(blob_url $box/a)
# bearer TOKEN: the status of reading with it.
bearer() {
	status -H 'x-ms-version: 2021-12-02' -H "Authorization: Bearer $1" "$one"
}
is "$(bearer "$(blob_token)")" 200 "a bearer token reads over https"
is "$(bearer "$(blob_token exp=-60)")" 403 "not when it expired"
is "$(bearer "$(blob_token aud=https://elsewhere)")" 403 "nor for another audience"
done_testing
