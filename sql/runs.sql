-- events of Azure Machine Learning to run_event and run_metric
\set VERBOSITY terse
SET TimeZone = 'UTC';

-- the documented samples: Event Grid's schema
SELECT ml_score.ingest_event('[{
  "topic": "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg1/providers/Microsoft.MachineLearningServices/workspaces/ws1",
  "eventType": "Microsoft.MachineLearningServices.ModelRegistered", "subject": "models/sklearn_regression_model:20",
  "eventTime": "2017-06-26T18:41:00.9584103Z", "id": "831e1650-001e-001b-66ab-eeb76e069631",
  "data": {"ModelName": "sklearn_regression_model", "ModelVersion": 20, "ModelTags": {"area": "diabetes", "type": "regression"}, "ModelProperties": {"type": "test"}},
  "dataVersion": "", "metadataVersion": "1"}]');
SELECT ml_score.ingest_event('[{
  "topic": "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg1/providers/Microsoft.MachineLearningServices/workspaces/ws1",
  "eventType": "Microsoft.MachineLearningServices.ModelDeployed", "subject": "endpoints/my-sklearn-service",
  "eventTime": "2017-06-26T18:41:00.9584103Z", "id": "831e1650-001e-001b-66ab-eeb76e069632",
  "data": {"ServiceName": "my-sklearn-service", "ServiceComputeType": "ACI", "ModelIds": "sklearn_regression_model:1,sklearn_regression_model:2", "ServiceTags": {"area": "diabetes"}, "ServiceProperties": {}},
  "dataVersion": "", "metadataVersion": "1"}]');
SELECT ml_score.ingest_event('[{
  "topic": "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg1/providers/Microsoft.MachineLearningServices/workspaces/ws1",
  "eventType": "Microsoft.MachineLearningServices.RunCompleted", "subject": "experiments/0fa9dfaa-cba3-4fa7-b590-23e48548f5c1/runs/AutoML_ad912b2d-6467-4f32-a616-dbe4af6dd8fc",
  "eventTime": "2017-06-26T18:41:00.9584103Z", "id": "831e1650-001e-001b-66ab-eeb76e069633",
  "data": {"experimentId": "0fa9dfaa-cba3-4fa7-b590-23e48548f5c1", "experimentName": "automl-local-regression", "runId": "AutoML_ad912b2d-6467-4f32-a616-dbe4af6dd8fc", "runType": null, "runTags": {}, "runProperties": {}},
  "dataVersion": "", "metadataVersion": "1"}]');
SELECT ml_score.ingest_event('[{
  "topic": "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg1/providers/Microsoft.MachineLearningServices/workspaces/ws1",
  "eventType": "Microsoft.MachineLearningServices.RunStatusChanged", "subject": "experiments/0fa9dfaa-cba3-4fa7-b590-23e48548f5c1/runs/AutoML_ad912b2d-6467-4f32-a616-dbe4af6dd8fc",
  "eventTime": "2017-06-26T18:41:00.9584103Z", "id": "831e1650-001e-001b-66ab-eeb76e069634",
  "data": {"experimentId": "0fa9dfaa-cba3-4fa7-b590-23e48548f5c1", "experimentName": "automl-local-regression", "runId": "AutoML_ad912b2d-6467-4f32-a616-dbe4af6dd8fc", "runType": null, "runTags": {}, "runProperties": {}, "runStatus": "failed"},
  "dataVersion": "", "metadataVersion": "1"}]');
SELECT ml_score.ingest_event('[{
  "topic": "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg1/providers/Microsoft.MachineLearningServices/workspaces/ws1",
  "eventType": "Microsoft.MachineLearningServices.DatasetDriftDetected", "subject": "datadrifts/4e694bf5-712e-4e40-b06a-d2a2755212d4/runs/my_driftrun1_1550564444_fbbcdc0f",
  "eventTime": "2017-06-26T18:41:00.9584103Z", "id": "831e1650-001e-001b-66ab-eeb76e069635",
  "data": {"DataDriftId": "4e694bf5-712e-4e40-b06a-d2a2755212d4", "DataDriftName": "my_driftrun1_1550564444_fbbcdc0f", "RunId": "my_driftrun1_1550564444_fbbcdc0f", "BaseDatasetId": "3c56d136-0f64-4657-a0e8-5162089a88a3", "TargetDatasetId": "d7e74d2e-c972-4266-b5fb-6c9c182d2a74", "DriftCoefficient": 0.83503490684792081, "StartTime": "2019-07-04T00:00:00+00:00", "EndTime": "2019-07-05T00:00:00+00:00"},
  "dataVersion": "", "metadataVersion": "1"}]');
