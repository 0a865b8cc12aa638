#!/bin/bash
# ml_score.export_inference_log: files as Azure ML's data collector writes them, read back with Azure's own client and pandas.
# Version: 16, the storage is the same for every version
. "$(dirname "$0")/../lib/tap.sh"
need_peer fast azurite deployments
box=export-log
blob_container $box >/dev/null 2>&1
diamonds_table 100
fast_function f "/unused"
sql <<-EOF
	ALTER SERVER f OPTIONS (SET url '$(deployments_url blue "$(peer_url fast)/tag/export/score")', deployment 'blue', log_table 'public.f_log', max_batch_rows '10');
	CREATE SERVER lake TYPE 'blob' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(blob_url $box)', auth 'shared_key');
	CREATE USER MAPPING FOR CURRENT_USER SERVER lake OPTIONS (account_key '$BLOB_KEY');
EOF
sql "SELECT count(f($DIAMOND)) FROM diamonds" >/dev/null
wait_until 30 "SELECT count(*) = 100 FROM f_log"
# Some of it in an earlier hour, by another deployment, and a row that failed.
sql "SELECT ml_score.create_inference_log('f')" >/dev/null
sql "UPDATE f_log SET time = date_trunc('hour', now()) - interval '30 min'"
sql "UPDATE f_log SET deployment = NULL, time = time - interval '1 hour' WHERE request_id = (SELECT min(request_id) FROM f_log)" 2>/dev/null
sql "UPDATE f_log SET outputs = NULL, error = 'no' WHERE (request_id, request_row) = (SELECT max(request_id), 3 FROM f_log)"

out=$(sql "SELECT split_part(path, '/', 3) || ' ' || split_part(path, '/', 4), requests, rows, bytes > 0 FROM ml_score.export_inference_log('f', 'lake', now() - interval '3 hours', now(), endpoint => 'diamonds') ORDER BY 1")
is "$out" $'blue model_inputs|9|89|t\nblue model_outputs|9|89|t\ndefault model_inputs|1|10|t\ndefault model_outputs|1|10|t' "a file for each deployment, collection and hour"
hour=$(sql "SELECT to_char((date_trunc('hour', now()) - interval '30 min') AT TIME ZONE 'UTC', 'YYYY/MM/DD/HH24')")
inputs=modelDataCollector/diamonds/blue/model_inputs/$hour/ml_score-$PGDATABASE-f.jsonl
like "$(blob_list $box/modelDataCollector)" " $box/$inputs" "where the data collector has them"
blob_get "$box/$inputs" >"$RUN/$TEST_NAME.inputs"
blob_get "$box/${inputs/model_inputs/model_outputs}" >"$RUN/$TEST_NAME.outputs"
is "$(python3 - "$RUN/$TEST_NAME.inputs" "$RUN/$TEST_NAME.outputs" <<'EOF'
import json, sys
inputs, outputs = ([json.loads(line) for line in open(name)] for name in sys.argv[1:])
first = inputs[0]
print(len(inputs), len(outputs), sum(len(line["data"]) for line in inputs), sorted(first) == sorted(
    ["specversion", "id", "source", "type", "datacontenttype", "time", "data", "contentrange", "correlationid", "xrequestid", "modelversion", "collectdatatype", "agent"]))
print(first["type"], outputs[0]["type"], first["specversion"], first["source"], first["collectdatatype"], first["time"].endswith("Z"))
print([line["correlationid"] for line in inputs] == [line["correlationid"] for line in outputs], [len(line["data"]) for line in inputs] == [len(line["data"]) for line in outputs])
def score(row): return sum((i + 1) * (len(v) if isinstance(v, str) else v) for i, v in enumerate(row[k] for k in "carat cut color clarity depth table x y z".split()))
print(all(abs(score(row) - answer["prediction"]) < 1e-6 for a, b in zip(inputs, outputs) for row, answer in zip(a["data"], b["data"])), len({line["id"] for line in inputs + outputs}))
EOF
)" "9 9 89 True
azureml.inference.model_inputs azureml.inference.model_outputs 1.0 /onlineEndpoints/diamonds/deployments/blue pandas.core.frame.DataFrame True
True True
True 18" "lines as the collector writes them, inputs and outputs in step"
is "$(sql "SELECT count(*) FROM ml_score.export_inference_log('f', 'lake', now() - interval '3 hours', now(), endpoint => 'diamonds')")" 4 "it can be run again"
sql "UPDATE f_log SET outputs = '1' WHERE deployment = 'blue'"
like "$(sql_error "SELECT * FROM ml_score.export_inference_log('f', 'lake', now() - interval '3 hours', now(), endpoint => 'diamonds')")" "409|exists" "but does not overwrite another content"
is "$(sql "SELECT count(*) FROM ml_score.export_inference_log('f', 'lake', now() + interval '3 hours', now() + interval '5 hours')")" 0 "no rows, no files"

# Who may.
sql "CREATE ROLE exporter_$PGVER LOGIN"
like "$(PGUSER=exporter_$PGVER sql_error "SELECT * FROM ml_score.export_inference_log('f', 'lake', now() - interval '3 hours')")" "permission denied for foreign server lake" "USAGE on the storage is needed"
sql "GRANT USAGE ON FOREIGN SERVER lake TO exporter_$PGVER; CREATE USER MAPPING FOR exporter_$PGVER SERVER lake OPTIONS (account_key '$BLOB_KEY')"
like "$(PGUSER=exporter_$PGVER sql_error "SELECT * FROM ml_score.export_inference_log('f', 'lake', now() - interval '3 hours')")" "permission denied for table f_log" "and SELECT on the log"
like "$(sql_error "SELECT * FROM ml_score.export_inference_log('lake', 'lake', now())")" "is of type 'blob', not 'online'" "other servers have no log"
like "$(sql_error "ALTER SERVER f OPTIONS (DROP log_table); SELECT * FROM ml_score.export_inference_log('f', 'lake', now())")" "HV002.*needs the option \"log_table\"" "nor has one without log_table"
sql "DROP OWNED BY exporter_$PGVER; DROP ROLE exporter_$PGVER"
done_testing
