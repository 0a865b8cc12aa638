#!/bin/bash
# The batch endpoint that tests talk to is what Azure's own client expects; its jobs are real; its faults are there.
# Version: 16, the endpoint is the same for every version
. "$(dirname "$0")/../lib/tap.sh"
need_peer batch_endpoint
batch_no_faults
box=standin
blob_container $box
batch_datastore standin $box
store=azureml://subscriptions/s/resourcegroups/g/workspaces/w/datastores/standin/paths
BATCH_TOKEN=$(batch_token) BATCH_ARM_TOKEN=$(batch_arm_token)
export BATCH_TOKEN BATCH_ARM_TOKEN
head -n 101 "$CACHE/diamonds.csv" | blob_put $box/in/1.csv
{ head -n 1 "$CACHE/diamonds.csv"; sed -n 102,151p "$CACHE/diamonds.csv"; } | blob_put $box/in/2.csv
head -n 2 "$CACHE/diamonds.csv" | blob_put $box/in/nested/3.csv

# official WORD...: Azure's client.
official() {
	REQUESTS_CA_BUNDLE=$BLOB_CA "$CACHE/venv-azure/bin/python" "$ROOT/tests/peers/batch_client.py" "${BATCH_HTTPS_URL%/jobs}" "$@" 2>&1
}

# How many jobs there are: other tests may have had theirs before.
count_jobs() {
	official list | grep -c '^batchjob-'
}
jobs_before=$(count_jobs)

# request METHOD URL [BODY [HEADER...]]: status on the first line, then the answer.
request() {
	local method=$1 url=$2 body=${3:-} header headers=()
	shift; shift; shift
	for header in "$@"; do headers+=(-H "$header"); done
	curl -sS -m 30 -X "$method" -H "Authorization: Bearer $BATCH_TOKEN" -w '\n%{http_code}\n' ${body:+-d "$body"} "${headers[@]}" "$url" 2>&1 | tac
}

# invoke INPUT OUTPUT [DEPLOYMENT]: in PascalCase; the answer.
invoke() {
	request POST "$BATCH_URL" '{"Properties": {"InputData": {"rows": {"JobInputType": "UriFolder", "Uri": "'"$1"'"}},
		"OutputData": {"score": {"JobOutputType": "UriFile", "Uri": "'"$2"'"}}}}' "azureml-model-deployment: ${3:-mlflow}"
}

# field NAME ANSWER: the first value of that name.
field() {
	grep -o "\"$1\": \"[^\"]*\"" <<<"$2" | head -n 1 | cut -d '"' -f 4
}

# wait_for_state NAME STATE: the job's status once it is so, or after 90 seconds.
wait_for_state() {
	poll 90 reaches "$1" "$2"
	echo "$state"
}
reaches() {
	state=$(field status "$(request GET "$BATCH_URL/$1" "")")
	[ "$state" = "$2" ]
}

# finished ANSWER [STATE]: the state in which the invoked job ends.
finished() {
	wait_for_state "$(field name "$1")" "${2:-Completed}"
}

name=$(official invoke $store/in $store/out/official.csv | tail -n 1)
like "$name" '^batchjob-' "azure-ai-ml invokes"
is "$(wait_for_state "$name" Completed)" Completed "the job completes"
like "$(official show "$name")" COMPLETED "azure-ai-ml shows it"
is "$(blob_get $box/out/official.csv | wc -l)" 150 "a row for each of the two files, not for the nested one"
is "$(blob_get $box/out/official.csv | cut -d , -f 1,3 | sed -n '1p;101p')" $'0,1.csv\n0,2.csv' "row and file, in MLflow's dialect"
expected=$(head -n 150 "$CACHE/model/predicted.csv" | cut -d , -f 2)
is "$(paste -d , <(blob_get $box/out/official.csv | cut -d , -f 2) <(echo "$expected") |
	awk -F , '{ if ($1 - $2 > 200 || $2 - $1 > 200) bad++ } END { print NR, bad + 0 }')" "150 0" "predictions are the model's"

answer=$(invoke $store/in $store/out/script.csv script)
like "$answer" '^200' "PascalCase is understood as well"
is "$(finished "$answer")" Completed "another deployment"
like "$(blob_get $box/out/script.csv | head -n 1)" '^0 [0-9.]+ 1\.csv$' "whose dialect has spaces"
sed -n 1,2p "$CACHE/diamonds.csv" | /usr/bin/python3 -c 'import csv, json, sys
for row in csv.DictReader(sys.stdin): print(json.dumps({"id": "first one", **{k: v if k in ("cut", "color", "clarity") else float(v) for k, v in row.items()}}))' |
	blob_put $box/lines/1.jsonl