-- CloudEvents: the same event of a run, and each kind once more as a single object
SELECT ml_score.ingest_event('{"source": "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/RG1/providers/Microsoft.MachineLearningServices/workspaces/WS1/",
  "type": "Microsoft.MachineLearningServices.RunStatusChanged", "subject": "experiments/0fa9dfaa-cba3-4fa7-b590-23e48548f5c1/runs/AutoML_ad912b2d-6467-4f32-a616-dbe4af6dd8fc",
  "time": "2017-06-26T18:41:00.9584103Z", "id": "831e1650-001e-001b-66ab-eeb76e069634", "specversion": "1.0",
  "data": {"experimentId": "0fa9dfaa-cba3-4fa7-b590-23e48548f5c1", "experimentName": "automl-local-regression", "runId": "AutoML_ad912b2d-6467-4f32-a616-dbe4af6dd8fc", "runType": null, "runTags": {}, "runProperties": {}, "runStatus": "failed"}}') AS known_already;
SELECT ml_score.ingest_event(jsonb_build_object('specversion', '1.0', 'id', 'ce-' || kind, 'source', '/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w',
    'type', 'Microsoft.MachineLearningServices.' || kind, 'time', '2026-03-02T10:00:00Z', 'subject', 'x', 'data', data))
FROM (VALUES ('ModelRegistered', '{"ModelName": "m", "ModelVersion": "1"}'::jsonb), ('ModelDeployed', '{"ServiceName": "s"}'),
    ('RunCompleted', '{"runId": "r1", "experimentName": "e"}'), ('RunStatusChanged', '{"runId": "r2", "experimentName": "e", "runStatus": "Running"}'),
    ('DatasetDriftDetected', '{"RunId": "d1", "DriftCoefficient": 0.41}')) e (kind, data);
SELECT type, event_time, subject, run_id, experiment, status FROM ml_score.run_event ORDER BY workspace_id, id;
SELECT workspace_id, run_id, experiment_id, experiment, workspace, resource_group, subscription_id, status, created_at, start_time, end_time FROM ml_score.run_metric ORDER BY 1, 2;

-- the third spelling, keys in other cases, tags and properties with columns of their own
SELECT ml_score.ingest_event('{"ID": "k1", "TOPIC": "/subscriptions/S/resourcegroups/G/providers/microsoft.machinelearningservices/workspaces/W", "event_type": "microsoft.machinelearningservices.runstatuschanged",
  "Data": {"ExperimentName": "churn", "ExperimentId": "x1", "RunId": "step_1", "RunType": "azureml.StepRun", "RunStatus": "RUNNING",
    "RunTags": {"azureml.pipelinerunid": "pipe_1", "owner": "ann", "azureml_modelmonitor_threshold_breached": "drift"},
    "RunProperties": {"ComputeTargetType": "AmlCompute", "contentSnapshotId": "snap", "StepType": "PythonScriptStep", "azureml.nodeid": "n7", "azureml.parameters": "{}", "tries": 2, "none": null}}}');
SELECT parent_run_id, experiment, run_type, status, compute_type, snapshot_id, step_type, node_id, extra, created_at FROM ml_score.run_metric WHERE run_id = 'step_1';

-- whatever the order: what is over stays over, what is said beats what is meant
CREATE FUNCTION pg_temp.status(run text, said text, at text, id text) RETURNS jsonb LANGUAGE sql AS $$
SELECT jsonb_build_object('id', id, 'eventTime', at, 'topic', '', 'eventType', CASE WHEN said IS NULL THEN 'Microsoft.MachineLearningServices.RunCompleted' ELSE 'Microsoft.MachineLearningServices.RunStatusChanged' END,
    'data', jsonb_build_object('runId', run, 'runStatus', said)) $$;
SELECT ml_score.ingest_event(pg_temp.status('o1', 'Failed', '2026-01-01T10:05:00Z', 'o1f')), ml_score.ingest_event(pg_temp.status('o1', NULL, '2026-01-01T10:06:00Z', 'o1c')),
    ml_score.ingest_event(pg_temp.status('o1', 'Running', '2026-01-01T10:07:00Z', 'o1r')), ml_score.ingest_event(pg_temp.status('o1', 'Running', '2026-01-01T10:01:00Z', 'o1q'));
SELECT ml_score.ingest_event(pg_temp.status('o2', 'Running', '2026-01-01T10:01:00Z', 'o2q')), ml_score.ingest_event(pg_temp.status('o2', 'Running', '2026-01-01T10:07:00Z', 'o2r')),
    ml_score.ingest_event(pg_temp.status('o2', NULL, '2026-01-01T10:06:00Z', 'o2c')), ml_score.ingest_event(pg_temp.status('o2', 'failed', '2026-01-01T10:05:00+00:00', 'o2f'));
SELECT run_id, status, created_at, start_time, end_time, execution_time_ms, queue_time_ms FROM ml_score.run_metric WHERE run_id LIKE 'o_' ORDER BY 1;
SELECT count(DISTINCT facts) FROM ml_score.run_metric WHERE run_id LIKE 'o_';
SELECT ml_score.ingest_event(pg_temp.status('o3', 'cancelled', NULL, 'o3')), ml_score.ingest_event(pg_temp.status('o3', 'Brewing', NULL, 'o3b'));
SELECT status, created_at, end_time FROM ml_score.run_metric WHERE run_id = 'o3';