is "$(finished "$(invoke $store/lines $store/out/id.csv script-id)")" Completed "JSON lines"
like "$(blob_get $box/out/id.csv)" '^"first one" [0-9.]+$' "and an input column in the output, quoted where it has spaces"
answer=$(request POST "$BATCH_URL" '{"properties": {"inputData": {"rate": {"jobInputType": "Literal", "value": "0.1"}, "rows":
	{"jobInputType": "UriFolder", "uri": "'$store/in'"}}, "outputData": {"model": {"jobOutputType": "UriFile", "uri": "'$store/out/model'"}}}}' \
	"azureml-model-deployment: pipeline")
is "$(finished "$answer")" Completed "a pipeline deployment takes literals"
like "$(blob_get $box/out/model)" '"rate": "0.1"' "and tells what it was given"
for i in 1 2; do batch_fault '{"on": "job", "state": "Canceled"}' && invoke $store/in $store/out/$i.csv >/dev/null; done
is $(($(count_jobs) - jobs_before)) 6 "azure-ai-ml lists all pages"

batch_fault '{"on": "job", "hold": "Running", "report": "Dreaming"}'
answer=$(invoke $store/in $store/out/cancelled.csv)
is "$(finished "$answer" Dreaming)" Dreaming "a job can be held, and report a state that nobody knows"
official cancel "$(field name "$answer")"
is "$(finished "$answer" Canceled)" Canceled "azure-ai-ml cancels it"
is "$(blob_list $box/out/cancelled.csv)" "" "which leaves no output"

is "$(finished "$(invoke $store/in $store/out/script.csv)" Failed)" Failed "an output that exists fails the job"
is "$(finished "$(invoke $store/nothing $store/out/nothing.csv)" Failed)" Failed "so does an empty folder"
answer=$(invoke "$(blob_url $box/in)?$(blob_sas $box rl)" $store/out/sas.csv)
is "$(finished "$answer")" Completed "a blob's URL with its own SAS"
is "$(finished "$(invoke "$(blob_url $box/in)?$(blob_sas $box rl -60)" $store/out/expired.csv)" Failed)" Failed "not with an expired one"
like "$(invoke $store/in "$(blob_url $box/out/url.csv)")" '^400' "no output to a blob's URL"
like "$(invoke azureml:/subscriptions/s/datastores/standin/paths/in $store/out/x.csv)" '^400' "nor an azureml:/ URI with one slash"
like "$(invoke $store/in $store/out/x.csv nobody)" '^404' "nor an unknown deployment"
like "$(BATCH_TOKEN=$BATCH_ARM_TOKEN invoke $store/in $store/out/x.csv)" '^401' "nor a token for another audience"

batch_fault '{"on": "job", "state": "Failed", "error": {"code": "UserError", "message": "no such column"}}'
answer=$(invoke $store/in $store/out/failed.csv)
is "$(finished "$answer" Failed)" Failed "a job told to fail"
name=$(field name "$answer")
like "$(request GET "$BATCH_URL/$name" "")" "no such column" "tells its error"
log=$(request GET "${BATCH_URL%/jobs}/history/v1.0$BATCH_WORKSPACE/experiments/price-batch/runs/$name/details" "" | grep -o '"http[^"]*errors.txt[^"]*"' | tr -d '"')
like "$(curl -sS "$log")" "no such column" "and the run history where its log is"

jobs=$(batch_jobs | grep -o '"deployment"' | wc -l)
batch_fault '{"on": "invoke", "after": true, "status": 503, "retry_after": 2}'
like "$(invoke $store/in $store/out/lost.csv)" '^503' "503"
batch_fault '{"on": "invoke", "after": true, "drop": true}'
like "$(invoke $store/in $store/out/dropped.csv)" 'Empty reply' "no answer"
is "$(batch_jobs | grep -o '"deployment"' | wc -l)" $((jobs + 2)) "although the jobs are there"
batch_fault '{"on": "status", "status": 429, "times": 2}'
is "$(for i in 1 2 3; do request GET "$BATCH_URL/$name" "" | head -n 1; done)" $'429\n429\n200' "a fault lasts as often as it was told"
batch_fault '{"on": "job", "output": "truncated"}'
is "$(finished "$(invoke $store/in $store/out/half.csv)")" Completed "completed with half of its output"
cmp_ok "$(blob_get $box/out/half.csv | wc -l)" '<' 100 "half"
batch_fault '{"on": "job", "skip_files": 1}'
is "$(finished "$(invoke $store/in $store/out/one.csv)")" Completed "completed without a file that failed"
is "$(blob_get $box/out/one.csv | cut -d , -f 3 | uniq -c | tr -s ' ')" " 50 2.csv" "which is absent"
batch_fault '{"on": "job", "output": "none"}'
is "$(finished "$(invoke $store/in $store/out/none.csv)") $(blob_list $box/out/none)" "Completed " "completed without output"
done_testing