-- other services' events are passed over, so are those that Azure may yet invent, but kept
SELECT ml_score.ingest_event('[{"id": "v", "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": {"validationCode": "x"}}, {"id": "b", "type": "Microsoft.Storage.BlobCreated", "data": {}}]');
SELECT ml_score.ingest_event('{"id": "n", "type": "Microsoft.MachineLearningServices.SomethingNew", "data": {"a": 1}}');
SELECT type, source, data FROM ml_score.run_event WHERE id IN ('v', 'b', 'n');

-- what is no event
\set VERBOSITY default
SELECT ml_score.ingest_event('"x"');
SELECT ml_score.ingest_event('[]');
SELECT ml_score.ingest_event('{}');
SELECT ml_score.ingest_event('{"id": "a"}');
SELECT ml_score.ingest_event('{"type": "Microsoft.MachineLearningServices.RunCompleted"}');
SELECT ml_score.ingest_event('{"id": "a", "type": "Microsoft.MachineLearningServices.RunCompleted", "data": {"experimentName": "e"}}');
SELECT ml_score.ingest_event('{"id": "a", "type": "Microsoft.MachineLearningServices.RunCompleted", "time": "yesterday", "data": {"runId": "e"}}');
SELECT ml_score.ingest_event('{"id": {"a": 1}, "type": "Microsoft.MachineLearningServices.RunCompleted"}');
SELECT ml_score.ingest_event(NULL);

-- privileges
CREATE ROLE regress_runs_none;
CREATE ROLE regress_runs_writer;
CREATE ROLE regress_runs_reader;
GRANT EXECUTE ON FUNCTION ml_score.ingest_event(jsonb) TO regress_runs_writer;
GRANT pg_monitor TO regress_runs_reader;
SET ROLE regress_runs_none;
SELECT ml_score.ingest_event('[]');
SELECT count(*) FROM ml_score.run_metric;
SET ROLE regress_runs_writer;
SELECT ml_score.ingest_event(pg_temp.status('w', 'Running', NULL, 'w')) FROM generate_series(1, 2);
SELECT current_user, count(*) FROM ml_score.run_event;
INSERT INTO ml_score.run_event (workspace_id, id, type, source) VALUES ('', 'z', 'x', '');
SET ROLE regress_runs_reader;
SELECT run_id, status FROM ml_score.run_metric WHERE run_id = 'w';
SELECT ml_score.ingest_event('[]');
DELETE FROM ml_score.run_metric;
RESET ROLE;

-- servers of TYPE 'workspace', 'appinsights', 'otlp'
CREATE SERVER runs_w TYPE 'workspace' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://westeurope.api.azureml.ms');
CREATE SERVER runs_w TYPE 'workspace' FOREIGN DATA WRAPPER ml_score OPTIONS (arm_id '/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w');
CREATE SERVER runs_w TYPE 'workspace' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://westeurope.api.azureml.ms', arm_id '/subscriptions/s/workspaces/w');
CREATE SERVER runs_w TYPE 'workspace' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://westeurope.api.azureml.ms', arm_id '/subscriptions/<subscription>/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w');
CREATE SERVER runs_w TYPE 'workspace' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://westeurope.api.azureml.ms', arm_id '/subscriptions/s/resourceGroups/g?/providers/Microsoft.MachineLearningServices/workspaces/w');
CREATE SERVER runs_w TYPE 'workspace' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://westeurope.api.azureml.ms', arm_id '/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w', auth 'sas');
CREATE SERVER runs_w TYPE 'workspace' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://westeurope.api.azureml.ms', arm_id '/subscriptions/S/resourceGroups/G/providers/Microsoft.MachineLearningServices/workspaces/W', auth 'key');
SELECT name, workspace_id FROM ml_score.run_workspace;
CREATE SERVER runs_a TYPE 'appinsights' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://westeurope-5.in.applicationinsights.azure.com/', auth 'key');
CREATE SERVER runs_a TYPE 'appinsights' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'https://westeurope-5.in.applicationinsights.azure.com/');
CREATE SERVER runs_o TYPE 'otlp' FOREIGN DATA WRAPPER ml_score;
CREATE SERVER runs_o TYPE 'otlp' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:4318', deployment 'x');
DROP SERVER runs_w, runs_a;
SELECT ml_score.stop_forward_runs('nowhere');

DELETE FROM ml_score.run_event;
DELETE FROM ml_score.run_metric;
DELETE FROM ml_score.run_lookup;
REVOKE EXECUTE ON FUNCTION ml_score.ingest_event(jsonb) FROM regress_runs_writer;
DROP ROLE regress_runs_none, regress_runs_writer, regress_runs_reader;
