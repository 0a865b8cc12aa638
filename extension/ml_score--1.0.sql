/* ml_score--1.0.sql: the SQL surface. */

\echo Use "CREATE EXTENSION ml_score" to load this file. \quit

GRANT USAGE ON SCHEMA ml_score TO PUBLIC;
COMMENT ON SCHEMA ml_score IS 'scores rows with machine-learning models behind HTTP endpoints';

/* The language: a model function's body names its server. */

CREATE FUNCTION ml_score.call_handler() RETURNS language_handler
LANGUAGE C AS 'MODULE_PATHNAME', 'mls_call_handler';
REVOKE EXECUTE ON FUNCTION ml_score.call_handler() FROM PUBLIC;
COMMENT ON FUNCTION ml_score.call_handler() IS 'handler of the language ml_score: scores one row';

CREATE FUNCTION ml_score.function_validator(function oid) RETURNS void
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'mls_function_validator';
REVOKE EXECUTE ON FUNCTION ml_score.function_validator(oid) FROM PUBLIC;
COMMENT ON FUNCTION ml_score.function_validator(oid) IS
'validator of the language ml_score: raises unless the function can be a model function, and records that it depends on its server';

CREATE TRUSTED LANGUAGE ml_score HANDLER ml_score.call_handler VALIDATOR ml_score.function_validator;
COMMENT ON LANGUAGE ml_score IS
'model functions: the body names a server of TYPE ''online'', the arguments are the model''s inputs';

/* Servers and their credentials. */

CREATE FUNCTION ml_score.option_validator(options text[], catalog oid) RETURNS void
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'mls_option_validator';
REVOKE EXECUTE ON FUNCTION ml_score.option_validator(text[], oid) FROM PUBLIC;
COMMENT ON FUNCTION ml_score.option_validator(text[], oid) IS
'validator of the foreign data wrapper ml_score: raises unless every option may stand there and is well-formed';

CREATE FOREIGN DATA WRAPPER ml_score VALIDATOR ml_score.option_validator;
COMMENT ON FOREIGN DATA WRAPPER ml_score IS
'servers are scoring endpoints (TYPE ''online''), user mappings hold the credentials for them';

/* What an endpoint declares, and functions made of it. */

CREATE FUNCTION ml_score.describe(server name,
    OUT kind text, OUT "position" integer, OUT name text, OUT json_type text, OUT format text, OUT sql_type text)
RETURNS SETOF record
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE ROWS 20 AS 'MODULE_PATHNAME', 'mls_describe';
COMMENT ON FUNCTION ml_score.describe(name) IS
'what the endpoint of a server of TYPE ''online'' declares in its swagger (2.0 or OpenAPI 3.x), as it was read at most 10 minutes ago.
Argument: the server; the caller needs USAGE on it, and a user mapping if its auth is not ''none''.
A line with kind ''request_format'' (its name says how requests are laid out), then one per ''input'' and ''output'': position from 1, the model''s own name, JSON type and format as declared, and the SQL type that carries it.
Errors: undefined_object for an unknown server; connection failures as a scoring request would raise them. An endpoint that declares nothing gives a NOTICE that says why.';

CREATE FUNCTION ml_score.create_function(server name, name text DEFAULT NULL) RETURNS regprocedure
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_create_function';
COMMENT ON FUNCTION ml_score.create_function(name, text) IS
'creates a model function with the signature that the server''s endpoint declares in its swagger (see ml_score.describe), owned by the caller, and returns it.
Arguments: the server (the caller needs USAGE on it); the function''s name as an SQL identifier, with its schema if wanted, by default the server''s name.
Outputs that repeat an input are left out; of several others each becomes an OUT column.
Errors: undefined_object for an unknown server; fdw_schema_not_found when nothing can be inferred, with the reason and the CREATE FUNCTION to fill in; those of CREATE FUNCTION.';

/* Events of a stream, tried out by hand. */

CREATE FUNCTION ml_score.decode_event(format text, body bytea, options jsonb DEFAULT '{}') RETURNS SETOF record
LANGUAGE C STABLE PARALLEL SAFE ROWS 1 AS 'MODULE_PATHNAME', 'mls_decode_event';
COMMENT ON FUNCTION ml_score.decode_event(text, bytea, jsonb) IS
'the rows that a stream would make of one event: call it in FROM, with the columns to fill, such as ml_score.decode_event(''json'', body) AS e(id bigint, at timestamptz).
Arguments: the format (json, json_lines, json_array, csv, avro, raw, eventgrid); the event''s bytes, NULL for a tombstone; the format''s options, an object.
Errors: invalid_parameter_value for an unknown format or option and columns that no event could fill; what is wrong with the event with the SQLSTATE that its dead letter would have (22P02, 22032, 22021, 22P04, 22P03, 54000, those of types and domains).';

CREATE FUNCTION ml_score.decode_event(format text, body text, options jsonb DEFAULT '{}') RETURNS SETOF record
LANGUAGE C STABLE PARALLEL SAFE ROWS 1 AS 'MODULE_PATHNAME', 'mls_decode_event_text';
COMMENT ON FUNCTION ml_score.decode_event(text, text, jsonb) IS
'the same for an event that is text, which is taken as UTF-8';

/* Background work, and which database it belongs to. */

CREATE FUNCTION ml_score.home() RETURNS text
LANGUAGE C STRICT STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_home';
COMMENT ON FUNCTION ml_score.home() IS 'names this database of this server: what is to be done has its name, so that a copy of the database does not do it as well';

CREATE FUNCTION ml_score.worker_status(
    OUT kind text, OUT key bigint, OUT worker integer, OUT name text, OUT owner oid, OUT pid integer,
    OUT short_of_slots boolean, OUT restarts bigint, OUT ended_at timestamptz)
RETURNS SETOF record
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 10 AS 'MODULE_PATHNAME', 'mls_worker_status';
COMMENT ON FUNCTION ml_score.worker_status() IS 'what the supervisor says of this database''s workers, for the views ml_score.stat_worker and ml_score.outbox';

CREATE VIEW ml_score.stat_worker AS
    SELECT kind, name, worker, pg_catalog.pg_get_userbyid(owner) AS owner, pid,
        CASE WHEN short_of_slots THEN 'no slot' WHEN pid IS NULL THEN 'starting' ELSE 'running' END AS state, restarts, ended_at
    FROM ml_score.worker_status();
GRANT SELECT ON ml_score.stat_worker TO PUBLIC;
COMMENT ON VIEW ml_score.stat_worker IS
'one line for each background worker that this database wants, of roles that the caller is a member of, all of them to members of pg_read_all_stats; one of kind supervisor when the process that starts them cannot be started itself';
COMMENT ON COLUMN ml_score.stat_worker.kind IS 'what it does, as in pg_stat_activity.backend_type behind "ml_score "';
COMMENT ON COLUMN ml_score.stat_worker.name IS 'what it does it for: a stream, a server, a job';
COMMENT ON COLUMN ml_score.stat_worker.worker IS 'which of several workers for the same, from 0';
COMMENT ON COLUMN ml_score.stat_worker.owner IS 'role in whose name it works; NULL for a supervisor';
COMMENT ON COLUMN ml_score.stat_worker.pid IS 'its process; NULL: it does not run';
COMMENT ON COLUMN ml_score.stat_worker.state IS 'running; starting: it is about to be started, perhaps after a delay because it has just ended; no slot: max_worker_processes does not allow it';
COMMENT ON COLUMN ml_score.stat_worker.restarts IS 'how often it was started after the first time, since the supervisor began';
COMMENT ON COLUMN ml_score.stat_worker.ended_at IS 'when it last ended by itself';

/* Events on their way out. */

CREATE TABLE ml_score.outbox_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    server oid NOT NULL,
    sender oid NOT NULL,
    topic text NOT NULL,
    key bytea,
    value bytea,
    headers jsonb,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    attempts integer NOT NULL DEFAULT 0,
    last_error text,
    failed_at timestamptz,
    home text NOT NULL DEFAULT ml_score.home()
);
CREATE INDEX outbox_event_pending ON ml_score.outbox_event (server, sender, id) WHERE failed_at IS NULL;
COMMENT ON TABLE ml_score.outbox_event IS 'what the view ml_score.outbox shows; written by ml_score.send_event and ml_score.send_query only';

CREATE VIEW ml_score.outbox WITH (security_barrier) AS
WITH short AS MATERIALIZED (SELECT kind, key FROM ml_score.worker_status() WHERE short_of_slots),
    here AS MATERIALIZED (SELECT ml_score.home() AS home)
SELECT o.id, s.srvname AS server, o.topic, pg_catalog.pg_get_userbyid(o.sender) AS sender, o.key, o.value, o.headers, o.created_at,
    o.attempts,
    CASE WHEN x.state OPERATOR(pg_catalog.=) 'no slot' THEN pg_catalog.format(
        'there is no background worker slot: raise max_worker_processes (now %s)', pg_catalog.current_setting('max_worker_processes'))
        ELSE o.last_error END AS last_error,
    o.failed_at, x.state
FROM ml_score.outbox_event o LEFT JOIN pg_catalog.pg_foreign_server s ON s.oid OPERATOR(pg_catalog.=) o.server
    CROSS JOIN LATERAL (SELECT CASE
        WHEN o.failed_at IS NOT NULL THEN 'failed'
        WHEN o.home OPERATOR(pg_catalog.<>) (SELECT home FROM here) THEN 'restored'
        WHEN EXISTS (SELECT FROM short w WHERE w.kind OPERATOR(pg_catalog.=) 'supervisor'
            OR w.kind OPERATOR(pg_catalog.=) 'outbox'
            AND w.key OPERATOR(pg_catalog.=) (o.server::bigint OPERATOR(pg_catalog.<<) 32 OPERATOR(pg_catalog.|) o.sender::bigint)) THEN 'no slot'
        ELSE 'waiting' END AS state) x
WHERE pg_catalog.pg_has_role(o.sender, 'USAGE');
GRANT SELECT ON ml_score.outbox TO PUBLIC;
COMMENT ON VIEW ml_score.outbox IS
'events that were given to ml_score.send_event or ml_score.send_query, committed and not delivered yet, of roles that the caller is a member of.
attempts and last_error: those that failed so far. failed_at: when the hub refused the event for good (it is too large, say); such events stay until ml_score.purge_outbox.';
COMMENT ON COLUMN ml_score.outbox.state IS 'waiting: to be sent, or just being sent; no slot: max_worker_processes allows no process that would; restored: it came with a copy of its database, and waits for ml_score.resume_outbox; failed: the hub has refused it for good';

COMMENT ON SEQUENCE ml_score.outbox_event_id_seq IS 'numbers of events on their way out';
COMMENT ON COLUMN ml_score.outbox_event.server IS 'oid of the server';
COMMENT ON COLUMN ml_score.outbox_event.sender IS 'oid of the role that sends it';
COMMENT ON COLUMN ml_score.outbox_event.id IS 'number that ml_score.send_event gave';
COMMENT ON COLUMN ml_score.outbox_event.topic IS 'where it goes';
COMMENT ON COLUMN ml_score.outbox_event.key IS 'bytes of its key; NULL: it has none';
COMMENT ON COLUMN ml_score.outbox_event.value IS 'bytes of its value; NULL: it has none';
COMMENT ON COLUMN ml_score.outbox_event.headers IS 'its headers, an object; NULL: it has none';
COMMENT ON COLUMN ml_score.outbox_event.created_at IS 'when it was given to us';
COMMENT ON COLUMN ml_score.outbox_event.attempts IS 'how often sending it failed';
COMMENT ON COLUMN ml_score.outbox_event.last_error IS 'why, the last time';
COMMENT ON COLUMN ml_score.outbox_event.failed_at IS 'when the hub refused it for good; NULL while it is to be sent';
COMMENT ON COLUMN ml_score.outbox_event.home IS 'the database that sends it: elsewhere, in a copy, it waits for resume_outbox';
COMMENT ON COLUMN ml_score.outbox.server IS 'name of the server; NULL when it was dropped';
COMMENT ON COLUMN ml_score.outbox.sender IS 'role that sends it';
COMMENT ON COLUMN ml_score.outbox.id IS 'number that ml_score.send_event gave';
COMMENT ON COLUMN ml_score.outbox.topic IS 'where it goes';
COMMENT ON COLUMN ml_score.outbox.key IS 'bytes of its key; NULL: it has none';
COMMENT ON COLUMN ml_score.outbox.value IS 'bytes of its value; NULL: it has none';
COMMENT ON COLUMN ml_score.outbox.headers IS 'its headers, an object; NULL: it has none';
COMMENT ON COLUMN ml_score.outbox.created_at IS 'when it was given to us';
COMMENT ON COLUMN ml_score.outbox.attempts IS 'how often sending it failed';
COMMENT ON COLUMN ml_score.outbox.last_error IS 'why, the last time; or that there is no slot';
COMMENT ON COLUMN ml_score.outbox.failed_at IS 'when the hub refused it for good; NULL while it is to be sent';

CREATE FUNCTION ml_score.send_event(server name, topic text, value bytea, key bytea DEFAULT NULL, headers jsonb DEFAULT NULL) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_send_event';
COMMENT ON FUNCTION ml_score.send_event(name, text, bytea, bytea, jsonb) IS
'has an event sent to a topic of a server of TYPE ''eventhubs'' once the transaction commits, at least once, in the caller''s name; its number in ml_score.outbox until it is delivered.
Arguments: the server (the caller needs USAGE on it, and a user mapping if its auth is not ''none''); the topic; value and key as bytes, NULL for none; headers, an object whose texts are sent as they are and other values as JSON.
Errors: undefined_object, insufficient_privilege, wrong_object_type for the server; program_limit_exceeded above 1,000,000 bytes; object_not_in_prerequisite_state without shared_preload_libraries.';

CREATE FUNCTION ml_score.send_event(server name, topic text, value text, key text DEFAULT NULL, headers jsonb DEFAULT NULL) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_send_event_text';
COMMENT ON FUNCTION ml_score.send_event(name, text, text, text, jsonb) IS 'the same with texts, which are sent as UTF-8';

CREATE FUNCTION ml_score.send_query(server name, topic text, query text) RETURNS bigint
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_send_query';
COMMENT ON FUNCTION ml_score.send_query(name, text, text) IS
'has each row of a query sent as by ml_score.send_event; how many they are.
A row is sent as a JSON object of its columns, but for _key (text or bytea) and _headers (jsonb), which are the event''s own; a column _value (text, jsonb or bytea) is the whole value.
Errors: those of ml_score.send_event and of the query; invalid_parameter_value when it gives no rows, or nothing to send.';

CREATE FUNCTION ml_score.resume_outbox(server name DEFAULT NULL) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_resume_outbox';
COMMENT ON FUNCTION ml_score.resume_outbox(name) IS
'has events sent from here that came with a copy of their database (ml_score.outbox shows them as restored), of this server only, if one is named; how many they are. If the original still is there, it sends them, too.
Events of roles that the caller is a member of. Errors: undefined_object; object_not_in_prerequisite_state without shared_preload_libraries.';

CREATE FUNCTION ml_score.purge_outbox(server name DEFAULT NULL, waiting boolean DEFAULT false) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_purge_outbox';
COMMENT ON FUNCTION ml_score.purge_outbox(name, boolean) IS
'removes events from ml_score.outbox that cannot be sent any more: those that the hub refused for good, and those whose server or sender was dropped; of this server only, if one is named. With waiting, those too that still are to be sent; one that is on its way may arrive all the same.
Events of roles that the caller is a member of, and of servers that it owns; how many they were.';

/* Runs: events of Azure Machine Learning, and a row for each pipeline or step run. */

CREATE TABLE ml_score.run_event (
    workspace_id text NOT NULL,
    id text NOT NULL,
    type text NOT NULL,
    event_time timestamptz,
    source text NOT NULL,
    subject text,
    run_id text,
    experiment text,
    status text,
    data jsonb,
    received_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX run_event_run ON ml_score.run_event (workspace_id, run_id) WHERE run_id IS NOT NULL;
CREATE INDEX run_event_received ON ml_score.run_event (received_at);
COMMENT ON TABLE ml_score.run_event IS
'the events that ml_score.ingest_event took, each once. Rows may be deleted: ml_score.run_metric keeps what they said.';
COMMENT ON COLUMN ml_score.run_event.workspace_id IS 'the workspace''s ARM id in lower case, taken from source';
COMMENT ON COLUMN ml_score.run_event.id IS 'the event''s own id: one that comes again is not stored again';
COMMENT ON COLUMN ml_score.run_event.type IS 'RunStatusChanged, RunCompleted, ModelRegistered, ModelDeployed, DatasetDriftDetected, or what Azure adds, without Microsoft.MachineLearningServices';
COMMENT ON COLUMN ml_score.run_event.event_time IS 'when it happened; NULL when the event does not say';
COMMENT ON COLUMN ml_score.run_event.source IS 'Event Grid''s topic or CloudEvents'' source, as it came; empty when there is none';
COMMENT ON COLUMN ml_score.run_event.run_id IS 'the run that it is about; of a DatasetDriftDetected the run that found the drift';
COMMENT ON COLUMN ml_score.run_event.status IS 'runStatus, as it came';
COMMENT ON COLUMN ml_score.run_event.experiment IS 'experimentName, as it came';
COMMENT ON COLUMN ml_score.run_event.subject IS 'what it is about within the workspace, as it came';
COMMENT ON COLUMN ml_score.run_event.data IS 'the event''s data, as it came';
COMMENT ON COLUMN ml_score.run_event.received_at IS 'when it was ingested';

CREATE TABLE ml_score.run_metric (
    workspace_id text NOT NULL,
    run_id text NOT NULL,
    parent_run_id text,
    experiment_id text,
    experiment text,
    workspace text,
    resource_group text,
    subscription_id text,
    run_type text,
    status text,
    compute_target text,
    compute_type text,
    docker_image text,
    snapshot_id text,
    script text,
    step_type text,
    node_id text,
    created_at timestamptz,
    start_time timestamptz,
    end_time timestamptz,
    execution_time_ms bigint,
    queue_time_ms bigint,
    error text,
    extra jsonb NOT NULL,
    looked_up_at timestamptz,
    facts jsonb NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (workspace_id, run_id)
) WITH (fillfactor = 70);
CREATE INDEX run_metric_parent ON ml_score.run_metric (workspace_id, parent_run_id) WHERE parent_run_id IS NOT NULL;
COMMENT ON TABLE ml_score.run_metric IS
'a row for each pipeline or step run: what its events and the run history said, merged so that neither order nor repetition matters.';
COMMENT ON COLUMN ml_score.run_metric.workspace_id IS 'the workspace''s ARM id in lower case; empty when the events did not say';
COMMENT ON COLUMN ml_score.run_metric.parent_run_id IS 'the pipeline run that a step belongs to (azureml.pipelinerunid, else the run history''s parentRunId)';
COMMENT ON COLUMN ml_score.run_metric.run_id IS 'the run''s id, unique within its workspace';
COMMENT ON COLUMN ml_score.run_metric.experiment_id IS 'the experiment''s id';
COMMENT ON COLUMN ml_score.run_metric.experiment IS 'the experiment''s name';
COMMENT ON COLUMN ml_score.run_metric.workspace IS 'name of the workspace';
COMMENT ON COLUMN ml_score.run_metric.resource_group IS 'its resource group';
COMMENT ON COLUMN ml_score.run_metric.subscription_id IS 'its subscription';
COMMENT ON COLUMN ml_score.run_metric.run_type IS 'such as azureml.PipelineRun, azureml.StepRun';
COMMENT ON COLUMN ml_score.run_metric.compute_target IS 'name of the compute that it ran on';
COMMENT ON COLUMN ml_score.run_metric.compute_type IS 'such as AmlCompute';
COMMENT ON COLUMN ml_score.run_metric.docker_image IS 'base image of the environment';
COMMENT ON COLUMN ml_score.run_metric.snapshot_id IS 'of the code (property ContentSnapshotId)';
COMMENT ON COLUMN ml_score.run_metric.script IS 'what was run';
COMMENT ON COLUMN ml_score.run_metric.step_type IS 'of a pipeline''s step, such as PythonScriptStep';
COMMENT ON COLUMN ml_score.run_metric.node_id IS 'of the step in its pipeline''s graph';
COMMENT ON COLUMN ml_score.run_metric.updated_at IS 'when the row last learnt anything';
COMMENT ON COLUMN ml_score.run_metric.status IS 'as the run history spells it (Completed, Failed, Canceled, Running, ...): once a run is over it stays so, else the latest';
COMMENT ON COLUMN ml_score.run_metric.created_at IS 'when the run was made, as the run history has it; before that, the time of the first event';
COMMENT ON COLUMN ml_score.run_metric.start_time IS 'when it began to run, as the run history has it; before that, the time of the first event with status Running';
COMMENT ON COLUMN ml_score.run_metric.end_time IS 'when it was over, as the run history has it; before that, the time of the first event that says so';
COMMENT ON COLUMN ml_score.run_metric.execution_time_ms IS 'milliseconds from start_time to end_time';
COMMENT ON COLUMN ml_score.run_metric.queue_time_ms IS 'milliseconds from created_at to start_time';
COMMENT ON COLUMN ml_score.run_metric.error IS 'code and message of the run''s error, as the run history has it';
COMMENT ON COLUMN ml_score.run_metric.extra IS 'all tags, all properties, and name and description of the run';
COMMENT ON COLUMN ml_score.run_metric.looked_up_at IS 'when the run history told of the run as it was when it was over; NULL before';
COMMENT ON COLUMN ml_score.run_metric.facts IS 'what the other columns are made of: for each fact its rank, its time and its value';

CREATE TABLE ml_score.run_lookup (
    workspace_id text NOT NULL,
    run_id text NOT NULL,
    asked_by xid8 NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (workspace_id, run_id)
) WITH (fillfactor = 50);
CREATE INDEX run_lookup_due ON ml_score.run_lookup (workspace_id, due_at);
COMMENT ON TABLE ml_score.run_lookup IS
'runs that are to be looked up at the run history: at due_at, if there is a server of TYPE ''workspace'' for them. A row is gone when it is done, or after a day of failures.';
COMMENT ON COLUMN ml_score.run_lookup.workspace_id IS 'as in ml_score.run_metric';
COMMENT ON COLUMN ml_score.run_lookup.run_id IS 'the run';
COMMENT ON COLUMN ml_score.run_lookup.due_at IS 'when it is looked up at the earliest';
COMMENT ON COLUMN ml_score.run_lookup.created_at IS 'when it was asked for first';
COMMENT ON COLUMN ml_score.run_lookup.asked_by IS 'number of the transaction that asked for it last (no role)';
COMMENT ON COLUMN ml_score.run_lookup.attempts IS 'look-ups that failed since the last event';
COMMENT ON COLUMN ml_score.run_lookup.last_error IS 'why the last one failed';

CREATE VIEW ml_score.run_workspace AS
    SELECT s.oid AS server, s.srvname AS name, s.srvowner AS owner,
           pg_catalog.rtrim(pg_catalog.lower(o.option_value), '/') AS workspace_id
    FROM pg_catalog.pg_foreign_server s
        JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid OPERATOR(pg_catalog.=) s.srvfdw
        CROSS JOIN LATERAL pg_catalog.pg_options_to_table(s.srvoptions) o
    WHERE w.fdwname OPERATOR(pg_catalog.=) 'ml_score' AND s.srvtype OPERATOR(pg_catalog.=) 'workspace'
        AND o.option_name OPERATOR(pg_catalog.=) 'arm_id'
        AND pg_catalog.has_function_privilege(s.srvowner, 'ml_score.ingest_event(jsonb)', 'EXECUTE');
COMMENT ON VIEW ml_score.run_workspace IS
'servers of TYPE ''workspace'' whose owner may ingest events: their runs are looked up';
COMMENT ON COLUMN ml_score.run_workspace.server IS 'oid of the server';
COMMENT ON COLUMN ml_score.run_workspace.name IS 'its name';
COMMENT ON COLUMN ml_score.run_workspace.owner IS 'its owner, in whose name and with whose credential runs are looked up';
COMMENT ON COLUMN ml_score.run_workspace.workspace_id IS 'its workspace, as in ml_score.run_metric';

CREATE FUNCTION ml_score.ingest_event(event jsonb) RETURNS integer
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_ingest_event';
REVOKE EXECUTE ON FUNCTION ml_score.ingest_event(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION ml_score.ingest_event(jsonb) IS
'takes events of Azure Machine Learning: one, or an array of them, in the schema of Event Grid or of CloudEvents, keys in any letter case. They go into ml_score.run_event, what they say of runs into ml_score.run_metric. Returns how many were new.
Events that are there already (same workspace and id) and events of other services are passed over. Runs are looked up at the run history after commit, if there is a server of TYPE ''workspace'' for them.
Transactions that ingest events wait for each other. The caller needs EXECUTE; nobody but superusers has it until it is granted.
Errors: invalid_parameter_value for an event without id or type, or of a run without its id, or with a time that is none; those of decoding.';

/* Runs that go to Application Insights and OpenTelemetry. */

CREATE TABLE ml_score.run_destination (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    server text NOT NULL UNIQUE,
    owner regrole NOT NULL,
    paused_until timestamptz,
    last_error text,
    last_error_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    home text NOT NULL DEFAULT ml_score.home()
);
COMMENT ON COLUMN ml_score.run_destination.home IS 'the database that sends them: elsewhere, in a copy, nothing is sent until forward_runs is called again';
COMMENT ON SEQUENCE ml_score.run_destination_id_seq IS 'numbers of destinations of runs';
COMMENT ON TABLE ml_score.run_destination IS 'servers that ml_score.forward_runs sends runs to';
COMMENT ON COLUMN ml_score.run_destination.id IS 'what ml_score.run_forward calls it';
COMMENT ON COLUMN ml_score.run_destination.server IS 'name of the server';
COMMENT ON COLUMN ml_score.run_destination.created_at IS 'when ml_score.forward_runs was called';
COMMENT ON COLUMN ml_score.run_destination.owner IS 'who sends them: with this role''s credential, and as long as it may use the server and read ml_score.run_metric';
COMMENT ON COLUMN ml_score.run_destination.paused_until IS 'nothing is sent before: the quota was used up';
COMMENT ON COLUMN ml_score.run_destination.last_error IS 'why runs were not accepted, the last time that happened';
COMMENT ON COLUMN ml_score.run_destination.last_error_at IS 'when that was';

CREATE TABLE ml_score.run_forward (
    destination bigint NOT NULL REFERENCES ml_score.run_destination ON DELETE CASCADE,
    workspace_id text NOT NULL,
    run_id text NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state OPERATOR(pg_catalog.=) ANY (ARRAY['pending', 'sent', 'dropped'])),
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL,
    last_error text,
    changed_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (destination, workspace_id, run_id)
);
CREATE INDEX run_forward_due ON ml_score.run_forward (destination, due_at) WHERE state OPERATOR(pg_catalog.=) 'pending';
COMMENT ON TABLE ml_score.run_forward IS
'the outbox: runs that are to go, or went, to a destination, each once. A run whose row is deleted may be sent again by ml_score.forward_runs.';
COMMENT ON COLUMN ml_score.run_forward.destination IS 'the row of ml_score.run_destination';
COMMENT ON COLUMN ml_score.run_forward.workspace_id IS 'as in ml_score.run_metric';
COMMENT ON COLUMN ml_score.run_forward.run_id IS 'the run';
COMMENT ON COLUMN ml_score.run_forward.changed_at IS 'when its state was last written';
COMMENT ON COLUMN ml_score.run_forward.state IS 'pending; sent: accepted; dropped: refused for good';
COMMENT ON COLUMN ml_score.run_forward.attempts IS 'times that it was sent and not accepted';
COMMENT ON COLUMN ml_score.run_forward.due_at IS 'when a pending one is sent at the earliest';
COMMENT ON COLUMN ml_score.run_forward.last_error IS 'why it was not accepted the last time';

CREATE FUNCTION ml_score.forward_runs(server text, past boolean DEFAULT false) RETURNS bigint
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_forward_runs';
COMMENT ON FUNCTION ml_score.forward_runs(text, boolean) IS
'has each run''s row sent to a server of TYPE ''appinsights'' or ''otlp'' once the run is over and looked up (or cannot be looked up); the rows that are over already as well when past is true. Returns how many are in the outbox by that.
The caller needs USAGE on the server, and SELECT on ml_score.run_metric, and keeps sending as long as he has both. Called again by the same role it only adds what is past.
Errors: undefined_object for an unknown server, wrong_object_type, insufficient_privilege, duplicate_object when another role sends there, object_not_in_prerequisite_state without shared_preload_libraries.';

CREATE FUNCTION ml_score.stop_forward_runs(server text) RETURNS void
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_stop_forward_runs';
COMMENT ON FUNCTION ml_score.stop_forward_runs(text) IS
'ends ml_score.forward_runs for a server, and empties its outbox. For who began it (or a member of that role).
Errors: undefined_object when runs do not go there, insufficient_privilege.';

GRANT SELECT ON ml_score.run_event, ml_score.run_metric, ml_score.run_lookup, ml_score.run_destination, ml_score.run_forward TO pg_monitor;

SELECT pg_catalog.pg_extension_config_dump('ml_score.run_event', '');
SELECT pg_catalog.pg_extension_config_dump('ml_score.run_metric', '');

/* What scoring does, server by server. */

CREATE FUNCTION ml_score.stat_endpoint(
    OUT server text, OUT deployment text, OUT shadow boolean, OUT requests bigint, OUT rows bigint, OUT bytes_sent bigint,
    OUT bytes_received bigint, OUT retries bigint, OUT throttled bigint, OUT failed bigint, OUT p50_ms float8,
    OUT p95_ms float8, OUT p99_ms float8, OUT max_ms float8, OUT in_flight integer, OUT batch_rows integer,
    OUT parallel_requests integer, OUT breaker text, OUT last_error text, OUT last_error_at timestamptz,
    OUT logged bigint, OUT log_dropped bigint, OUT shadow_dropped bigint)
RETURNS SETOF record
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 10 AS 'MODULE_PATHNAME', 'mls_stat_endpoint';
COMMENT ON FUNCTION ml_score.stat_endpoint() IS 'what the view ml_score.stat_endpoint shows';

CREATE VIEW ml_score.stat_endpoint AS SELECT * FROM ml_score.stat_endpoint();
GRANT SELECT ON ml_score.stat_endpoint TO PUBLIC;
COMMENT ON VIEW ml_score.stat_endpoint IS
'one line per server and deployment that was asked since the start or ml_score.stat_reset(), all backends together (this backend alone without shared_preload_libraries = ''ml_score'').
Scoring requests only: what is asked of the endpoint''s swagger is not counted.
Shows the servers that the caller has USAGE on, all of them to members of pg_read_all_stats.';
COMMENT ON COLUMN ml_score.stat_endpoint.server IS 'name of the foreign server';
COMMENT ON COLUMN ml_score.stat_endpoint.deployment IS 'deployment that was named in the requests; NULL when none was, so that the endpoint chose';
COMMENT ON COLUMN ml_score.stat_endpoint.shadow IS 'true: copies of requests, sent because of the server option shadow_deployment';
COMMENT ON COLUMN ml_score.stat_endpoint.requests IS 'attempts: a request that is sent again counts again';
COMMENT ON COLUMN ml_score.stat_endpoint.rows IS 'rows sent, once however often their request is tried again; again when a batch is cut into smaller requests';
COMMENT ON COLUMN ml_score.stat_endpoint.bytes_sent IS 'bytes of request bodies, as they went over the wire';
COMMENT ON COLUMN ml_score.stat_endpoint.bytes_received IS 'bytes of reply bodies, as they came over the wire';
COMMENT ON COLUMN ml_score.stat_endpoint.retries IS 'attempts that failed and were followed by another';
COMMENT ON COLUMN ml_score.stat_endpoint.throttled IS 'attempts that the endpoint refused as too many (HTTP 429)';
COMMENT ON COLUMN ml_score.stat_endpoint.failed IS 'requests given up; one that was cut into smaller requests counts as well';
COMMENT ON COLUMN ml_score.stat_endpoint.p50_ms IS 'milliseconds that half of the attempts took at the most, right within 6 %; NULL before the first';
COMMENT ON COLUMN ml_score.stat_endpoint.p95_ms IS 'milliseconds that 95 % of the attempts took at the most, right within 6 %; NULL before the first';
COMMENT ON COLUMN ml_score.stat_endpoint.p99_ms IS 'milliseconds that 99 % of the attempts took at the most, right within 6 %; NULL before the first';
COMMENT ON COLUMN ml_score.stat_endpoint.max_ms IS 'milliseconds that the longest attempt took; NULL before the first';
COMMENT ON COLUMN ml_score.stat_endpoint.in_flight IS 'requests under way now';
COMMENT ON COLUMN ml_score.stat_endpoint.batch_rows IS 'most rows of one request, as last used: max_batch_rows, or what was found for ''auto''';
COMMENT ON COLUMN ml_score.stat_endpoint.parallel_requests IS 'most requests in flight of one call, as last used: max_parallel_requests, or what was found for ''auto''';
COMMENT ON COLUMN ml_score.stat_endpoint.breaker IS 'closed: requests pass; open: they fail at once, because the endpoint could not be reached several times in a row; half-open: one is let through to see';
COMMENT ON COLUMN ml_score.stat_endpoint.last_error IS 'message of the request given up last, without anything of the rows, or why the inference log could not be written';
COMMENT ON COLUMN ml_score.stat_endpoint.last_error_at IS 'when that was';
COMMENT ON COLUMN ml_score.stat_endpoint.logged IS 'requests that were handed to the inference log (server option log_table)';
COMMENT ON COLUMN ml_score.stat_endpoint.log_dropped IS 'requests that should have been logged and were not: no room in ml_score.inference_queue_size, or the table could not be written';
COMMENT ON COLUMN ml_score.stat_endpoint.shadow_dropped IS 'copies for the shadow deployment that were not sent, for want of room';

CREATE FUNCTION ml_score.stat_reset() RETURNS void
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'mls_stat_reset';
REVOKE EXECUTE ON FUNCTION ml_score.stat_reset() FROM PUBLIC;
COMMENT ON FUNCTION ml_score.stat_reset() IS
'sets the counts in ml_score.stat_endpoint of this database''s servers back to zero; what was learnt of their speed stays';

/* What was fetched to be let in. */

CREATE FUNCTION ml_score.token_status(
    OUT kind text, OUT authority text, OUT identity text, OUT scope text, OUT source text, OUT fetched_at timestamptz,
    OUT expires_at timestamptz, OUT refresh_at timestamptz, OUT fetches bigint, OUT fetcher integer,
    OUT last_error text, OUT last_error_at timestamptz)
RETURNS SETOF record
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 10 AS 'MODULE_PATHNAME', 'mls_token_status';
COMMENT ON FUNCTION ml_score.token_status() IS 'what the view ml_score.token_status shows';

CREATE VIEW ml_score.token_status AS SELECT * FROM ml_score.token_status();
GRANT SELECT ON ml_score.token_status TO PUBLIC;
COMMENT ON VIEW ml_score.token_status IS
'a line for each token, key or key vault secret that is kept for use by all backends of all databases (by this backend alone without shared_preload_libraries = ''ml_score''); never the value itself.
Shows its lines to members of pg_read_all_stats, and so of pg_monitor; to others it is empty.';
COMMENT ON COLUMN ml_score.token_status.kind IS 'token; key: the keys of an online endpoint that the control plane gave; endpoint: its description there; secret: of a key vault; delegation key: of a storage account, to sign with';
COMMENT ON COLUMN ml_score.token_status.authority IS 'URL of the Entra authority';
COMMENT ON COLUMN ml_score.token_status.identity IS 'whose it is: a client id or other name of the identity';
COMMENT ON COLUMN ml_score.token_status.scope IS 'what it is for: a token''s scope, an endpoint''s ARM id, a secret''s URL';
COMMENT ON COLUMN ml_score.token_status.source IS 'who gave it: client secret, managed identity, key vault, ...; NULL before the first';
COMMENT ON COLUMN ml_score.token_status.fetched_at IS 'when it was fetched; NULL when there is none now';
COMMENT ON COLUMN ml_score.token_status.expires_at IS 'when it ends; NULL when there is none now';
COMMENT ON COLUMN ml_score.token_status.refresh_at IS 'from when on the next one who needs it fetches a new one; NULL when there is none now';
COMMENT ON COLUMN ml_score.token_status.fetches IS 'how often it was fetched';
COMMENT ON COLUMN ml_score.token_status.fetcher IS 'process that is fetching it; NULL when none is';
COMMENT ON COLUMN ml_score.token_status.last_error IS 'first part of what the last failed fetch was told; NULL when none failed';
COMMENT ON COLUMN ml_score.token_status.last_error_at IS 'when that was';

/* Streams: events of Event Hubs or Kafka to rows, exactly once. */

CREATE TABLE ml_score.stream (
    name text PRIMARY KEY CHECK (name OPERATOR(pg_catalog.<>) ''),
    id bigint GENERATED BY DEFAULT AS IDENTITY UNIQUE,
    owner regrole NOT NULL,
    server text NOT NULL,
    topic text NOT NULL,
    target text,
    columns text,
    query text,
    format text NOT NULL,
    format_options jsonb,
    consumer_group text NOT NULL,
    start text NOT NULL,
    partitions integer[],
    workers integer NOT NULL,
    max_batch_rows integer NOT NULL,
    max_batch_delay integer NOT NULL,
    max_batch_bytes integer NOT NULL,
    on_error text NOT NULL,
    on_offset_out_of_range text NOT NULL,
    search_path text NOT NULL,
    state text NOT NULL CHECK (state OPERATOR(pg_catalog.=) ANY (ARRAY['running', 'paused', 'stopped'])),
    stop_reason text,
    version bigint NOT NULL,
    home text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE ml_score.stream IS
'the streams that ml_score.create_stream made: their definition, and whether they should run. Shows the streams of roles that the caller is a member of. Use the functions to change it.';
COMMENT ON COLUMN ml_score.stream.start IS 'where partitions without an offset begin: earliest, latest or a timestamp';
COMMENT ON COLUMN ml_score.stream.max_batch_delay IS 'milliseconds';
COMMENT ON COLUMN ml_score.stream.max_batch_bytes IS 'bytes';
COMMENT ON COLUMN ml_score.stream.search_path IS 'of the session that made the stream: its statements run with it';
COMMENT ON COLUMN ml_score.stream.version IS 'grows with every change, so that workers begin anew';
COMMENT ON COLUMN ml_score.stream.home IS 'the database that it runs in: elsewhere, in a restored dump, it waits for resume_stream';
COMMENT ON COLUMN ml_score.stream.name IS 'what the stream is called';
COMMENT ON COLUMN ml_score.stream.id IS 'number by which its workers are known';
COMMENT ON COLUMN ml_score.stream.owner IS 'role in whose name it runs';
COMMENT ON COLUMN ml_score.stream.server IS 'name of the server of TYPE ''eventhubs''';
COMMENT ON COLUMN ml_score.stream.topic IS 'the topic, which Event Hubs calls an event hub';
COMMENT ON COLUMN ml_score.stream.target IS 'table that the rows go into; NULL with a query';
COMMENT ON COLUMN ml_score.stream.columns IS 'what an event holds; NULL: the columns of target';
COMMENT ON COLUMN ml_score.stream.query IS 'what is run over the relation "batch"; NULL with a target';
COMMENT ON COLUMN ml_score.stream.format IS 'how events are laid out';
COMMENT ON COLUMN ml_score.stream.format_options IS 'options of the format';
COMMENT ON COLUMN ml_score.stream.consumer_group IS 'name under which the hub sees the client';
COMMENT ON COLUMN ml_score.stream.partitions IS 'those that are read; NULL: all';
COMMENT ON COLUMN ml_score.stream.workers IS 'processes that share the partitions';
COMMENT ON COLUMN ml_score.stream.max_batch_rows IS 'most events of a micro-batch';
COMMENT ON COLUMN ml_score.stream.on_error IS 'dead_letter or fail';
COMMENT ON COLUMN ml_score.stream.on_offset_out_of_range IS 'stop, earliest or latest';
COMMENT ON COLUMN ml_score.stream.state IS 'running, paused (by pause_stream) or stopped (by itself)';
COMMENT ON COLUMN ml_score.stream.stop_reason IS 'why it has stopped';
COMMENT ON COLUMN ml_score.stream.created_at IS 'when it was made';
COMMENT ON SEQUENCE ml_score.stream_id_seq IS 'numbers of streams';

CREATE TABLE ml_score.stream_offset (
    stream text NOT NULL REFERENCES ml_score.stream ON UPDATE CASCADE ON DELETE CASCADE,
    partition integer NOT NULL,
    next_offset bigint,
    event_time timestamptz,
    events bigint NOT NULL DEFAULT 0,
    rows bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    batches bigint NOT NULL DEFAULT 0,
    dead_letters bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (stream, partition)
) WITH (fillfactor = 50);
COMMENT ON TABLE ml_score.stream_offset IS
'how far each stream is in each partition: written in the transaction that stores the rows';
COMMENT ON COLUMN ml_score.stream_offset.next_offset IS 'the first event that is not stored yet; NULL: to be found as the stream''s start says';
COMMENT ON COLUMN ml_score.stream_offset.stream IS 'name of the stream';
COMMENT ON COLUMN ml_score.stream_offset.partition IS 'partition of the topic';
COMMENT ON COLUMN ml_score.stream_offset.event_time IS 'time of the event before next_offset, the last one stored; NULL: not known, or none since the last seek_stream';
COMMENT ON COLUMN ml_score.stream_offset.events IS 'events done with: stored, or dead letters';
COMMENT ON COLUMN ml_score.stream_offset.rows IS 'rows that came of them';
COMMENT ON COLUMN ml_score.stream_offset.bytes IS 'bytes of their values';
COMMENT ON COLUMN ml_score.stream_offset.batches IS 'micro-batches committed';
COMMENT ON COLUMN ml_score.stream_offset.dead_letters IS 'events that went to ml_score.dead_letter';
COMMENT ON COLUMN ml_score.stream_offset.updated_at IS 'when this was written';

CREATE TABLE ml_score.dead_letter (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    stream text REFERENCES ml_score.stream ON UPDATE CASCADE ON DELETE CASCADE,
    partition integer,
    "offset" bigint,
    event_time timestamptz,
    key bytea,
    raw bytea,
    reason text NOT NULL,
    sqlstate text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    headers jsonb,
    job bigint,
    blob text,
    line bigint,
    CHECK (CASE WHEN job IS NULL THEN stream IS NOT NULL AND partition IS NOT NULL AND "offset" IS NOT NULL
           ELSE stream IS NULL AND blob IS NOT NULL AND line IS NOT NULL END)
);
CREATE INDEX dead_letter_stream ON ml_score.dead_letter (stream, id);
CREATE INDEX dead_letter_job ON ml_score.dead_letter (job) WHERE job IS NOT NULL;
COMMENT ON TABLE ml_score.dead_letter IS
'what could not be decoded or stored, with its bytes and the reason: events of streams, and lines of batch jobs'' results. Shows those of streams and jobs of roles that the caller is a member of. ml_score.replay_dead_letter tries a stream''s again, ml_score.purge removes old ones, and drop_stream those of the stream. pg_dump dumps those of streams.';

COMMENT ON COLUMN ml_score.dead_letter.id IS 'number, for replay_dead_letter';
COMMENT ON COLUMN ml_score.dead_letter.stream IS 'name of the stream; NULL: of a batch job';
COMMENT ON COLUMN ml_score.dead_letter.partition IS 'partition that the event came from';
COMMENT ON COLUMN ml_score.dead_letter."offset" IS 'its offset there';
COMMENT ON COLUMN ml_score.dead_letter.event_time IS 'the event''s time';
COMMENT ON COLUMN ml_score.dead_letter.key IS 'the event''s key; NULL: none';
COMMENT ON COLUMN ml_score.dead_letter.raw IS 'the event''s value (NULL: it has none), or the line without its line break';
COMMENT ON COLUMN ml_score.dead_letter.reason IS 'why it could not be stored';
COMMENT ON COLUMN ml_score.dead_letter.sqlstate IS 'SQLSTATE of that';
COMMENT ON COLUMN ml_score.dead_letter.created_at IS 'when it was tried first';
COMMENT ON COLUMN ml_score.dead_letter.headers IS 'the event''s headers, an object; NULL: none';
COMMENT ON COLUMN ml_score.dead_letter.job IS 'number of the batch job; NULL: of a stream';
COMMENT ON COLUMN ml_score.dead_letter.blob IS 'file of the job''s results';
COMMENT ON COLUMN ml_score.dead_letter.line IS 'number of the line there, from 1';
COMMENT ON SEQUENCE ml_score.dead_letter_id_seq IS 'numbers of dead letters';

CREATE TABLE ml_score.stream_window (
    stream text PRIMARY KEY REFERENCES ml_score.stream ON UPDATE CASCADE ON DELETE CASCADE,
    size interval NOT NULL,
    hop interval NOT NULL,
    lateness interval NOT NULL,
    idle interval NOT NULL,
    event_time text NOT NULL,
    late_events text NOT NULL,
    closed timestamptz NOT NULL DEFAULT '-infinity',
    final timestamptz NOT NULL DEFAULT '-infinity'
);
COMMENT ON TABLE ml_score.stream_window IS 'the windows of the streams that have some, and how far they are closed';
COMMENT ON COLUMN ml_score.stream_window.stream IS 'name of the stream';
COMMENT ON COLUMN ml_score.stream_window.size IS 'length of a window';
COMMENT ON COLUMN ml_score.stream_window.hop IS 'from the beginning of one window to that of the next';
COMMENT ON COLUMN ml_score.stream_window.lateness IS 'how far the watermark must be past the end of a window for it to take no more events';
COMMENT ON COLUMN ml_score.stream_window.idle IS 'time without events after which a partition does not hold the watermark';
COMMENT ON COLUMN ml_score.stream_window.event_time IS 'column that has the time of an event';
COMMENT ON COLUMN ml_score.stream_window.late_events IS 'what becomes of late events: dead_letter or update';
COMMENT ON COLUMN ml_score.stream_window.closed IS 'the query was run over all windows that end up to here';
COMMENT ON COLUMN ml_score.stream_window.final IS 'and will not be run again over those that end up to here';

CREATE TABLE ml_score.stream_window_partition (
    stream text NOT NULL REFERENCES ml_score.stream_window ON UPDATE CASCADE ON DELETE CASCADE,
    partition integer NOT NULL,
    watermark timestamptz,
    idle_at timestamptz,
    PRIMARY KEY (stream, partition)
);
COMMENT ON TABLE ml_score.stream_window_partition IS 'watermarks of the partitions of streams with windows';
COMMENT ON COLUMN ml_score.stream_window_partition.stream IS 'name of the stream';
COMMENT ON COLUMN ml_score.stream_window_partition.partition IS 'number of the partition';
COMMENT ON COLUMN ml_score.stream_window_partition.watermark IS 'latest time of an event, but no later than it came; NULL before the first';
COMMENT ON COLUMN ml_score.stream_window_partition.idle_at IS 'since when the partition is idle, and does not count; NULL: it counts';

CREATE TABLE ml_score.stream_window_event (
    stream text NOT NULL REFERENCES ml_score.stream_window ON UPDATE CASCADE ON DELETE CASCADE,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_time timestamptz,
    key bytea,
    raw bytea,
    headers jsonb,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    times timestamptz[],
    PRIMARY KEY (stream, partition, "offset")
);
CREATE INDEX stream_window_event_first ON ml_score.stream_window_event (stream, first_at);
CREATE INDEX stream_window_event_last ON ml_score.stream_window_event (stream, last_at);
COMMENT ON TABLE ml_score.stream_window_event IS 'events that wait for their windows to be closed, as they came';
COMMENT ON COLUMN ml_score.stream_window_event.stream IS 'name of the stream';
COMMENT ON COLUMN ml_score.stream_window_event.partition IS 'number of the partition';
COMMENT ON COLUMN ml_score.stream_window_event."offset" IS 'where it is in the partition';
COMMENT ON COLUMN ml_score.stream_window_event.event_time IS 'when it was made, as the hub says';
COMMENT ON COLUMN ml_score.stream_window_event.key IS 'its key; NULL: none';
COMMENT ON COLUMN ml_score.stream_window_event.raw IS 'its bytes; NULL: it has no value';
COMMENT ON COLUMN ml_score.stream_window_event.headers IS 'its headers, an object; NULL: none';
COMMENT ON COLUMN ml_score.stream_window_event.first_at IS 'earliest time of its rows';
COMMENT ON COLUMN ml_score.stream_window_event.last_at IS 'latest time of its rows';
COMMENT ON COLUMN ml_score.stream_window_event.times IS 'all of them, when they differ';

CREATE TABLE ml_score.stream_window_update (
    stream text NOT NULL REFERENCES ml_score.stream_window ON UPDATE CASCADE ON DELETE CASCADE,
    window_end timestamptz NOT NULL,
    PRIMARY KEY (stream, window_end)
);
COMMENT ON TABLE ml_score.stream_window_update IS 'closed windows that the query is to be run over again, because of late events';
COMMENT ON COLUMN ml_score.stream_window_update.stream IS 'name of the stream';
COMMENT ON COLUMN ml_score.stream_window_update.window_end IS 'end of the window';

ALTER TABLE ml_score.stream_window ENABLE ROW LEVEL SECURITY;
ALTER TABLE ml_score.stream_window_partition ENABLE ROW LEVEL SECURITY;
CREATE POLICY members ON ml_score.stream_window FOR SELECT
    USING (EXISTS (SELECT FROM ml_score.stream s WHERE s.name OPERATOR(pg_catalog.=) stream));
CREATE POLICY members ON ml_score.stream_window_partition FOR SELECT
    USING (EXISTS (SELECT FROM ml_score.stream s WHERE s.name OPERATOR(pg_catalog.=) stream));
GRANT SELECT ON ml_score.stream_window, ml_score.stream_window_partition TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('ml_score.stream_window', '');
SELECT pg_catalog.pg_extension_config_dump('ml_score.stream_window_partition', '');
SELECT pg_catalog.pg_extension_config_dump('ml_score.stream_window_event', '');
SELECT pg_catalog.pg_extension_config_dump('ml_score.stream_window_update', '');

ALTER TABLE ml_score.stream ENABLE ROW LEVEL SECURITY;
ALTER TABLE ml_score.stream_offset ENABLE ROW LEVEL SECURITY;
ALTER TABLE ml_score.dead_letter ENABLE ROW LEVEL SECURITY;
CREATE POLICY members ON ml_score.stream FOR SELECT USING (pg_catalog.pg_has_role(owner, 'USAGE'));
CREATE POLICY members ON ml_score.stream_offset FOR SELECT
    USING (EXISTS (SELECT FROM ml_score.stream s WHERE s.name OPERATOR(pg_catalog.=) stream));
CREATE POLICY members ON ml_score.dead_letter FOR SELECT
    USING (EXISTS (SELECT FROM ml_score.stream s WHERE s.name OPERATOR(pg_catalog.=) stream));
GRANT SELECT ON ml_score.stream, ml_score.stream_offset, ml_score.dead_letter TO PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('ml_score.stream', '');
SELECT pg_catalog.pg_extension_config_dump('ml_score.stream_offset', '');
SELECT pg_catalog.pg_extension_config_dump('ml_score.dead_letter', 'WHERE stream IS NOT NULL');
SELECT pg_catalog.pg_extension_config_dump('ml_score.stream_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('ml_score.dead_letter_id_seq', '');

CREATE FUNCTION ml_score.create_stream(name text, server text, topic text, target text DEFAULT NULL, columns text DEFAULT NULL,
    query text DEFAULT NULL, format text DEFAULT 'json', format_options jsonb DEFAULT NULL, consumer_group text DEFAULT 'ml_score',
    start text DEFAULT 'earliest', partitions integer[] DEFAULT NULL, workers integer DEFAULT 1, max_batch_rows integer DEFAULT 10000,
    max_batch_delay text DEFAULT '200ms', max_batch_bytes text DEFAULT '16MB', on_error text DEFAULT 'dead_letter',
    on_offset_out_of_range text DEFAULT 'stop', paused boolean DEFAULT false, "window" interval DEFAULT NULL,
    hop interval DEFAULT NULL, allowed_lateness interval DEFAULT '0', event_time text DEFAULT '_time',
    late_events text DEFAULT 'dead_letter', idle_timeout interval DEFAULT '1 minute')
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_create_stream';
COMMENT ON FUNCTION ml_score.create_stream(text, text, text, text, text, text, text, jsonb, text, text, integer[], integer, integer, text, text, text, text, boolean, interval, interval, interval, text, text, interval) IS
'creates a stream, owned by the caller, that begins to run when the transaction commits.
Arguments: name; server, of TYPE ''eventhubs'', on which the caller has USAGE; topic (the event hub); either target, a table that the rows go into, or query, one or several statements that read the relation "batch"; columns, what an event holds (''id bigint, at timestamptz''), by default the columns of target, for a query to be given; format and format_options, see ml_score.decode_event.
Columns named _partition, _offset, _time, _key and _headers get the event''s position and envelope; "batch" always has them.
start: earliest, latest or a timestamp; partitions: those to read, by default all; workers: processes that share them.
A micro-batch is closed by max_batch_rows events, max_batch_bytes of them, or max_batch_delay after its first.
on_error: dead_letter or fail (the stream stops); on_offset_out_of_range, when the hub no longer has the next event: stop, earliest or latest.
With "window" (a reserved word: write it in quotes), the query runs once per window over all of its events, when the watermark is allowed_lateness past its end; "batch" then also has window_start and window_end. A new window begins every hop (by default, as one ends). event_time: column that has the time of an event; late_events: dead_letter, or update to run the query at the end of a window and again for late events; idle_timeout: a partition without events for so long does not hold the watermark.
Errors: undefined_object for an unknown server or table, duplicate_object, invalid_parameter_value for what does not fit, object_not_in_prerequisite_state without shared_preload_libraries; those of decoding and of the query''s syntax.';

CREATE FUNCTION ml_score.alter_stream(name text, server text DEFAULT NULL, topic text DEFAULT NULL, target text DEFAULT NULL, columns text DEFAULT NULL,
    query text DEFAULT NULL, format text DEFAULT NULL, format_options jsonb DEFAULT NULL, consumer_group text DEFAULT NULL,
    start text DEFAULT NULL, partitions integer[] DEFAULT NULL, workers integer DEFAULT NULL, max_batch_rows integer DEFAULT NULL,
    max_batch_delay text DEFAULT NULL, max_batch_bytes text DEFAULT NULL, on_error text DEFAULT NULL,
    on_offset_out_of_range text DEFAULT NULL, paused boolean DEFAULT NULL, "window" interval DEFAULT NULL,
    hop interval DEFAULT NULL, allowed_lateness interval DEFAULT NULL, event_time text DEFAULT NULL,
    late_events text DEFAULT NULL, idle_timeout interval DEFAULT NULL, owner text DEFAULT NULL)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_alter_stream';
COMMENT ON FUNCTION ml_score.alter_stream(text, text, text, text, text, text, text, jsonb, text, text, integer[], integer, integer, text, text, text, text, boolean, interval, interval, interval, text, text, interval, text) IS
'changes a stream of the caller''s in those of create_stream''s arguments that are given; it keeps its place, and its workers begin anew as the transaction commits.
target takes the place of a query, and query that of a target; empty columns are those of the target; target, columns and query mean what they mean in this session (search_path). owner: the role in whose name it runs from then on, to which the caller must be able to SET ROLE and which needs USAGE on the server.
Events that wait for their windows are read as the stream then says. Not to be changed: server, topic, start, partitions, paused, "window", hop, event_time, late_events; the error''s hint says what to do instead.
Errors: undefined_object, insufficient_privilege, feature_not_supported for what cannot be changed, configuration_limit_exceeded (ml_score.max_stream_workers_per_role); those of create_stream.';

CREATE FUNCTION ml_score.pause_stream(name text) RETURNS void
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_pause_stream';
COMMENT ON FUNCTION ml_score.pause_stream(text) IS
'stops a stream of the caller''s when the transaction commits; it keeps its place. Errors: undefined_object, insufficient_privilege.';

CREATE FUNCTION ml_score.resume_stream(name text) RETURNS void
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_resume_stream';
COMMENT ON FUNCTION ml_score.resume_stream(text) IS
'lets a stream run that was paused, has stopped by itself, or came with a restored dump. Errors: undefined_object, insufficient_privilege.';

CREATE FUNCTION ml_score.seek_stream(name text, start text) RETURNS void
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_seek_stream';
COMMENT ON FUNCTION ml_score.seek_stream(text, text) IS
'has a stream go on from another place: ''earliest'', ''latest'' or a timestamp (the first event of each partition from then on). Events stored before are not taken back.
Errors: undefined_object, insufficient_privilege, invalid_parameter_value.';

CREATE FUNCTION ml_score.seek_stream(name text, start timestamptz) RETURNS void
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_seek_stream_time';
COMMENT ON FUNCTION ml_score.seek_stream(text, timestamptz) IS 'the same with a timestamp';

CREATE FUNCTION ml_score.drop_stream(name text) RETURNS void
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_drop_stream';
COMMENT ON FUNCTION ml_score.drop_stream(text) IS
'ends a stream and forgets its place and its dead letters; what it stored stays. Errors: undefined_object, insufficient_privilege.';

CREATE FUNCTION ml_score.replay_dead_letter(stream text, ids bigint[] DEFAULT NULL) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_replay_dead_letter';
COMMENT ON FUNCTION ml_score.replay_dead_letter(text, bigint[]) IS
'tries the dead letters of a stream again, all or those with these ids, as the stream would store them now, and removes those that succeed; how many that are. The others stay, with the new reason. Deferred constraints are checked at once, in the rest of the transaction too.
Errors: undefined_object, insufficient_privilege; what is not an event''s fault (a missing table, an endpoint that does not answer).';

CREATE FUNCTION ml_score.wait_stream(name text, timeout interval DEFAULT '1 minute') RETURNS void
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_wait_stream';
COMMENT ON FUNCTION ml_score.wait_stream(text, interval) IS
'returns when a stream has stored all that was in its topic as the function was called. Its own transaction must see new rows: call it as a statement of its own.
Errors: undefined_object, insufficient_privilege; query_canceled when the time is over, with the stream''s state; object_not_in_prerequisite_state when the stream is paused or has stopped.';

CREATE FUNCTION ml_score.purge(older_than interval DEFAULT '30 days', stream text DEFAULT NULL, job bigint DEFAULT NULL) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_purge';
COMMENT ON FUNCTION ml_score.purge(interval, text, bigint) IS
'removes what is older: dead letters of streams, and batch jobs that ended so long ago, with their history, missing rows and dead letters. Of one stream, of one job, or (with neither) of all streams and jobs of roles that the caller is a member of. How many dead letters of streams and how many jobs that were.
Errors: undefined_object for a stream or a job that is not there, or not the caller''s; null_value_not_allowed.';

CREATE FUNCTION ml_score.stream_status(
    OUT stream_id bigint, OUT partition integer, OUT pid integer, OUT state text, OUT end_offset bigint,
    OUT seen_offset bigint, OUT events_per_second float8, OUT bytes_per_second float8, OUT throttled bigint, OUT restarts bigint,
    OUT last_error text, OUT last_error_at timestamptz)
RETURNS SETOF record
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 10 AS 'MODULE_PATHNAME', 'mls_stream_status';
COMMENT ON FUNCTION ml_score.stream_status() IS 'what the workers of this database''s streams say, for the view ml_score.stat_stream, which says who sees what';

CREATE VIEW ml_score.stream_wanted AS
    SELECT s.id, s.name, s.owner::oid AS owner, s.workers, s.version,
        r.oid IS NOT NULL AND (r.rolsuper OR sum(s.workers) OVER (PARTITION BY s.owner ORDER BY s.id)
            OPERATOR(pg_catalog.<=) pg_catalog.current_setting('ml_score.max_stream_workers_per_role')::bigint) AS allowed
    FROM ml_score.stream s LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) s.owner
    WHERE s.state OPERATOR(pg_catalog.=) 'running' AND s.home OPERATOR(pg_catalog.=) ml_score.home();
COMMENT ON VIEW ml_score.stream_wanted IS 'the streams that should run here, for the supervisor';
COMMENT ON COLUMN ml_score.stream_wanted.id IS 'number by which its workers are known';
COMMENT ON COLUMN ml_score.stream_wanted.name IS 'name of the stream';
COMMENT ON COLUMN ml_score.stream_wanted.owner IS 'role in whose name it runs';
COMMENT ON COLUMN ml_score.stream_wanted.workers IS 'processes that share the partitions';
COMMENT ON COLUMN ml_score.stream_wanted.version IS 'grows with every change';
COMMENT ON COLUMN ml_score.stream_wanted.allowed IS 'is there its role, and may it have so many workers: the older streams come before the newer';

CREATE VIEW ml_score.stat_stream WITH (security_barrier) AS
    WITH status AS MATERIALIZED (SELECT * FROM ml_score.stream_status())
    SELECT s.name AS stream, x.partition,
        CASE WHEN s.state OPERATOR(pg_catalog.<>) 'running' THEN s.state
            WHEN s.home OPERATOR(pg_catalog.<>) ml_score.home() THEN 'restored'
            WHEN NOT w.allowed THEN 'waiting'
            ELSE coalesce(x.state, 'starting') END AS state,
        x.next_offset, x.end_offset, CASE WHEN x.end_offset IS NOT NULL THEN greatest(x.end_offset OPERATOR(pg_catalog.-) greatest(x.next_offset, x.seen_offset), 0) END AS lag,
        CASE WHEN x.end_offset OPERATOR(pg_catalog.<=) greatest(x.next_offset, x.seen_offset) THEN 0
            ELSE extract(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) x.event_time)::float8 END AS watermark_delay,
        coalesce(x.events_per_second, 0) AS events_per_second, x.rows, x.dead_letters, coalesce(x.restarts, 0) AS restarts,
        CASE WHEN s.state OPERATOR(pg_catalog.=) 'stopped' THEN s.stop_reason
            WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid OPERATOR(pg_catalog.=) s.owner)
                THEN 'the role that owned it is gone: ml_score.alter_stream(..., owner => ...) gives it to another'
            WHEN NOT w.allowed THEN 'the streams of its role have all the workers that ml_score.max_stream_workers_per_role allows'
            ELSE x.last_error END AS last_error, x.last_error_at,
        coalesce(x.bytes_per_second, 0) AS bytes_per_second, x.events, x.bytes, x.batches, coalesce(x.throttled, 0) AS throttled,
        x.event_time, x.updated_at, x.pid
    FROM ml_score.stream s LEFT JOIN ml_score.stream_wanted w ON w.id OPERATOR(pg_catalog.=) s.id LEFT JOIN LATERAL (
        SELECT coalesce(o.partition, t.partition) AS partition, o.next_offset, o.event_time, o.events, o.rows, o.bytes, o.batches,
            o.dead_letters, o.updated_at, t.pid, t.state, t.end_offset, t.seen_offset, t.events_per_second, t.bytes_per_second,
            t.throttled, t.restarts, t.last_error, t.last_error_at
        FROM (SELECT * FROM ml_score.stream_offset WHERE stream OPERATOR(pg_catalog.=) s.name) o
            FULL JOIN (SELECT * FROM status WHERE stream_id OPERATOR(pg_catalog.=) s.id) t ON o.partition OPERATOR(pg_catalog.=) t.partition) x ON true
    WHERE pg_catalog.pg_has_role(s.owner, 'USAGE') OR pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE');
GRANT SELECT ON ml_score.stat_stream TO PUBLIC;
COMMENT ON VIEW ml_score.stat_stream IS
'one line per stream and partition; one with partition NULL before the partitions are known. Shows the streams of roles that the caller is a member of, all of them to members of pg_read_all_stats.';
COMMENT ON COLUMN ml_score.stat_stream.state IS
'starting; running; waiting: something is wrong (last_error) and it tries again by itself; paused, by pause_stream; stopped: it needs resume_stream, last_error says why; restored: it came with a dump, and needs resume_stream';
COMMENT ON COLUMN ml_score.stat_stream.next_offset IS 'the first event that is not stored yet';
COMMENT ON COLUMN ml_score.stat_stream.end_offset IS 'where the partition ended when the hub said so last; NULL: not known';
COMMENT ON COLUMN ml_score.stat_stream.lag IS 'events still to come, up to end_offset';
COMMENT ON COLUMN ml_score.stat_stream.watermark_delay IS 'seconds since the time of the last event stored; 0 without lag';
COMMENT ON COLUMN ml_score.stat_stream.events_per_second IS 'over the last ten seconds or so';
COMMENT ON COLUMN ml_score.stat_stream.rows IS 'rows that came of the events, since the stream was made';
COMMENT ON COLUMN ml_score.stat_stream.dead_letters IS 'events that went to ml_score.dead_letter, since the stream was made';
COMMENT ON COLUMN ml_score.stat_stream.restarts IS 'how often its worker ended and was started again, since the server or the stream began';
COMMENT ON COLUMN ml_score.stat_stream.last_error IS 'what went wrong last, of the stream or the connection to the hub; it stays until another one';
COMMENT ON COLUMN ml_score.stat_stream.bytes_per_second IS 'over the last ten seconds or so: the events'' values';
COMMENT ON COLUMN ml_score.stat_stream.batches IS 'micro-batches committed';
COMMENT ON COLUMN ml_score.stat_stream.throttled IS 'replies that the hub held back because of its limits, since the worker started';
COMMENT ON COLUMN ml_score.stat_stream.event_time IS 'time of the last event stored';
COMMENT ON COLUMN ml_score.stat_stream.stream IS 'name of the stream';
COMMENT ON COLUMN ml_score.stat_stream.partition IS 'partition of the topic';
COMMENT ON COLUMN ml_score.stat_stream.last_error_at IS 'when that was';
COMMENT ON COLUMN ml_score.stat_stream.events IS 'events done with, since the stream was made';
COMMENT ON COLUMN ml_score.stat_stream.bytes IS 'bytes of their values, since the stream was made';
COMMENT ON COLUMN ml_score.stat_stream.updated_at IS 'when its last micro-batch was stored';
COMMENT ON COLUMN ml_score.stat_stream.pid IS 'the worker''s process';

/* Batch jobs. Users see their own through row security, and change nothing: the functions below do. */

CREATE TABLE ml_score.batch_job (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    owner regrole NOT NULL,
    server text NOT NULL,
    state text NOT NULL CHECK (state IN ('exporting', 'submitting', 'running', 'downloading', 'loading', 'completed', 'failed', 'cancelling', 'cancelled')),
    query text,
    input text,
    target regclass,
    key text[],
    send_key boolean NOT NULL,
    format text NOT NULL,
    rows_per_file integer NOT NULL,
    gzip boolean NOT NULL,
    result_format text NOT NULL,
    result_columns text[],
    columns jsonb,
    on_conflict text,
    on_missing text NOT NULL,
    on_error text NOT NULL,
    parameters jsonb,
    outputs jsonb,
    overrides jsonb,
    tags jsonb,
    experiment text,
    timeout interval,
    retain text NOT NULL,
    job_name text,
    azure_status text,
    studio_url text,
    files integer,
    rows_out bigint,
    bytes_out bigint,
    rows_in bigint,
    bytes_in bigint,
    missing bigint,
    dead_letters bigint,
    submitted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    exported_at timestamptz,
    invoked_at timestamptz,
    ended_at timestamptz,
    downloaded_at timestamptz,
    completed_at timestamptz,
    deadline timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    failed_state text,
    sqlstate text,
    error text,
    error_detail text,
    error_hint text,
    request_id uuid NOT NULL,
    folder text NOT NULL,
    folders text[] NOT NULL,
    search_path text NOT NULL,
    time_zone text NOT NULL,
    invoke_started_at timestamptz,
    polls integer NOT NULL DEFAULT 0,
    next_poll_at timestamptz,
    cancel_sent boolean NOT NULL DEFAULT false,
    cleanup boolean NOT NULL DEFAULT false,
    version bigint NOT NULL DEFAULT 0,
    home text NOT NULL DEFAULT ml_score.home()
);
CREATE INDEX batch_job_unfinished ON ml_score.batch_job (state, next_poll_at)
    WHERE state NOT IN ('completed', 'failed', 'cancelled') OR cleanup;
ALTER TABLE ml_score.batch_job ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON ml_score.batch_job FOR SELECT
    USING (pg_catalog.pg_has_role(owner::oid, 'USAGE') OR pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'));
GRANT SELECT ON ml_score.batch_job TO PUBLIC;
COMMENT ON TABLE ml_score.batch_job IS
'batch jobs, a line for each that ml_score.submit_batch was called for, until ml_score.purge. Everybody sees the own jobs and those of roles that they are a member of; members of pg_read_all_stats see all. Not dumped by pg_dump: a restored copy must not go on with the jobs of the original.';
COMMENT ON COLUMN ml_score.batch_job.id IS 'the job''s number, as ml_score.submit_batch returned it';
COMMENT ON COLUMN ml_score.batch_job.owner IS 'role that submitted it; query and inserts run as this role';
COMMENT ON COLUMN ml_score.batch_job.state IS 'exporting, submitting, running, downloading, loading; completed, failed, cancelling, cancelled';
COMMENT ON COLUMN ml_score.batch_job.job_name IS 'the job''s name in Azure';
COMMENT ON COLUMN ml_score.batch_job.azure_status IS 'Azure''s word for the job''s state, as it was last seen';
COMMENT ON COLUMN ml_score.batch_job.studio_url IS 'the job''s page in the studio, with its logs';
COMMENT ON COLUMN ml_score.batch_job.files IS 'files that were exported';
COMMENT ON COLUMN ml_score.batch_job.rows_out IS 'rows that were exported';
COMMENT ON COLUMN ml_score.batch_job.bytes_out IS 'bytes of the exported files, as they were uploaded';
COMMENT ON COLUMN ml_score.batch_job.rows_in IS 'rows that were stored in the target';
COMMENT ON COLUMN ml_score.batch_job.bytes_in IS 'bytes of the results';
COMMENT ON COLUMN ml_score.batch_job.missing IS 'rows that were exported and have no prediction: see ml_score.batch_missing';
COMMENT ON COLUMN ml_score.batch_job.dead_letters IS 'lines of the results that could not be stored: see ml_score.dead_letter';
COMMENT ON COLUMN ml_score.batch_job.submitted_at IS 'when it was submitted';
COMMENT ON COLUMN ml_score.batch_job.exported_at IS 'when the export was done';
COMMENT ON COLUMN ml_score.batch_job.invoked_at IS 'when the endpoint had taken the job';
COMMENT ON COLUMN ml_score.batch_job.ended_at IS 'when the job was seen to have ended in Azure';
COMMENT ON COLUMN ml_score.batch_job.downloaded_at IS 'when the results had been fetched';
COMMENT ON COLUMN ml_score.batch_job.completed_at IS 'when it completed, failed or was cancelled';
COMMENT ON COLUMN ml_score.batch_job.deadline IS 'when it fails if it has not ended in Azure: submission plus timeout';
COMMENT ON COLUMN ml_score.batch_job.attempts IS 'attempts at the current step that failed';
COMMENT ON COLUMN ml_score.batch_job.failed_state IS 'state in which it failed';
COMMENT ON COLUMN ml_score.batch_job.sqlstate IS 'SQLSTATE of error';
COMMENT ON COLUMN ml_score.batch_job.error IS 'why it failed, or why the current step is tried again';
COMMENT ON COLUMN ml_score.batch_job.error_detail IS 'what the service said';
COMMENT ON COLUMN ml_score.batch_job.error_hint IS 'what to do';
COMMENT ON COLUMN ml_score.batch_job.folder IS 'folder of this try below the storage''s url: in/ has what was exported, out/ the results';

CREATE TABLE ml_score.batch_job_event (
    job bigint NOT NULL REFERENCES ml_score.batch_job ON DELETE CASCADE,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    state text NOT NULL,
    message text
);
CREATE INDEX ON ml_score.batch_job_event (job, at);
COMMENT ON TABLE ml_score.batch_job_event IS 'history of batch jobs: states they came into, Azure''s words for their status, what had to be tried again';

/* Rows of each exported file, and their keys: lines of COPY's text format. */
CREATE TABLE ml_score.batch_file (
    job bigint NOT NULL REFERENCES ml_score.batch_job ON DELETE CASCADE,
    file integer NOT NULL,
    rows bigint NOT NULL,
    bytes bigint NOT NULL,
    keys bytea NOT NULL,
    PRIMARY KEY (job, file)
);
COMMENT ON TABLE ml_score.batch_file IS 'files that unfinished batch jobs have exported, with the keys of their rows; nobody''s to read';

CREATE TABLE ml_score.batch_missing (
    job bigint NOT NULL REFERENCES ml_score.batch_job ON DELETE CASCADE,
    file integer NOT NULL,
    "row" bigint NOT NULL,
    key text[]
);
CREATE INDEX ON ml_score.batch_missing (job);
COMMENT ON TABLE ml_score.batch_missing IS 'rows that were exported for a batch job and have no prediction: number of the file, of the row in it (from 0), and the key''s values as text, in the order of ml_score.batch_job.key; NULL for jobs without a key';

ALTER TABLE ml_score.dead_letter ADD FOREIGN KEY (job) REFERENCES ml_score.batch_job ON DELETE CASCADE;

ALTER TABLE ml_score.batch_job_event ENABLE ROW LEVEL SECURITY;
ALTER TABLE ml_score.batch_missing ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON ml_score.batch_job_event FOR SELECT USING (EXISTS (SELECT FROM ml_score.batch_job j WHERE j.id OPERATOR(pg_catalog.=) job));
CREATE POLICY own ON ml_score.batch_missing FOR SELECT USING (EXISTS (SELECT FROM ml_score.batch_job j WHERE j.id OPERATOR(pg_catalog.=) job));
CREATE POLICY own ON ml_score.dead_letter FOR SELECT USING (EXISTS (SELECT FROM ml_score.batch_job j WHERE j.id OPERATOR(pg_catalog.=) job));
GRANT SELECT ON ml_score.batch_job_event, ml_score.batch_missing TO PUBLIC;

COMMENT ON COLUMN ml_score.batch_job.cancel_sent IS 'whether Azure was asked to stop it';
COMMENT ON COLUMN ml_score.batch_job.cleanup IS 'whether its files are still to be removed';
COMMENT ON COLUMN ml_score.batch_job.columns IS 'argument of submit_batch';
COMMENT ON COLUMN ml_score.batch_job.experiment IS 'argument of submit_batch';
COMMENT ON COLUMN ml_score.batch_job.folders IS 'folders of all its tries';
COMMENT ON COLUMN ml_score.batch_job.format IS 'argument of submit_batch';
COMMENT ON COLUMN ml_score.batch_job.gzip IS 'argument of submit_batch';
COMMENT ON COLUMN ml_score.batch_job.input IS 'argument of submit_batch';
COMMENT ON COLUMN ml_score.batch_job.home IS 'the database that does it: elsewhere, in a copy, it waits for resume_batch';
COMMENT ON COLUMN ml_score.batch_job.invoke_started_at IS 'when the endpoint was asked to start it; NULL: it was not, or has refused';
COMMENT ON COLUMN ml_score.batch_job.key IS 'columns of the query that tell its rows apart';
COMMENT ON COLUMN ml_score.batch_job.next_poll_at IS 'when Azure is asked next how it is';
COMMENT ON COLUMN ml_score.batch_job.on_conflict IS 'argument of submit_batch';
COMMENT ON COLUMN ml_score.batch_job.on_error IS 'argument of submit_batch';
COMMENT ON COLUMN ml_score.batch_job.on_missing IS 'argument of submit_batch';
COMMENT ON COLUMN ml_score.batch_job.outputs IS 'argument of submit_batch';
COMMENT ON COLUMN ml_score.batch_job.overrides IS 'argument of submit_batch';
COMMENT ON COLUMN ml_score.batch_job.parameters IS 'argument of submit_batch';
COMMENT ON COLUMN ml_score.batch_job.polls IS 'how often Azure was asked how it is';
COMMENT ON COLUMN ml_score.batch_job.query IS 'argument of submit_batch';
COMMENT ON COLUMN ml_score.batch_job.request_id IS 'of the request that starts it: also in its folders name, and in Azure in its tag ml_score_job';
COMMENT ON COLUMN ml_score.batch_job.result_columns IS 'argument of submit_batch';
COMMENT ON COLUMN ml_score.batch_job.result_format IS 'argument of submit_batch';
COMMENT ON COLUMN ml_score.batch_job.retain IS 'argument of submit_batch';
COMMENT ON COLUMN ml_score.batch_job.rows_per_file IS 'argument of submit_batch';
COMMENT ON COLUMN ml_score.batch_job.search_path IS 'of the session that submitted it';
COMMENT ON COLUMN ml_score.batch_job.send_key IS 'argument of submit_batch';
COMMENT ON COLUMN ml_score.batch_job.server IS 'name of the server of TYPE batch';
COMMENT ON COLUMN ml_score.batch_job.tags IS 'argument of submit_batch';
COMMENT ON COLUMN ml_score.batch_job.target IS 'table that the predictions go into';
COMMENT ON COLUMN ml_score.batch_job.time_zone IS 'of the session that submitted it';
COMMENT ON COLUMN ml_score.batch_job.timeout IS 'argument of submit_batch';
COMMENT ON COLUMN ml_score.batch_job.version IS 'grows when its worker must begin anew';
COMMENT ON COLUMN ml_score.batch_job_event.job IS 'the job';
COMMENT ON COLUMN ml_score.batch_job_event.at IS 'when';
COMMENT ON COLUMN ml_score.batch_job_event.state IS 'the state that it was in or came into';
COMMENT ON COLUMN ml_score.batch_job_event.message IS 'what happened';
COMMENT ON COLUMN ml_score.batch_file.job IS 'the job';
COMMENT ON COLUMN ml_score.batch_file.file IS 'number of the file, from 1';
COMMENT ON COLUMN ml_score.batch_file.rows IS 'rows in it';
COMMENT ON COLUMN ml_score.batch_file.bytes IS 'its size, as uploaded';
COMMENT ON COLUMN ml_score.batch_file.keys IS 'its rows keys: lines of COPYs text format, in UTF-8';
COMMENT ON COLUMN ml_score.batch_missing.job IS 'the job';
COMMENT ON COLUMN ml_score.batch_missing.file IS 'number of the file, from 1';
COMMENT ON COLUMN ml_score.batch_missing."row" IS 'number of the row in it, from 0';
COMMENT ON COLUMN ml_score.batch_missing.key IS 'the values of the jobs key, as text';
COMMENT ON SEQUENCE ml_score.batch_job_id_seq IS 'numbers of batch jobs';

CREATE FUNCTION ml_score.progress_batch(
    OUT pid integer, OUT job bigint, OUT state text, OUT done bigint, OUT total bigint)
RETURNS SETOF record
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 10 AS 'MODULE_PATHNAME', 'mls_progress_batch';
COMMENT ON FUNCTION ml_score.progress_batch() IS 'what workers of batch jobs say of their step, for the view ml_score.progress_batch';

CREATE VIEW ml_score.progress_batch WITH (security_invoker = true) AS
    SELECT j.id AS job, j.server, j.state, p.pid,
        CASE WHEN p.pid IS NULL THEN NULL WHEN p.state OPERATOR(pg_catalog.=) 'exporting' THEN 'rows' ELSE 'bytes' END AS unit,
        p.done, p.total,
        CASE WHEN p.total OPERATOR(pg_catalog.>) 0 THEN
            least(pg_catalog.round(100.0 OPERATOR(pg_catalog.*) p.done OPERATOR(pg_catalog./) p.total, 1),
                CASE WHEN p.state OPERATOR(pg_catalog.=) 'exporting' THEN 99.9 ELSE 100.0 END) END AS percent
    FROM ml_score.batch_job j LEFT JOIN ml_score.progress_batch() p
        ON p.job OPERATOR(pg_catalog.=) j.id AND p.state OPERATOR(pg_catalog.=) j.state
    WHERE j.state NOT IN ('completed', 'failed', 'cancelled');
GRANT SELECT ON ml_score.progress_batch TO PUBLIC;
COMMENT ON VIEW ml_score.progress_batch IS
'a line for each batch job that has not ended, of those that the caller sees in ml_score.batch_job, with how far its step is. Of submitting and running nothing is known: Azure does not say.';
COMMENT ON COLUMN ml_score.progress_batch.job IS 'the job''s number';
COMMENT ON COLUMN ml_score.progress_batch.server IS 'name of the server of TYPE batch';
COMMENT ON COLUMN ml_score.progress_batch.state IS 'the step that it is in';
COMMENT ON COLUMN ml_score.progress_batch.pid IS 'process that does it; NULL: none does now';
COMMENT ON COLUMN ml_score.progress_batch.unit IS 'of what done and total are: rows when exporting, bytes of the results when downloading or loading';
COMMENT ON COLUMN ml_score.progress_batch.done IS 'so much of the step is done';
COMMENT ON COLUMN ml_score.progress_batch.total IS 'of so much; when exporting the planner''s estimate, NULL once that was too low';
COMMENT ON COLUMN ml_score.progress_batch.percent IS 'done of total; NULL: not known. 100 is for what was counted: an export, whose end is estimated, shows 99.9 at most';

CREATE FUNCTION ml_score.submit_batch(server name, query text DEFAULT NULL, input text DEFAULT NULL,
    target regclass DEFAULT NULL, key text[] DEFAULT NULL, send_key boolean DEFAULT false,
    format text DEFAULT 'csv', rows_per_file integer DEFAULT 10000, gzip boolean DEFAULT false,
    result_format text DEFAULT 'auto', result_columns text[] DEFAULT NULL, columns jsonb DEFAULT NULL,
    on_conflict text DEFAULT NULL, on_missing text DEFAULT 'record', on_error text DEFAULT 'dead_letter',
    parameters jsonb DEFAULT NULL, outputs jsonb DEFAULT NULL, overrides jsonb DEFAULT NULL, tags jsonb DEFAULT NULL,
    experiment text DEFAULT NULL, timeout interval DEFAULT '21 days', retain text DEFAULT 'failed')
RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_submit_batch';
COMMENT ON FUNCTION ml_score.submit_batch(name, text, text, regclass, text[], boolean, text, integer, boolean, text, text[], jsonb, text, text, text, jsonb, jsonb, jsonb, jsonb, text, interval, text) IS
'submits a batch job and returns its number. The job begins when the transaction commits; background workers export the query''s rows to the server''s storage, start the batch endpoint, follow the job, and store the predictions in target.
Arguments: server, of TYPE ''batch'' (the caller needs USAGE on it and on its storage); query, a SELECT that is run as the caller with the caller''s search_path, on one snapshot, or input, the URI of existing data;
target, a table, and key, columns of the query that stay in the database and are stored beside the predictions (default: the target''s primary key, if the query has all of it and more), or are sent as well with send_key;
format of the exported files (csv, csv_no_header, json_lines), rows_per_file (Azure ML works in parallel on files, not on rows), gzip; result_format (auto, csv, csv_header, spaces, json_lines), result_columns, names of the fields of results without a header (row and file_name say which row one is of), columns, {"target''s column": "field"};
on_conflict (update or nothing: by the key, or the target''s primary key), on_missing (record: rows without a prediction go into ml_score.batch_missing; fail), on_error (dead_letter: bad lines go into ml_score.dead_letter; fail);
parameters, {"name": value}, sent as literal inputs; outputs, {"name": "URI"}, in which {path} is the job''s folder; overrides, merged into the request''s properties ({"miniBatchSize": 2}); tags; experiment; timeout, from now until the job has ended in Azure; retain, whose files stay in the storage (none, failed: those of jobs that failed, all).
Errors: undefined_object, insufficient_privilege, undefined_column, invalid_parameter_value and those of the query''s analysis at once; all else is in ml_score.batch_job.';

CREATE PROCEDURE ml_score.wait_batch(job bigint, timeout interval DEFAULT NULL)
LANGUAGE C AS 'MODULE_PATHNAME', 'mls_wait_batch';
COMMENT ON PROCEDURE ml_score.wait_batch(bigint, interval) IS
'waits until a batch job has completed. Raises the job''s error if it fails, query_canceled if it is cancelled or the timeout passes first (the job goes on then). Outside of a transaction block it holds no transaction open meanwhile.';

CREATE FUNCTION ml_score.cancel_batch(job bigint) RETURNS boolean
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_cancel_batch';
COMMENT ON FUNCTION ml_score.cancel_batch(bigint) IS
'has a batch job cancelled once the transaction commits: what runs here is ended, and Azure is asked to stop the job if the server has a workspace_url. A job that came with a copy of its database is forgotten here, and goes on there. False when the job has ended already. Errors: undefined_object for what is no job of the caller.';

CREATE FUNCTION ml_score.retry_batch(job bigint, target regclass DEFAULT NULL) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_retry_batch';
COMMENT ON FUNCTION ml_score.retry_batch(bigint, regclass) IS
'has a failed or cancelled batch job go on once the transaction commits: results that could not be stored are fetched and stored again (in another target, if one is given), otherwise, and always if the job came with a copy of its database, the query runs anew and another job is started in Azure. Errors: undefined_object, object_not_in_prerequisite_state.';

CREATE FUNCTION ml_score.resume_batch(job bigint) RETURNS void
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_resume_batch';
COMMENT ON FUNCTION ml_score.resume_batch(bigint) IS
'has a batch job that came with a copy of its database (ml_score.batch_job.home is not ml_score.home()) go on here once the transaction commits, where it was. Only if the original is gone: it would do the same. Errors: undefined_object, object_not_in_prerequisite_state for a job of this database and without shared_preload_libraries.';

CREATE FUNCTION ml_score.check_server(server name,
    OUT name text, OUT step text, OUT ok boolean, OUT message text, OUT hint text)
RETURNS SETOF record
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE ROWS 10 AS 'MODULE_PATHNAME', 'mls_check_server';
COMMENT ON FUNCTION ml_score.check_server(name) IS
'tries what the caller can have a server do, with tiny data, a line for each step: whether it worked, and if not, what the service said and what to do, such as the role that is missing. Types: online, batch (with its storage), blob. Starts no job. The caller needs USAGE on the server.';

/* Tables that stay scored. */

CREATE PROCEDURE ml_score.score_table(source regclass, target regclass, function regprocedure, chunk_rows integer DEFAULT 10000)
LANGUAGE C AS 'MODULE_PATHNAME', 'mls_score_table';
COMMENT ON PROCEDURE ml_score.score_table(regclass, regclass, regprocedure, integer) IS
'scores the rows of source whose key is not in target yet, and stores key and score in target; commits each chunk.
Arguments: source, a table or view; target, a table with a primary key, whose columns source has by the same names; function, whose arguments are columns of source by name; chunk_rows, how many rows are scored and committed at a time.
The result goes into the column of target named as it or as the function, or else the only one beside the key without a default; several results each into the column of their name ("error" may be left out). Other columns keep their defaults.
Run again, it goes on where it ended; rows that target has are never changed, and rows with a NULL in the key are left out. With an index of source over the key the rows are those of each chunk''s time; else those of the run''s beginning.
A NOTICE after each chunk says how far it is, and so does the view ml_score.progress_score_table. statement_timeout holds for the whole run.
Errors: active_sql_transaction inside a transaction block; object_in_use while another run fills target; object_not_in_prerequisite_state, undefined_column and datatype_mismatch when the three do not fit, with a hint; those of scoring. Chunks committed before an error stay.';

CREATE PROCEDURE ml_score.score_table(source regclass, target regclass, function text, chunk_rows integer DEFAULT 10000)
LANGUAGE C AS 'MODULE_PATHNAME', 'mls_score_table_named';
COMMENT ON PROCEDURE ml_score.score_table(regclass, regclass, text, integer) IS
'the same with the function''s name (or signature, as regprocedure takes it) as text: CALL ml_score.score_table(''diamonds'', ''price'', ''diamond_price'')';

CREATE FUNCTION ml_score.progress_score_table(
    OUT pid integer, OUT datid oid, OUT source regclass, OUT target regclass, OUT function regprocedure,
    OUT rows_total bigint, OUT rows_scored bigint, OUT chunks bigint,
    OUT started_at timestamptz, OUT last_chunk_at timestamptz)
RETURNS SETOF record
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 10 AS 'MODULE_PATHNAME', 'mls_progress_score_table';
COMMENT ON FUNCTION ml_score.progress_score_table() IS 'what the view ml_score.progress_score_table shows';

CREATE VIEW ml_score.progress_score_table AS
    SELECT p.pid, d.datname, p.source, p.target, p.function, p.rows_total, p.rows_scored, p.chunks, p.started_at, p.last_chunk_at
    FROM ml_score.progress_score_table() p LEFT JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) p.datid;
GRANT SELECT ON ml_score.progress_score_table TO PUBLIC;
COMMENT ON VIEW ml_score.progress_score_table IS
'a line for each run of ml_score.score_table that is under way, in any database of the server; gone when the run or its backend ends.
rows_total is the planner''s estimate of the rows without a score as the run began; rows_scored and chunks count what is committed. Names are NULL for other databases, and all figures are for runs of roles that the caller is no member of, unless with pg_read_all_stats.';
COMMENT ON COLUMN ml_score.progress_score_table.pid IS 'process that runs it';
COMMENT ON COLUMN ml_score.progress_score_table.datname IS 'database that it runs in';
COMMENT ON COLUMN ml_score.progress_score_table.source IS 'where the rows are';
COMMENT ON COLUMN ml_score.progress_score_table.target IS 'where the scores go';
COMMENT ON COLUMN ml_score.progress_score_table.function IS 'what scores them';
COMMENT ON COLUMN ml_score.progress_score_table.rows_total IS 'rows to be scored: the planner''s estimate as the run began, or rows_scored once that is more';
COMMENT ON COLUMN ml_score.progress_score_table.rows_scored IS 'rows scored and committed by this run';
COMMENT ON COLUMN ml_score.progress_score_table.chunks IS 'chunks committed by this run';
COMMENT ON COLUMN ml_score.progress_score_table.started_at IS 'when the run began';
COMMENT ON COLUMN ml_score.progress_score_table.last_chunk_at IS 'when its last chunk was committed; NULL before the first';

/* Drift, data quality, and how right predictions were. */

CREATE TYPE ml_score.distribution;

CREATE FUNCTION ml_score.distribution_in(cstring) RETURNS ml_score.distribution
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_distribution_in';
COMMENT ON FUNCTION ml_score.distribution_in(cstring) IS 'input of the type ml_score.distribution';

CREATE FUNCTION ml_score.distribution_out(ml_score.distribution) RETURNS cstring
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_distribution_out';
COMMENT ON FUNCTION ml_score.distribution_out(ml_score.distribution) IS 'output of the type ml_score.distribution';

CREATE FUNCTION ml_score.distribution_recv(internal) RETURNS ml_score.distribution
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_distribution_recv';
COMMENT ON FUNCTION ml_score.distribution_recv(internal) IS 'binary input of the type ml_score.distribution';

CREATE FUNCTION ml_score.distribution_send(ml_score.distribution) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_distribution_send';
COMMENT ON FUNCTION ml_score.distribution_send(ml_score.distribution) IS 'binary output of the type ml_score.distribution';

CREATE TYPE ml_score.distribution (
    INPUT = ml_score.distribution_in, OUTPUT = ml_score.distribution_out,
    RECEIVE = ml_score.distribution_recv, SEND = ml_score.distribution_send,
    INTERNALLENGTH = VARIABLE, STORAGE = extended, ALIGNMENT = int4);
COMMENT ON TYPE ml_score.distribution IS
'a feature''s values, frozen: each distinct number or category with how often it came, the number of missing values (NULL and NaN) and of type errors, and the type''s name. All figures of drift against it are exact.
About 9 bytes for each distinct number, and 2 bytes and its length for each category, before compression; 1 GB at the most.';

CREATE FUNCTION ml_score.distribution_summary(distribution ml_score.distribution,
    OUT kind text, OUT data_type text, OUT rows bigint, OUT distinct_values bigint, OUT missing bigint,
    OUT type_errors bigint, OUT minimum float8, OUT maximum float8)
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_distribution_summary';
COMMENT ON FUNCTION ml_score.distribution_summary(ml_score.distribution) IS
'what a distribution holds, in short: kind (numerical or categorical), data_type of the values, rows, distinct_values, missing (NULL or NaN), type_errors, minimum and maximum (of numbers; dates and times are seconds since 1970)';

CREATE FUNCTION ml_score.distribution_counts(distribution ml_score.distribution,
    OUT category text, OUT number float8, OUT count bigint)
RETURNS SETOF record
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 1000 AS 'MODULE_PATHNAME', 'mls_distribution_counts';
COMMENT ON FUNCTION ml_score.distribution_counts(ml_score.distribution) IS
'what a distribution holds, in full: a line per distinct value, in order, with the category or the number, and how often it came';

CREATE FUNCTION ml_score.null_value_rate(distribution ml_score.distribution) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_null_value_rate';
COMMENT ON FUNCTION ml_score.null_value_rate(ml_score.distribution) IS
'share of the rows whose value is missing (NULL or NaN), 0 to 1; NULL without rows';

CREATE FUNCTION ml_score.data_type_error_rate(distribution ml_score.distribution) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_data_type_error_rate';
COMMENT ON FUNCTION ml_score.data_type_error_rate(ml_score.distribution) IS
'share of the rows whose value the feature''s type cannot hold, 0 to 1; NULL without rows.';

CREATE TYPE ml_score.test_result AS (statistic float8, p_value float8);
COMMENT ON TYPE ml_score.test_result IS 'a statistical test: its statistic, and the probability of such a one or a greater if nothing has drifted';

CREATE FUNCTION ml_score.psi(baseline ml_score.distribution, current ml_score.distribution, formulas text DEFAULT 'azure') RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'mls_psi';
COMMENT ON FUNCTION ml_score.psi(ml_score.distribution, ml_score.distribution, text) IS
'population stability index: sum of (current - baseline) x ln(current / baseline) over the shares in each bin or category; 0 when nothing has drifted.
Arguments: the distributions of baseline and current values; formulas, ''azure'' or ''scipy''. NULL without values on either side or where it is not defined.
Errors: datatype_mismatch for numbers against categories; invalid_parameter_value for other words.';

CREATE FUNCTION ml_score.jensen_shannon_distance(baseline ml_score.distribution, current ml_score.distribution, formulas text DEFAULT 'azure') RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'mls_jensen_shannon_distance';
COMMENT ON FUNCTION ml_score.jensen_shannon_distance(ml_score.distribution, ml_score.distribution, text) IS
'Jensen-Shannon distance of the shares in each bin or category: 0 when nothing has drifted, 1 at the most (azure: logarithm to base 2) or sqrt(ln 2) (scipy: natural logarithm).
Arguments: the distributions of baseline and current values; formulas, ''azure'' or ''scipy''. NULL without values on either side or where it is not defined.
Errors: datatype_mismatch for numbers against categories; invalid_parameter_value for other words.';

CREATE FUNCTION ml_score.wasserstein_distance(baseline ml_score.distribution, current ml_score.distribution) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'mls_wasserstein_distance';
COMMENT ON FUNCTION ml_score.wasserstein_distance(ml_score.distribution, ml_score.distribution) IS
'Wasserstein distance (earth mover''s): the area between the two distribution functions, in the values'' own unit; infinite when the shares of infinite values differ. Defined for numbers.
Arguments: the distributions of baseline and current values. NULL without values on either side or where it is not defined.
Errors: datatype_mismatch for numbers against categories.';

CREATE FUNCTION ml_score.normalized_wasserstein_distance(baseline ml_score.distribution, current ml_score.distribution) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'mls_normalized_wasserstein_distance';
COMMENT ON FUNCTION ml_score.normalized_wasserstein_distance(ml_score.distribution, ml_score.distribution) IS
'Wasserstein distance over the baseline''s standard deviation (of the sample; 0.001 at the least). Defined for numbers.
Arguments: the distributions of baseline and current values. NULL without values on either side or where it is not defined.
Errors: datatype_mismatch for numbers against categories.';

CREATE FUNCTION ml_score.kolmogorov_smirnov_test(baseline ml_score.distribution, current ml_score.distribution, method text DEFAULT 'auto') RETURNS ml_score.test_result
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'mls_kolmogorov_smirnov_test';
COMMENT ON FUNCTION ml_score.kolmogorov_smirnov_test(ml_score.distribution, ml_score.distribution, text) IS
'Kolmogorov-Smirnov test of two samples, two-sided: the largest difference between the two distribution functions, and its p-value. Defined for numbers.
Arguments: the distributions of baseline and current values; method, ''exact'', ''asymptotic'', or ''auto'': exact up to 10000 values a side. NULL without values on either side or where it is not defined.
Errors: datatype_mismatch for numbers against categories; invalid_parameter_value for other words.';

CREATE FUNCTION ml_score.chi_squared_test(baseline ml_score.distribution, current ml_score.distribution, formulas text DEFAULT 'azure') RETURNS ml_score.test_result
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'mls_chi_squared_test';
COMMENT ON FUNCTION ml_score.chi_squared_test(ml_score.distribution, ml_score.distribution, text) IS
'Pearson''s chi-squared test. azure: current counts against those that the baseline''s shares would give, categories new since the baseline make it infinite; scipy: as chi2_contingency does, with Yates''s correction for two categories. Defined for categories.
Arguments: the distributions of baseline and current values; formulas, ''azure'' or ''scipy''. NULL without values on either side or where it is not defined.
Errors: datatype_mismatch for numbers against categories; invalid_parameter_value for other words.';

CREATE FUNCTION ml_score.out_of_bounds_rate(baseline ml_score.distribution, current ml_score.distribution) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'mls_out_of_bounds_rate';
COMMENT ON FUNCTION ml_score.out_of_bounds_rate(ml_score.distribution, ml_score.distribution) IS
'share of the current rows, missing ones included, whose number is below the baseline''s minimum or above its maximum, or whose category the baseline does not have; 0 to 1.
Arguments: the distributions of baseline and current values. NULL without values on either side or where it is not defined.
Errors: datatype_mismatch for numbers against categories.';

CREATE FUNCTION ml_score.drift(baseline text, current text, categorical text[] DEFAULT '{}',
    formulas text DEFAULT 'azure', ks_method text DEFAULT 'auto')
RETURNS TABLE (feature text, kind text, baseline_rows bigint, current_rows bigint, population_stability_index float8,
    jensen_shannon_distance float8, kolmogorov_smirnov_statistic float8, kolmogorov_smirnov_p_value float8,
    chi_squared_statistic float8, chi_squared_p_value float8, wasserstein_distance float8,
    normalized_wasserstein_distance float8, baseline_null_value_rate float8, null_value_rate float8,
    out_of_bounds_rate float8, data_type_error_rate float8)
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 20 AS 'MODULE_PATHNAME', 'mls_drift';
COMMENT ON FUNCTION ml_score.drift(text, text, text[], text, text) IS
'how far the features of the current query have drifted from those of the baseline query: a line for each feature (column) that both have.
Arguments: two SELECTs, each run once, by the caller, reading only; or frozen profiles, as SELECT feature, distribution FROM a table that ml_score.freeze filled. categorical, columns that are categories though their type is numeric; formulas, azure or scipy where they differ; ks_method, auto (exact up to 10000 values a side), exact or asymptotic.
kind is numerical for numbers, dates and timestamps, else categorical. Figures are explained at the functions of the same names; what is not defined for a feature is NULL. Rates are shares of the current rows, 0 to 1. data_type_error_rate counts values that the type of the baseline''s column refuses; like missing ones (NULL and NaN) they count in no other figure.
Memory is bounded by work_mem; what does not fit goes to temporary files. Frozen profiles are held in memory.
Errors: invalid_parameter_value for what is no SELECT and unknown words, undefined_column when no feature is common (a NOTICE names those left out) or one listed as categorical is missing, duplicate_column, feature_not_supported for a query that writes, those of the queries.';

CREATE FUNCTION ml_score.freeze(query text, categorical text[] DEFAULT '{}')
RETURNS TABLE (feature text, distribution ml_score.distribution)
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 20 AS 'MODULE_PATHNAME', 'mls_freeze';
COMMENT ON FUNCTION ml_score.freeze(text, text[]) IS
'a profile of a query''s columns, to be kept and compared with later by ml_score.drift: a line for each column, its name and its distribution.
Arguments: query, a SELECT that is run once, by the caller, reading only; categorical, columns that are categories though their type is numeric.
Errors: as ml_score.drift; program_limit_exceeded for a column of more than 1 GB of distinct values.';

/* Aggregates: their common state, and how it travels between parallel workers. */

CREATE FUNCTION ml_score.tally_number(internal, float8) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_tally_number';
COMMENT ON FUNCTION ml_score.tally_number(internal, float8) IS 'transition function of the aggregates that count values';

CREATE FUNCTION ml_score.tally_number(internal, float8, boolean) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_tally_number';
COMMENT ON FUNCTION ml_score.tally_number(internal, float8, boolean) IS 'transition function of the aggregates that count values';

CREATE FUNCTION ml_score.tally_word(internal, text) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_tally_word';
COMMENT ON FUNCTION ml_score.tally_word(internal, text) IS 'transition function of the aggregates that count values';

CREATE FUNCTION ml_score.tally_word(internal, text, boolean) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_tally_word';
COMMENT ON FUNCTION ml_score.tally_word(internal, text, boolean) IS 'transition function of the aggregates that count values';

CREATE FUNCTION ml_score.tally_combine(internal, internal) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_tally_combine';
COMMENT ON FUNCTION ml_score.tally_combine(internal, internal) IS 'combine function of the aggregates that count values';

CREATE FUNCTION ml_score.tally_serialize(internal) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_tally_serialize';
COMMENT ON FUNCTION ml_score.tally_serialize(internal) IS 'serialization function of the aggregates that count values';

CREATE FUNCTION ml_score.tally_deserialize(bytea, internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_tally_deserialize';
COMMENT ON FUNCTION ml_score.tally_deserialize(bytea, internal) IS 'deserialization function of the aggregates that count values';

CREATE FUNCTION ml_score.tally_distribution(internal) RETURNS ml_score.distribution
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_tally_distribution';
COMMENT ON FUNCTION ml_score.tally_distribution(internal) IS 'final function of ml_score.distribution';

CREATE FUNCTION ml_score.tally_psi(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_tally_psi';
COMMENT ON FUNCTION ml_score.tally_psi(internal) IS 'final function of ml_score.psi';

CREATE FUNCTION ml_score.tally_jensen_shannon_distance(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_tally_jensen_shannon_distance';
COMMENT ON FUNCTION ml_score.tally_jensen_shannon_distance(internal) IS 'final function of ml_score.jensen_shannon_distance';

CREATE FUNCTION ml_score.tally_wasserstein_distance(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_tally_wasserstein_distance';
COMMENT ON FUNCTION ml_score.tally_wasserstein_distance(internal) IS 'final function of ml_score.wasserstein_distance';

CREATE FUNCTION ml_score.tally_normalized_wasserstein_distance(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_tally_normalized_wasserstein_distance';
COMMENT ON FUNCTION ml_score.tally_normalized_wasserstein_distance(internal) IS 'final function of ml_score.normalized_wasserstein_distance';

CREATE FUNCTION ml_score.tally_kolmogorov_smirnov_test(internal) RETURNS ml_score.test_result
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_tally_kolmogorov_smirnov_test';
COMMENT ON FUNCTION ml_score.tally_kolmogorov_smirnov_test(internal) IS 'final function of ml_score.kolmogorov_smirnov_test';

CREATE FUNCTION ml_score.tally_chi_squared_test(internal) RETURNS ml_score.test_result
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_tally_chi_squared_test';
COMMENT ON FUNCTION ml_score.tally_chi_squared_test(internal) IS 'final function of ml_score.chi_squared_test';

CREATE FUNCTION ml_score.tally_out_of_bounds_rate(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_tally_out_of_bounds_rate';
COMMENT ON FUNCTION ml_score.tally_out_of_bounds_rate(internal) IS 'final function of ml_score.out_of_bounds_rate';

CREATE AGGREGATE ml_score.distribution(value float8) (
    SFUNC = ml_score.tally_number, STYPE = internal, FINALFUNC = ml_score.tally_distribution, COMBINEFUNC = ml_score.tally_combine,
    SERIALFUNC = ml_score.tally_serialize, DESERIALFUNC = ml_score.tally_deserialize, PARALLEL = SAFE);
COMMENT ON AGGREGATE ml_score.distribution(float8) IS
'numbers, frozen: a value to store and to compare later ones with (see the type). NULL without rows. The aggregate holds 24 to 40 bytes for each distinct number in memory.
Errors: program_limit_exceeded past 1 GB, with a hint.';

CREATE AGGREGATE ml_score.distribution(value text) (
    SFUNC = ml_score.tally_word, STYPE = internal, FINALFUNC = ml_score.tally_distribution, COMBINEFUNC = ml_score.tally_combine,
    SERIALFUNC = ml_score.tally_serialize, DESERIALFUNC = ml_score.tally_deserialize, PARALLEL = SAFE);
COMMENT ON AGGREGATE ml_score.distribution(text) IS
'categories, frozen: a value to store and to compare later ones with (see the type). NULL without rows. The aggregate holds about 100 bytes and its length for each distinct category in memory.
Errors: program_limit_exceeded past 1 GB, with a hint.';

CREATE AGGREGATE ml_score.psi(value float8, current boolean) (
    SFUNC = ml_score.tally_number, STYPE = internal, FINALFUNC = ml_score.tally_psi, COMBINEFUNC = ml_score.tally_combine,
    SERIALFUNC = ml_score.tally_serialize, DESERIALFUNC = ml_score.tally_deserialize, PARALLEL = SAFE);
COMMENT ON AGGREGATE ml_score.psi(float8, boolean) IS
'ml_score.psi of numbers, by Azure''s formulas: the baseline''s where current is false, the current ones where it is true; rows where it is NULL are left out.
Several of these over the same arguments count once. They hold each distinct value in memory; ml_score.drift does with work_mem.';

CREATE AGGREGATE ml_score.psi(value text, current boolean) (
    SFUNC = ml_score.tally_word, STYPE = internal, FINALFUNC = ml_score.tally_psi, COMBINEFUNC = ml_score.tally_combine,
    SERIALFUNC = ml_score.tally_serialize, DESERIALFUNC = ml_score.tally_deserialize, PARALLEL = SAFE);
COMMENT ON AGGREGATE ml_score.psi(text, boolean) IS
'ml_score.psi of categories, by Azure''s formulas: the baseline''s where current is false, the current ones where it is true; rows where it is NULL are left out.
Several of these over the same arguments count once. They hold each distinct value in memory; ml_score.drift does with work_mem.';

CREATE AGGREGATE ml_score.jensen_shannon_distance(value float8, current boolean) (
    SFUNC = ml_score.tally_number, STYPE = internal, FINALFUNC = ml_score.tally_jensen_shannon_distance, COMBINEFUNC = ml_score.tally_combine,
    SERIALFUNC = ml_score.tally_serialize, DESERIALFUNC = ml_score.tally_deserialize, PARALLEL = SAFE);
COMMENT ON AGGREGATE ml_score.jensen_shannon_distance(float8, boolean) IS
'ml_score.jensen_shannon_distance of numbers, by Azure''s formulas: the baseline''s where current is false, the current ones where it is true; rows where it is NULL are left out.
Several of these over the same arguments count once. They hold each distinct value in memory; ml_score.drift does with work_mem.';

CREATE AGGREGATE ml_score.jensen_shannon_distance(value text, current boolean) (
    SFUNC = ml_score.tally_word, STYPE = internal, FINALFUNC = ml_score.tally_jensen_shannon_distance, COMBINEFUNC = ml_score.tally_combine,
    SERIALFUNC = ml_score.tally_serialize, DESERIALFUNC = ml_score.tally_deserialize, PARALLEL = SAFE);
COMMENT ON AGGREGATE ml_score.jensen_shannon_distance(text, boolean) IS
'ml_score.jensen_shannon_distance of categories, by Azure''s formulas: the baseline''s where current is false, the current ones where it is true; rows where it is NULL are left out.
Several of these over the same arguments count once. They hold each distinct value in memory; ml_score.drift does with work_mem.';

CREATE AGGREGATE ml_score.wasserstein_distance(value float8, current boolean) (
    SFUNC = ml_score.tally_number, STYPE = internal, FINALFUNC = ml_score.tally_wasserstein_distance, COMBINEFUNC = ml_score.tally_combine,
    SERIALFUNC = ml_score.tally_serialize, DESERIALFUNC = ml_score.tally_deserialize, PARALLEL = SAFE);
COMMENT ON AGGREGATE ml_score.wasserstein_distance(float8, boolean) IS
'ml_score.wasserstein_distance of numbers, by Azure''s formulas: the baseline''s where current is false, the current ones where it is true; rows where it is NULL are left out.
Several of these over the same arguments count once. They hold each distinct value in memory; ml_score.drift does with work_mem.';

CREATE AGGREGATE ml_score.normalized_wasserstein_distance(value float8, current boolean) (
    SFUNC = ml_score.tally_number, STYPE = internal, FINALFUNC = ml_score.tally_normalized_wasserstein_distance, COMBINEFUNC = ml_score.tally_combine,
    SERIALFUNC = ml_score.tally_serialize, DESERIALFUNC = ml_score.tally_deserialize, PARALLEL = SAFE);
COMMENT ON AGGREGATE ml_score.normalized_wasserstein_distance(float8, boolean) IS
'ml_score.normalized_wasserstein_distance of numbers, by Azure''s formulas: the baseline''s where current is false, the current ones where it is true; rows where it is NULL are left out.
Several of these over the same arguments count once. They hold each distinct value in memory; ml_score.drift does with work_mem.';

CREATE AGGREGATE ml_score.kolmogorov_smirnov_test(value float8, current boolean) (
    SFUNC = ml_score.tally_number, STYPE = internal, FINALFUNC = ml_score.tally_kolmogorov_smirnov_test, COMBINEFUNC = ml_score.tally_combine,
    SERIALFUNC = ml_score.tally_serialize, DESERIALFUNC = ml_score.tally_deserialize, PARALLEL = SAFE);
COMMENT ON AGGREGATE ml_score.kolmogorov_smirnov_test(float8, boolean) IS
'ml_score.kolmogorov_smirnov_test of numbers, by Azure''s formulas: the baseline''s where current is false, the current ones where it is true; rows where it is NULL are left out.
Several of these over the same arguments count once. They hold each distinct value in memory; ml_score.drift does with work_mem.';

CREATE AGGREGATE ml_score.chi_squared_test(value text, current boolean) (
    SFUNC = ml_score.tally_word, STYPE = internal, FINALFUNC = ml_score.tally_chi_squared_test, COMBINEFUNC = ml_score.tally_combine,
    SERIALFUNC = ml_score.tally_serialize, DESERIALFUNC = ml_score.tally_deserialize, PARALLEL = SAFE);
COMMENT ON AGGREGATE ml_score.chi_squared_test(text, boolean) IS
'ml_score.chi_squared_test of categories, by Azure''s formulas: the baseline''s where current is false, the current ones where it is true; rows where it is NULL are left out.
Several of these over the same arguments count once. They hold each distinct value in memory; ml_score.drift does with work_mem.';

CREATE AGGREGATE ml_score.out_of_bounds_rate(value float8, current boolean) (
    SFUNC = ml_score.tally_number, STYPE = internal, FINALFUNC = ml_score.tally_out_of_bounds_rate, COMBINEFUNC = ml_score.tally_combine,
    SERIALFUNC = ml_score.tally_serialize, DESERIALFUNC = ml_score.tally_deserialize, PARALLEL = SAFE);
COMMENT ON AGGREGATE ml_score.out_of_bounds_rate(float8, boolean) IS
'ml_score.out_of_bounds_rate of numbers, by Azure''s formulas: the baseline''s where current is false, the current ones where it is true; rows where it is NULL are left out.
Several of these over the same arguments count once. They hold each distinct value in memory; ml_score.drift does with work_mem.';

CREATE AGGREGATE ml_score.out_of_bounds_rate(value text, current boolean) (
    SFUNC = ml_score.tally_word, STYPE = internal, FINALFUNC = ml_score.tally_out_of_bounds_rate, COMBINEFUNC = ml_score.tally_combine,
    SERIALFUNC = ml_score.tally_serialize, DESERIALFUNC = ml_score.tally_deserialize, PARALLEL = SAFE);
COMMENT ON AGGREGATE ml_score.out_of_bounds_rate(text, boolean) IS
'ml_score.out_of_bounds_rate of categories, by Azure''s formulas: the baseline''s where current is false, the current ones where it is true; rows where it is NULL are left out.
Several of these over the same arguments count once. They hold each distinct value in memory; ml_score.drift does with work_mem.';

/* Model performance: predictions joined with what turned out to be true. */

CREATE FUNCTION ml_score.class_add(internal, anyelement, anyelement) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_class_add';
COMMENT ON FUNCTION ml_score.class_add(internal, anyelement, anyelement) IS 'transition function of accuracy, precision, recall and f1';

CREATE FUNCTION ml_score.class_add(internal, anyelement, anyelement, anyelement) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_class_add';
COMMENT ON FUNCTION ml_score.class_add(internal, anyelement, anyelement, anyelement) IS 'transition function of precision, recall and f1 of one class';

CREATE FUNCTION ml_score.class_accuracy(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_class_accuracy';
COMMENT ON FUNCTION ml_score.class_accuracy(internal) IS 'final function of ml_score.accuracy';

CREATE FUNCTION ml_score.class_precision(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_class_precision';
COMMENT ON FUNCTION ml_score.class_precision(internal) IS 'final function of ml_score.precision';

CREATE FUNCTION ml_score.class_recall(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_class_recall';
COMMENT ON FUNCTION ml_score.class_recall(internal) IS 'final function of ml_score.recall';

CREATE FUNCTION ml_score.class_f1(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_class_f1';
COMMENT ON FUNCTION ml_score.class_f1(internal) IS 'final function of ml_score.f1';

CREATE AGGREGATE ml_score.accuracy(actual anyelement, predicted anyelement) (
    SFUNC = ml_score.class_add, STYPE = internal, FINALFUNC = ml_score.class_accuracy, COMBINEFUNC = ml_score.tally_combine,
    SERIALFUNC = ml_score.tally_serialize, DESERIALFUNC = ml_score.tally_deserialize, PARALLEL = SAFE);
COMMENT ON AGGREGATE ml_score.accuracy(anyelement, anyelement) IS
'share of the predictions that are right, 0 to 1. As scikit-learn defines it, 0 where it would divide by nothing. Rows where either is NULL are left out; NULL when none is left.';

CREATE AGGREGATE ml_score.precision(actual anyelement, predicted anyelement) (
    SFUNC = ml_score.class_add, STYPE = internal, FINALFUNC = ml_score.class_precision, COMBINEFUNC = ml_score.tally_combine,
    SERIALFUNC = ml_score.tally_serialize, DESERIALFUNC = ml_score.tally_deserialize, PARALLEL = SAFE);
COMMENT ON AGGREGATE ml_score.precision(anyelement, anyelement) IS
'share of the predictions of a class that are right, 0 to 1; the mean over all classes that are true or predicted anywhere, each counting the same (macro average). As scikit-learn defines it, 0 where it would divide by nothing. Rows where either is NULL are left out; NULL when none is left.';

CREATE AGGREGATE ml_score.precision(actual anyelement, predicted anyelement, positive anyelement) (
    SFUNC = ml_score.class_add, STYPE = internal, FINALFUNC = ml_score.class_precision, COMBINEFUNC = ml_score.tally_combine,
    SERIALFUNC = ml_score.tally_serialize, DESERIALFUNC = ml_score.tally_deserialize, PARALLEL = SAFE);
COMMENT ON AGGREGATE ml_score.precision(anyelement, anyelement, anyelement) IS
'the same for the class positive alone, which must be the same in all rows.
Errors: invalid_parameter_value when it is not, null_value_not_allowed when it is NULL.';

CREATE AGGREGATE ml_score.recall(actual anyelement, predicted anyelement) (
    SFUNC = ml_score.class_add, STYPE = internal, FINALFUNC = ml_score.class_recall, COMBINEFUNC = ml_score.tally_combine,
    SERIALFUNC = ml_score.tally_serialize, DESERIALFUNC = ml_score.tally_deserialize, PARALLEL = SAFE);
COMMENT ON AGGREGATE ml_score.recall(anyelement, anyelement) IS
'share of a classs members that are predicted so, 0 to 1; the mean over all classes that are true or predicted anywhere, each counting the same (macro average). As scikit-learn defines it, 0 where it would divide by nothing. Rows where either is NULL are left out; NULL when none is left.';

CREATE AGGREGATE ml_score.recall(actual anyelement, predicted anyelement, positive anyelement) (
    SFUNC = ml_score.class_add, STYPE = internal, FINALFUNC = ml_score.class_recall, COMBINEFUNC = ml_score.tally_combine,
    SERIALFUNC = ml_score.tally_serialize, DESERIALFUNC = ml_score.tally_deserialize, PARALLEL = SAFE);
COMMENT ON AGGREGATE ml_score.recall(anyelement, anyelement, anyelement) IS
'the same for the class positive alone, which must be the same in all rows.
Errors: invalid_parameter_value when it is not, null_value_not_allowed when it is NULL.';

CREATE AGGREGATE ml_score.f1(actual anyelement, predicted anyelement) (
    SFUNC = ml_score.class_add, STYPE = internal, FINALFUNC = ml_score.class_f1, COMBINEFUNC = ml_score.tally_combine,
    SERIALFUNC = ml_score.tally_serialize, DESERIALFUNC = ml_score.tally_deserialize, PARALLEL = SAFE);
COMMENT ON AGGREGATE ml_score.f1(anyelement, anyelement) IS
'F1, the harmonic mean of precision and recall, 0 to 1; the mean over all classes that are true or predicted anywhere, each counting the same (macro average). As scikit-learn defines it, 0 where it would divide by nothing. Rows where either is NULL are left out; NULL when none is left.';

CREATE AGGREGATE ml_score.f1(actual anyelement, predicted anyelement, positive anyelement) (
    SFUNC = ml_score.class_add, STYPE = internal, FINALFUNC = ml_score.class_f1, COMBINEFUNC = ml_score.tally_combine,
    SERIALFUNC = ml_score.tally_serialize, DESERIALFUNC = ml_score.tally_deserialize, PARALLEL = SAFE);
COMMENT ON AGGREGATE ml_score.f1(anyelement, anyelement, anyelement) IS
'the same for the class positive alone, which must be the same in all rows.
Errors: invalid_parameter_value when it is not, null_value_not_allowed when it is NULL.';

CREATE FUNCTION ml_score.auc_add(internal, boolean, float8) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_auc_add';
COMMENT ON FUNCTION ml_score.auc_add(internal, boolean, float8) IS 'transition function of ml_score.auc';

CREATE FUNCTION ml_score.auc_final(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_auc';
COMMENT ON FUNCTION ml_score.auc_final(internal) IS 'final function of ml_score.auc';

CREATE AGGREGATE ml_score.auc(actual boolean, score float8) (
    SFUNC = ml_score.auc_add, STYPE = internal, FINALFUNC = ml_score.auc_final, COMBINEFUNC = ml_score.tally_combine,
    SERIALFUNC = ml_score.tally_serialize, DESERIALFUNC = ml_score.tally_deserialize, PARALLEL = SAFE);
COMMENT ON AGGREGATE ml_score.auc(boolean, float8) IS
'area under the ROC curve, exact: the probability that a row where actual is true has a greater score than one where it is false, equal scores counting half. Rows where either is NULL or the score NaN are left out; NULL unless both kinds are left. It holds each distinct score in memory.';

CREATE FUNCTION ml_score.regression_add(internal, float8, float8) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_regression_add';
COMMENT ON FUNCTION ml_score.regression_add(internal, float8, float8) IS 'transition function of mae, mse, rmse and r2';

CREATE FUNCTION ml_score.regression_combine(internal, internal) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_regression_combine';
COMMENT ON FUNCTION ml_score.regression_combine(internal, internal) IS 'combine function of mae, mse, rmse and r2';

CREATE FUNCTION ml_score.regression_serialize(internal) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_regression_serialize';
COMMENT ON FUNCTION ml_score.regression_serialize(internal) IS 'serialization function of mae, mse, rmse and r2';

CREATE FUNCTION ml_score.regression_deserialize(bytea, internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_regression_deserialize';
COMMENT ON FUNCTION ml_score.regression_deserialize(bytea, internal) IS 'deserialization function of mae, mse, rmse and r2';

CREATE FUNCTION ml_score.regression_mae(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_regression_mae';
COMMENT ON FUNCTION ml_score.regression_mae(internal) IS 'final function of ml_score.mae';

CREATE AGGREGATE ml_score.mae(actual float8, predicted float8) (
    SFUNC = ml_score.regression_add, STYPE = internal, FINALFUNC = ml_score.regression_mae,
    COMBINEFUNC = ml_score.regression_combine, SERIALFUNC = ml_score.regression_serialize,
    DESERIALFUNC = ml_score.regression_deserialize, PARALLEL = SAFE);
COMMENT ON AGGREGATE ml_score.mae(float8, float8) IS
'mean absolute error. Rows where either is NULL are left out; NULL when none is left.';

CREATE FUNCTION ml_score.regression_mse(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_regression_mse';
COMMENT ON FUNCTION ml_score.regression_mse(internal) IS 'final function of ml_score.mse';

CREATE AGGREGATE ml_score.mse(actual float8, predicted float8) (
    SFUNC = ml_score.regression_add, STYPE = internal, FINALFUNC = ml_score.regression_mse,
    COMBINEFUNC = ml_score.regression_combine, SERIALFUNC = ml_score.regression_serialize,
    DESERIALFUNC = ml_score.regression_deserialize, PARALLEL = SAFE);
COMMENT ON AGGREGATE ml_score.mse(float8, float8) IS
'mean squared error. Rows where either is NULL are left out; NULL when none is left.';

CREATE FUNCTION ml_score.regression_rmse(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_regression_rmse';
COMMENT ON FUNCTION ml_score.regression_rmse(internal) IS 'final function of ml_score.rmse';

CREATE AGGREGATE ml_score.rmse(actual float8, predicted float8) (
    SFUNC = ml_score.regression_add, STYPE = internal, FINALFUNC = ml_score.regression_rmse,
    COMBINEFUNC = ml_score.regression_combine, SERIALFUNC = ml_score.regression_serialize,
    DESERIALFUNC = ml_score.regression_deserialize, PARALLEL = SAFE);
COMMENT ON AGGREGATE ml_score.rmse(float8, float8) IS
'square root of the mean squared error. Rows where either is NULL are left out; NULL when none is left.';

CREATE FUNCTION ml_score.regression_r2(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'mls_regression_r2';
COMMENT ON FUNCTION ml_score.regression_r2(internal) IS 'final function of ml_score.r2';

CREATE AGGREGATE ml_score.r2(actual float8, predicted float8) (
    SFUNC = ml_score.regression_add, STYPE = internal, FINALFUNC = ml_score.regression_r2,
    COMBINEFUNC = ml_score.regression_combine, SERIALFUNC = ml_score.regression_serialize,
    DESERIALFUNC = ml_score.regression_deserialize, PARALLEL = SAFE);
COMMENT ON AGGREGATE ml_score.r2(float8, float8) IS
'coefficient of determination: 1 less the squared errors over the squared distances of the true numbers from their mean; of constant ones 1 where all is right and 0 else (scikit-learn). Rows where either is NULL are left out; NULL when fewer than two are left.';

/* A page to look at. */

CREATE FUNCTION ml_score.report(title text DEFAULT NULL, baseline text DEFAULT NULL, current text DEFAULT NULL,
    categorical text[] DEFAULT '{}', formulas text DEFAULT 'azure', profile text DEFAULT NULL, since interval DEFAULT '7 days')
RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 AS 'MODULE_PATHNAME', 'mls_report';
COMMENT ON FUNCTION ml_score.report(text, text, text, text[], text, text, interval) IS
'one page of HTML that shows endpoints, streams, batch jobs and monitors as the caller may see them, and if asked for, drift and what ml_score.profile measured: charts with tables, for screens and paper. It needs no other file and has no script. Save it with psql -XAtc "SELECT ml_score.report()" > report.html.
Arguments: title, by default the database''s name; baseline and current, two queries (or frozen profiles) as ml_score.drift takes them, with categorical and formulas; profile, a SELECT of what ml_score.profile gave (a further column "function" tells several apart); since, how long ago a batch job may have been submitted, or a monitor have run, to be shown, NULL for any time; jobs under way always are.
The queries are run as the caller, reading only. Times are UTC.
Errors: invalid_parameter_value when only one of baseline and current is given, for unknown words and a negative since; undefined_column when the profile query lacks one; those of ml_score.drift and of the queries.';

/* Monitors: drift, data quality and performance on a schedule; alerts about them. */

CREATE TABLE ml_score.monitor (
    name text PRIMARY KEY CHECK (name OPERATOR(pg_catalog.<>) ''),
    id bigint GENERATED BY DEFAULT AS IDENTITY UNIQUE,
    owner regrole NOT NULL,
    current text,
    baseline text,
    signals text[],
    thresholds jsonb,
    predictions text[] NOT NULL,
    features text[],
    categorical text[] NOT NULL,
    performance text,
    custom text,
    time_column text,
    window_size interval,
    window_offset interval NOT NULL,
    baseline_window_size interval,
    baseline_window_offset interval,
    schedule interval,
    formulas text NOT NULL,
    min_rows integer NOT NULL,
    state text NOT NULL CHECK (state OPERATOR(pg_catalog.=) ANY (ARRAY['running', 'paused'])),
    search_path text NOT NULL,
    time_zone text NOT NULL,
    home text NOT NULL,
    next_run_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
CREATE INDEX monitor_due ON ml_score.monitor (owner, next_run_at) WHERE schedule IS NOT NULL;
COMMENT ON TABLE ml_score.monitor IS
'the monitors that ml_score.create_monitor made: their definition. Shows the monitors of roles that the caller is a member of, all of them to members of pg_read_all_stats. Use the functions to change it.';
COMMENT ON COLUMN ml_score.monitor.name IS 'what the monitor is called';
COMMENT ON COLUMN ml_score.monitor.id IS 'its number';
COMMENT ON COLUMN ml_score.monitor.owner IS 'role in whose name it runs';
COMMENT ON COLUMN ml_score.monitor.current IS 'argument of create_monitor';
COMMENT ON COLUMN ml_score.monitor.baseline IS 'argument of create_monitor';
COMMENT ON COLUMN ml_score.monitor.signals IS 'argument of create_monitor; NULL: all that it has what it takes for';
COMMENT ON COLUMN ml_score.monitor.thresholds IS 'argument of create_monitor';
COMMENT ON COLUMN ml_score.monitor.predictions IS 'argument of create_monitor';
COMMENT ON COLUMN ml_score.monitor.features IS 'argument of create_monitor; NULL: all';
COMMENT ON COLUMN ml_score.monitor.categorical IS 'argument of create_monitor';
COMMENT ON COLUMN ml_score.monitor.performance IS 'argument of create_monitor';
COMMENT ON COLUMN ml_score.monitor.custom IS 'argument of create_monitor';
COMMENT ON COLUMN ml_score.monitor.time_column IS 'argument of create_monitor';
COMMENT ON COLUMN ml_score.monitor.window_size IS 'argument of create_monitor; by default the schedule';
COMMENT ON COLUMN ml_score.monitor.window_offset IS 'argument of create_monitor';
COMMENT ON COLUMN ml_score.monitor.baseline_window_size IS 'argument of create_monitor; NULL: as long as the window';
COMMENT ON COLUMN ml_score.monitor.baseline_window_offset IS 'argument of create_monitor; NULL: where the window begins';
COMMENT ON COLUMN ml_score.monitor.schedule IS 'time from run to run; NULL: it runs when ml_score.run_monitor is called';
COMMENT ON COLUMN ml_score.monitor.formulas IS 'argument of create_monitor';
COMMENT ON COLUMN ml_score.monitor.min_rows IS 'argument of create_monitor';
COMMENT ON COLUMN ml_score.monitor.state IS 'running, or paused by pause_monitor';
COMMENT ON COLUMN ml_score.monitor.search_path IS 'of the session that made it: its queries run with it';
COMMENT ON COLUMN ml_score.monitor.time_zone IS 'likewise';
COMMENT ON COLUMN ml_score.monitor.home IS 'the database that it runs in: elsewhere, in a restored dump, it waits for resume_monitor';
COMMENT ON COLUMN ml_score.monitor.next_run_at IS 'when it is due; NULL without a schedule';
COMMENT ON COLUMN ml_score.monitor.created_at IS 'when it was made';
COMMENT ON SEQUENCE ml_score.monitor_id_seq IS 'numbers of monitors';

CREATE TABLE ml_score.monitor_run (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    monitor text NOT NULL REFERENCES ml_score.monitor ON UPDATE CASCADE ON DELETE CASCADE,
    at timestamptz NOT NULL,
    window_start timestamptz,
    window_end timestamptz,
    outcome text NOT NULL CHECK (outcome OPERATOR(pg_catalog.=) ANY (ARRAY['ok', 'breached', 'no data', 'failed'])),
    sqlstate text,
    error text,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL
);
CREATE INDEX monitor_run_monitor ON ml_score.monitor_run (monitor, at);
COMMENT ON TABLE ml_score.monitor_run IS
'a line for each run of a monitor, until ml_score.purge_monitor. Shows those of the monitors that the caller sees.';
COMMENT ON COLUMN ml_score.monitor_run.id IS 'number of the run';
COMMENT ON COLUMN ml_score.monitor_run.monitor IS 'name of the monitor';
COMMENT ON COLUMN ml_score.monitor_run.at IS 'the moment that it was for: windows end there, less their offset';
COMMENT ON COLUMN ml_score.monitor_run.window_start IS 'where the window began; NULL without a time column';
COMMENT ON COLUMN ml_score.monitor_run.window_end IS 'where it ended: the first moment that is not in it';
COMMENT ON COLUMN ml_score.monitor_run.outcome IS 'breached: some signal is; ok: none is; no data: nothing to tell by; failed: by an error';
COMMENT ON COLUMN ml_score.monitor_run.sqlstate IS 'SQLSTATE of the error';
COMMENT ON COLUMN ml_score.monitor_run.error IS 'why it failed';
COMMENT ON COLUMN ml_score.monitor_run.started_at IS 'when it began to run';
COMMENT ON COLUMN ml_score.monitor_run.ended_at IS 'when it was done';
COMMENT ON SEQUENCE ml_score.monitor_run_id_seq IS 'numbers of runs of monitors';

CREATE TABLE ml_score.monitor_result (
    run bigint NOT NULL REFERENCES ml_score.monitor_run ON DELETE CASCADE,
    monitor text NOT NULL REFERENCES ml_score.monitor ON UPDATE CASCADE ON DELETE CASCADE,
    at timestamptz NOT NULL,
    signal text NOT NULL,
    feature text,
    metric text NOT NULL,
    value float8,
    threshold float8,
    bound text NOT NULL CHECK (bound OPERATOR(pg_catalog.=) ANY (ARRAY['above', 'below'])),
    breached boolean NOT NULL
);
CREATE INDEX monitor_result_run ON ml_score.monitor_result (run);
CREATE INDEX monitor_result_monitor ON ml_score.monitor_result (monitor, at);
COMMENT ON TABLE ml_score.monitor_result IS
'what monitors have measured: a line for each run, signal, feature and metric, until ml_score.purge_monitor. Shows those of the monitors that the caller sees.';
COMMENT ON COLUMN ml_score.monitor_result.run IS 'the row of ml_score.monitor_run';
COMMENT ON COLUMN ml_score.monitor_result.monitor IS 'name of the monitor';
COMMENT ON COLUMN ml_score.monitor_result.at IS 'the moment that the run was for';
COMMENT ON COLUMN ml_score.monitor_result.signal IS 'data_drift, prediction_drift, data_quality, model_performance or custom';
COMMENT ON COLUMN ml_score.monitor_result.feature IS 'the column that it is about; NULL: none in particular';
COMMENT ON COLUMN ml_score.monitor_result.metric IS 'what was measured, as Azure calls it';
COMMENT ON COLUMN ml_score.monitor_result.value IS 'the value, of tests the p-value; NULL: it could not be told';
COMMENT ON COLUMN ml_score.monitor_result.threshold IS 'the threshold; NULL: it has none';
COMMENT ON COLUMN ml_score.monitor_result.bound IS 'on which side of the threshold a value is a breach: above or below';
COMMENT ON COLUMN ml_score.monitor_result.breached IS 'whether it is';

CREATE TABLE ml_score.monitor_signal (
    monitor text NOT NULL REFERENCES ml_score.monitor ON UPDATE CASCADE ON DELETE CASCADE,
    signal text NOT NULL,
    breached boolean NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (monitor, signal)
);
COMMENT ON TABLE ml_score.monitor_signal IS
'what each signal of a monitor is since when: runs that could tell nothing change nothing. Shows those of the monitors that the caller sees.';
COMMENT ON COLUMN ml_score.monitor_signal.monitor IS 'name of the monitor';
COMMENT ON COLUMN ml_score.monitor_signal.signal IS 'the signal';
COMMENT ON COLUMN ml_score.monitor_signal.breached IS 'whether it is breached';
COMMENT ON COLUMN ml_score.monitor_signal.since IS 'moment of the run that found it so first';

CREATE TABLE ml_score.monitor_action (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    monitor text NOT NULL REFERENCES ml_score.monitor ON UPDATE CASCADE ON DELETE CASCADE,
    name text NOT NULL CHECK (name OPERATOR(pg_catalog.<>) ''),
    channel text,
    webhook text,
    statement text,
    batch jsonb,
    events text[] NOT NULL,
    signals text[],
    cool_down interval NOT NULL,
    search_path text NOT NULL,
    time_zone text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    UNIQUE (monitor, name)
);
COMMENT ON TABLE ml_score.monitor_action IS
'what monitors do when a signal is breached, and when that is over: what ml_score.create_monitor_action was told. Shows those of the monitors that the caller sees.';
COMMENT ON COLUMN ml_score.monitor_action.id IS 'its number';
COMMENT ON COLUMN ml_score.monitor_action.monitor IS 'name of the monitor';
COMMENT ON COLUMN ml_score.monitor_action.name IS 'name of the action';
COMMENT ON COLUMN ml_score.monitor_action.channel IS 'channel of NOTIFY; of these four one is given';
COMMENT ON COLUMN ml_score.monitor_action.webhook IS 'name of a server of TYPE ''webhook''';
COMMENT ON COLUMN ml_score.monitor_action.statement IS 'SQL that is run';
COMMENT ON COLUMN ml_score.monitor_action.batch IS 'arguments of ml_score.submit_batch';
COMMENT ON COLUMN ml_score.monitor_action.events IS 'when: breach, recovery';
COMMENT ON COLUMN ml_score.monitor_action.signals IS 'of which signals; NULL: all';
COMMENT ON COLUMN ml_score.monitor_action.cool_down IS 'for so long after a breach another one of the signal does nothing';
COMMENT ON COLUMN ml_score.monitor_action.search_path IS 'of the session that made it: its statement runs with it';
COMMENT ON COLUMN ml_score.monitor_action.time_zone IS 'likewise';
COMMENT ON COLUMN ml_score.monitor_action.created_at IS 'when it was made';
COMMENT ON SEQUENCE ml_score.monitor_action_id_seq IS 'numbers of actions';

CREATE TABLE ml_score.monitor_announced (
    action bigint NOT NULL REFERENCES ml_score.monitor_action ON DELETE CASCADE,
    signal text NOT NULL,
    announced boolean NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (action, signal)
);
COMMENT ON TABLE ml_score.monitor_announced IS 'which breaches actions were done for last';
COMMENT ON COLUMN ml_score.monitor_announced.action IS 'the action';
COMMENT ON COLUMN ml_score.monitor_announced.signal IS 'the signal';
COMMENT ON COLUMN ml_score.monitor_announced.announced IS 'the breach is not over yet';
COMMENT ON COLUMN ml_score.monitor_announced.at IS 'moment of the run that found the breach';

CREATE TABLE ml_score.alert (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL UNIQUE DEFAULT pg_catalog.gen_random_uuid(),
    owner regrole NOT NULL,
    monitor text NOT NULL REFERENCES ml_score.monitor ON UPDATE CASCADE ON DELETE CASCADE,
    action bigint NOT NULL REFERENCES ml_score.monitor_action ON DELETE CASCADE,
    signal text NOT NULL,
    event text NOT NULL CHECK (event OPERATOR(pg_catalog.=) ANY (ARRAY['breach', 'recovery'])),
    payload jsonb NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state OPERATOR(pg_catalog.=) ANY (ARRAY['pending', 'delivered', 'failed'])),
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    give_up_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) '1 day',
    last_error text,
    job bigint,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    delivered_at timestamptz
);
CREATE INDEX alert_pending ON ml_score.alert (owner, action, id) WHERE state OPERATOR(pg_catalog.=) 'pending';
CREATE INDEX alert_monitor ON ml_score.alert (monitor, created_at);
COMMENT ON TABLE ml_score.alert IS
'actions that are to be done, or were, each once: the outbox of alerts, until ml_score.purge_monitor. Shows those of the monitors that the caller sees. What is pending is not dumped by pg_dump.';
COMMENT ON COLUMN ml_score.alert.id IS 'its number, for retry_alert';
COMMENT ON COLUMN ml_score.alert.event_id IS 'what a webhook is told as its id: the same each time that it is sent';
COMMENT ON COLUMN ml_score.alert.owner IS 'role in whose name it is done';
COMMENT ON COLUMN ml_score.alert.monitor IS 'name of the monitor';
COMMENT ON COLUMN ml_score.alert.action IS 'the row of ml_score.monitor_action';
COMMENT ON COLUMN ml_score.alert.signal IS 'the signal';
COMMENT ON COLUMN ml_score.alert.event IS 'breach, or recovery: it is over';
COMMENT ON COLUMN ml_score.alert.payload IS 'what is told: id, type, time, and data with monitor, signal, event, window, and the values that are a breach';
COMMENT ON COLUMN ml_score.alert.state IS 'pending; delivered: it is done; failed: it was given up';
COMMENT ON COLUMN ml_score.alert.attempts IS 'attempts that failed';
COMMENT ON COLUMN ml_score.alert.due_at IS 'when a pending one is tried at the earliest';
COMMENT ON COLUMN ml_score.alert.give_up_at IS 'when a pending one that fails is given up';
COMMENT ON COLUMN ml_score.alert.last_error IS 'why the last attempt failed';
COMMENT ON COLUMN ml_score.alert.job IS 'the batch job that it has submitted';
COMMENT ON COLUMN ml_score.alert.created_at IS 'when it was written';
COMMENT ON COLUMN ml_score.alert.delivered_at IS 'when it was done';
COMMENT ON SEQUENCE ml_score.alert_id_seq IS 'numbers of alerts';

ALTER TABLE ml_score.monitor ENABLE ROW LEVEL SECURITY;
ALTER TABLE ml_score.monitor_run ENABLE ROW LEVEL SECURITY;
ALTER TABLE ml_score.monitor_result ENABLE ROW LEVEL SECURITY;
ALTER TABLE ml_score.monitor_signal ENABLE ROW LEVEL SECURITY;
ALTER TABLE ml_score.monitor_action ENABLE ROW LEVEL SECURITY;
ALTER TABLE ml_score.monitor_announced ENABLE ROW LEVEL SECURITY;
ALTER TABLE ml_score.alert ENABLE ROW LEVEL SECURITY;
CREATE POLICY members ON ml_score.monitor FOR SELECT
    USING (pg_catalog.pg_has_role(owner::oid, 'USAGE') OR pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'));
CREATE POLICY members ON ml_score.monitor_run FOR SELECT
    USING (EXISTS (SELECT FROM ml_score.monitor m WHERE m.name OPERATOR(pg_catalog.=) monitor));
CREATE POLICY members ON ml_score.monitor_result FOR SELECT
    USING (EXISTS (SELECT FROM ml_score.monitor m WHERE m.name OPERATOR(pg_catalog.=) monitor));
CREATE POLICY members ON ml_score.monitor_signal FOR SELECT
    USING (EXISTS (SELECT FROM ml_score.monitor m WHERE m.name OPERATOR(pg_catalog.=) monitor));
CREATE POLICY members ON ml_score.monitor_action FOR SELECT
    USING (EXISTS (SELECT FROM ml_score.monitor m WHERE m.name OPERATOR(pg_catalog.=) monitor));
CREATE POLICY members ON ml_score.monitor_announced FOR SELECT
    USING (EXISTS (SELECT FROM ml_score.monitor_action a WHERE a.id OPERATOR(pg_catalog.=) action));
CREATE POLICY members ON ml_score.alert FOR SELECT
    USING (EXISTS (SELECT FROM ml_score.monitor m WHERE m.name OPERATOR(pg_catalog.=) monitor));
GRANT SELECT ON ml_score.monitor, ml_score.monitor_run, ml_score.monitor_result, ml_score.monitor_signal,
    ml_score.monitor_action, ml_score.monitor_announced, ml_score.alert TO PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('ml_score.monitor', '');
SELECT pg_catalog.pg_extension_config_dump('ml_score.monitor_run', '');
SELECT pg_catalog.pg_extension_config_dump('ml_score.monitor_result', '');
SELECT pg_catalog.pg_extension_config_dump('ml_score.monitor_signal', '');
SELECT pg_catalog.pg_extension_config_dump('ml_score.monitor_action', '');
SELECT pg_catalog.pg_extension_config_dump('ml_score.monitor_announced', '');
SELECT pg_catalog.pg_extension_config_dump('ml_score.alert', 'WHERE state OPERATOR(pg_catalog.<>) ''pending''');
SELECT pg_catalog.pg_extension_config_dump('ml_score.monitor_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('ml_score.monitor_run_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('ml_score.monitor_action_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('ml_score.alert_id_seq', '');

CREATE VIEW ml_score.monitor_status WITH (security_barrier) AS
    SELECT m.name AS monitor, m.owner,
        CASE WHEN m.home OPERATOR(pg_catalog.<>) ml_score.home() THEN 'restored'
            WHEN m.state OPERATOR(pg_catalog.=) 'paused' THEN 'paused'
            WHEN m.schedule IS NULL THEN 'by hand' ELSE 'scheduled' END AS state,
        s.signal, s.breached, s.since, r.at AS last_run_at, r.outcome AS last_outcome, r.error AS last_error,
        CASE WHEN m.state OPERATOR(pg_catalog.=) 'running' AND m.home OPERATOR(pg_catalog.=) ml_score.home() THEN m.next_run_at END AS next_run_at,
        (SELECT pg_catalog.count(*) FROM ml_score.alert a WHERE a.monitor OPERATOR(pg_catalog.=) m.name AND a.state OPERATOR(pg_catalog.=) 'pending'
            AND (s.signal IS NULL OR a.signal OPERATOR(pg_catalog.=) s.signal)) AS pending_alerts,
        (SELECT pg_catalog.count(*) FROM ml_score.alert a WHERE a.monitor OPERATOR(pg_catalog.=) m.name AND a.state OPERATOR(pg_catalog.=) 'failed'
            AND (s.signal IS NULL OR a.signal OPERATOR(pg_catalog.=) s.signal)) AS failed_alerts
    FROM ml_score.monitor m
        LEFT JOIN ml_score.monitor_signal s ON s.monitor OPERATOR(pg_catalog.=) m.name
        LEFT JOIN LATERAL (SELECT x.at, x.outcome, x.error FROM ml_score.monitor_run x
            WHERE x.monitor OPERATOR(pg_catalog.=) m.name ORDER BY x.at DESC, x.id DESC LIMIT 1) r ON true
    WHERE pg_catalog.pg_has_role(m.owner::oid, 'USAGE') OR pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE');
GRANT SELECT ON ml_score.monitor_status TO PUBLIC;
COMMENT ON VIEW ml_score.monitor_status IS
'how monitors are: a line for each signal, one without a signal before the first run. Shows the monitors of roles that the caller is a member of, all of them to members of pg_read_all_stats, and so of pg_monitor.';
COMMENT ON COLUMN ml_score.monitor_status.monitor IS 'name of the monitor';
COMMENT ON COLUMN ml_score.monitor_status.owner IS 'role in whose name it runs';
COMMENT ON COLUMN ml_score.monitor_status.state IS
'scheduled: it runs by itself; by hand: when ml_score.run_monitor is called; paused; restored: it came with a dump, and needs resume_monitor';
COMMENT ON COLUMN ml_score.monitor_status.signal IS 'the signal';
COMMENT ON COLUMN ml_score.monitor_status.breached IS 'whether it is breached, by the last run that could tell';
COMMENT ON COLUMN ml_score.monitor_status.since IS 'moment of the run that found it so first';
COMMENT ON COLUMN ml_score.monitor_status.last_run_at IS 'moment of the last run';
COMMENT ON COLUMN ml_score.monitor_status.last_outcome IS 'what came of it: ok, breached, no data, failed';
COMMENT ON COLUMN ml_score.monitor_status.last_error IS 'why it failed';
COMMENT ON COLUMN ml_score.monitor_status.next_run_at IS 'when it runs next by itself';
COMMENT ON COLUMN ml_score.monitor_status.pending_alerts IS 'alerts of the signal that are still to be done';
COMMENT ON COLUMN ml_score.monitor_status.failed_alerts IS 'alerts of the signal that were given up';

CREATE FUNCTION ml_score.create_monitor(name text, current text DEFAULT NULL, baseline text DEFAULT NULL,
    signals text[] DEFAULT NULL, thresholds jsonb DEFAULT NULL, predictions text[] DEFAULT '{}', features text[] DEFAULT NULL,
    categorical text[] DEFAULT '{}', performance text DEFAULT NULL, custom text DEFAULT NULL, time_column text DEFAULT NULL,
    window_size interval DEFAULT NULL, window_offset interval DEFAULT '0', baseline_window_size interval DEFAULT NULL,
    baseline_window_offset interval DEFAULT NULL, schedule interval DEFAULT NULL, formulas text DEFAULT 'azure',
    min_rows integer DEFAULT 50)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_create_monitor';
COMMENT ON FUNCTION ml_score.create_monitor(text, text, text, text[], jsonb, text[], text[], text[], text, text, text, interval, interval, interval, interval, interval, text, integer) IS
'creates a monitor, owned by the caller.
Arguments: name; current, a SELECT of the scored rows, features and predictions; baseline, a SELECT or a frozen profile, as ml_score.drift takes it, or without one the same rows of an earlier window;
signals, of data_drift, prediction_drift, data_quality, model_performance and custom, by default all that there is what it takes for; thresholds, {"signal": {"metric": limit}} or {"signal": {"numerical": {"metric": limit}, "categorical": ...}}, where a limit is a number, null, {"above": number} or {"below": number}; a signal that is not in it has Azure''s thresholds;
predictions, columns of current that are what the model says; features, those of data_drift and data_quality, by default all others; categorical, numeric columns that are categories;
performance, a SELECT with columns actual and predicted; custom, a SELECT with columns metric, value and, if wanted, feature, in which $1 and $2 are the window''s start and end;
time_column, a column of current, and of performance, that says when; window_size (by default the schedule) and window_offset, how long before the run the window ends; baseline_window_size (by default as long) and baseline_window_offset (by default where the window begins);
schedule, from run to run, in a background worker; without one it runs when ml_score.run_monitor is called; formulas, azure or scipy; min_rows, with fewer current rows nothing can be told.
Errors: duplicate_object; invalid_parameter_value for what does not fit; undefined_column; those of the queries'' analysis; object_not_in_prerequisite_state for a schedule without shared_preload_libraries.';

CREATE FUNCTION ml_score.alter_monitor(name text, current text DEFAULT NULL, baseline text DEFAULT NULL,
    signals text[] DEFAULT NULL, thresholds jsonb DEFAULT NULL, predictions text[] DEFAULT NULL, features text[] DEFAULT NULL,
    categorical text[] DEFAULT NULL, performance text DEFAULT NULL, custom text DEFAULT NULL, time_column text DEFAULT NULL,
    window_size interval DEFAULT NULL, window_offset interval DEFAULT NULL, baseline_window_size interval DEFAULT NULL,
    baseline_window_offset interval DEFAULT NULL, schedule interval DEFAULT NULL, formulas text DEFAULT NULL,
    min_rows integer DEFAULT NULL)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_alter_monitor';
COMMENT ON FUNCTION ml_score.alter_monitor(text, text, text, text[], jsonb, text[], text[], text[], text, text, text, interval, interval, interval, interval, interval, text, integer) IS
'changes a monitor of the caller''s: the arguments of ml_score.create_monitor that are not NULL. A schedule of 0 is none; empty arrays and texts take something away.
Errors: undefined_object, insufficient_privilege; those of ml_score.create_monitor.';

CREATE FUNCTION ml_score.drop_monitor(name text) RETURNS void
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_drop_monitor';
COMMENT ON FUNCTION ml_score.drop_monitor(text) IS
'drops a monitor of the caller''s with its actions, runs, results and alerts, pending ones too. Errors: undefined_object, insufficient_privilege.';

CREATE FUNCTION ml_score.pause_monitor(name text) RETURNS void
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_pause_monitor';
COMMENT ON FUNCTION ml_score.pause_monitor(text) IS
'has a monitor of the caller''s not run by its schedule. Errors: undefined_object, insufficient_privilege.';

CREATE FUNCTION ml_score.resume_monitor(name text) RETURNS void
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_resume_monitor';
COMMENT ON FUNCTION ml_score.resume_monitor(text) IS
'lets a monitor run that was paused or came with a restored dump; by its schedule at once. Errors: undefined_object, insufficient_privilege.';

CREATE FUNCTION ml_score.run_monitor(name text, at timestamptz DEFAULT pg_catalog.now()) RETURNS text
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_run_monitor';
COMMENT ON FUNCTION ml_score.run_monitor(text, timestamptz) IS
'runs a monitor of the caller''s now, as its owner: what came of it (ok, breached, no data). Results are in ml_score.monitor_result; what is to be done about them is in ml_score.alert, and is done after commit.
Arguments: the monitor; at, the moment that its windows count from. Of a moment before the latest run only results are stored: no signal changes, nothing is announced.
Errors: undefined_object, insufficient_privilege; object_not_in_prerequisite_state for a monitor that came with a restored dump; those of its queries.';

CREATE FUNCTION ml_score.create_monitor_action(monitor text, name text, channel text DEFAULT NULL, webhook text DEFAULT NULL,
    statement text DEFAULT NULL, batch jsonb DEFAULT NULL, events text[] DEFAULT NULL, signals text[] DEFAULT NULL,
    cool_down interval DEFAULT '1 hour')
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_create_monitor_action';
COMMENT ON FUNCTION ml_score.create_monitor_action(text, text, text, text, text, jsonb, text[], text[], interval) IS
'has a monitor of the caller''s do something when a signal is breached and when that is over, each once, in the background and as the monitor''s owner.
Arguments: monitor; name of the action; one of channel (NOTIFY, with the alert as payload), webhook (name of a server of TYPE ''webhook'', which is sent the alert as JSON, signed), statement (SQL in which $1 is the alert, a jsonb), batch (arguments of ml_score.submit_batch, an object: such as a pipeline endpoint that trains anew);
events, of breach and recovery, by default both, for batch the breach; signals, by default all; cool_down: for so long after a breach another one of the same signal does nothing, unless it lasts longer.
NOTIFY, statement and batch are done exactly once, a webhook is sent at least once, always with the same id. What fails is tried again for a day, with growing delays; alerts of one action are done in order. See ml_score.alert.
Errors: undefined_object, insufficient_privilege, duplicate_object; invalid_parameter_value; wrong_object_type for a server of another type; those of the statement''s syntax; object_not_in_prerequisite_state without shared_preload_libraries.';

CREATE FUNCTION ml_score.drop_monitor_action(monitor text, name text) RETURNS void
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_drop_monitor_action';
COMMENT ON FUNCTION ml_score.drop_monitor_action(text, text) IS
'drops an action of a monitor of the caller''s, with its alerts, pending ones too. Errors: undefined_object, insufficient_privilege.';

CREATE FUNCTION ml_score.retry_alert(id bigint) RETURNS void
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_retry_alert';
COMMENT ON FUNCTION ml_score.retry_alert(bigint) IS
'has an alert of the caller''s that was given up, or waits, tried now, and for another day. Errors: undefined_object, insufficient_privilege; object_not_in_prerequisite_state when it is delivered.';

CREATE FUNCTION ml_score.purge_monitor(older_than interval DEFAULT '90 days', name text DEFAULT NULL) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_purge_monitor';
COMMENT ON FUNCTION ml_score.purge_monitor(interval, text) IS
'removes runs that are older, with their results, and alerts that are older and not pending, of one monitor or of all of roles that the caller is a member of; how many runs they were. Errors: undefined_object, insufficient_privilege; null_value_not_allowed.';

/* How fast an endpoint is. */

CREATE FUNCTION ml_score.profile(function regprocedure, query text,
    batch_rows integer[] DEFAULT '{50,100,200,500,1000,2000}', parallel integer[] DEFAULT '{1,2,4,8}')
RETURNS TABLE (batch_rows integer, parallel integer, requests bigint, rows bigint, rows_per_second double precision,
    p50_ms double precision, p95_ms double precision, errors bigint, recommended boolean)
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 24 AS 'MODULE_PATHNAME', 'mls_profile';
COMMENT ON FUNCTION ml_score.profile(regprocedure, text, integer[], integer[]) IS
'measures the endpoint of a model function on rows of your own, with every pair of batch_rows and parallel, and recommends one for the server options max_batch_rows and max_parallel_requests.
Arguments: the model function; query, a SELECT whose columns are the function''s arguments by name (its first 10000 rows, at most 64 MB, are taken, and sent over and over, repeated ones too); batch_rows, rows in a request; parallel, requests in flight.
A setting runs for 1 second or 1000000 rows, whichever is first, but at least until each request in flight had its reply; a round of requests goes before that is not measured. Every request is a real one: the endpoint''s owner pays for it, and other users of the endpoint slow it down.
A line for each setting: requests sent, retries included; rows scored; rows_per_second; p50_ms and p95_ms, the milliseconds that 50 % and 95 % of the requests took at the most, retries included; errors, requests that failed or had to be repeated (they raise nothing here; a WARNING gives the first reason); recommended, true for the fewest rows in flight among the settings without errors that are within 5 % of the best rows_per_second.
Errors: wrong_object_type for other functions, undefined_column and datatype_mismatch when the query does not fit, no_data_found when it gives no rows. The session''s settings stay as they are.';

CREATE FUNCTION ml_score.profile(function text, query text,
    batch_rows integer[] DEFAULT '{50,100,200,500,1000,2000}', parallel integer[] DEFAULT '{1,2,4,8}')
RETURNS TABLE (batch_rows integer, parallel integer, requests bigint, rows bigint, rows_per_second double precision,
    p50_ms double precision, p95_ms double precision, errors bigint, recommended boolean)
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 24 AS 'MODULE_PATHNAME', 'mls_profile_named';
COMMENT ON FUNCTION ml_score.profile(text, text, integer[], integer[]) IS
'the same with the function''s name (or signature, as regprocedure takes it) as text: SELECT * FROM ml_score.profile(''diamond_price'', ''SELECT * FROM diamonds'')';

/* What is scored, kept. */

CREATE FUNCTION ml_score.create_inference_log(server name) RETURNS regclass
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mls_create_inference_log';
COMMENT ON FUNCTION ml_score.create_inference_log(name) IS
'makes the table that an online server''s option log_table names, with a partition for now and the next period, unless it is there; else that happens with the first request that is logged.
Called by the server''s owner, whose the table is. Returns the table.
Columns: time (when the answer came), function, server, deployment (NULL: none was named), traffic (live, canary or shadow), request_id (x-ms-client-request-id; one for a request and its copy), azure_request_id (what the endpoint calls it), request_row (from 1), inputs and outputs as JSON, error (then outputs is NULL), latency_ms (of the request''s last attempt).
Errors: undefined_object, insufficient_privilege, fdw_dynamic_parameter_value_needed without log_table, wrong_object_type when the name is another object''s.';

CREATE FUNCTION ml_score.export_inference_log(server name, storage name, since timestamptz,
    until timestamptz DEFAULT pg_catalog.now() - interval '5 minutes', endpoint text DEFAULT NULL, output_name text DEFAULT 'prediction')
RETURNS TABLE (path text, requests bigint, rows bigint, bytes bigint)
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 AS 'MODULE_PATHNAME', 'mls_export_inference_log';
COMMENT ON FUNCTION ml_score.export_inference_log(name, name, timestamptz, timestamptz, text, text) IS
'writes a server''s inference log into a container in the layout of Azure ML''s data collector, so that model monitors read it: a file of JSON lines for each deployment, collection (model_inputs, model_outputs) and hour, modelDataCollector/ENDPOINT/DEPLOYMENT/COLLECTION/yyyy/MM/dd/HH/ml_score-DATABASE-SERVER.jsonl, a line for each request.
Arguments: the online server; storage, a server of TYPE ''blob''; since and until, both rounded down to the hour; endpoint, its name in the paths, by default the last part of endpoint_id or the first of the url''s host; output_name, the column that outputs which are no objects go into.
Run by the caller, who needs SELECT on the log, USAGE on storage and a credential for it. Rows that failed are left out. Returns a line for each file.
A file that exists with the same content is as good as written; with another content it is an error: export an hour once it is over.
Errors: undefined_object, fdw_dynamic_parameter_value_needed without log_table, insufficient_privilege, those of the storage.';

/* Two deployments of a model beside each other. */

CREATE FUNCTION ml_score.compare(function regprocedure, deployment_a text, deployment_b text, query text,
    tolerance double precision DEFAULT 0, max_rows integer DEFAULT 10000)
RETURNS TABLE (output text, rows bigint, agreed bigint, differed bigint, failed_a bigint, failed_b bigint,
    agreement double precision, mean_difference double precision, max_difference double precision,
    p50_ms_a double precision, p95_ms_a double precision, p50_ms_b double precision, p95_ms_b double precision, example jsonb)
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 1 AS 'MODULE_PATHNAME', 'mls_compare_deployments';
COMMENT ON FUNCTION ml_score.compare(regprocedure, text, text, text, double precision, integer) IS
'scores the same rows with two deployments of a model function''s endpoint and tells how far they agree: a line for each output of the model.
Arguments: the model function; deployment_a and deployment_b, names of deployments (header azureml-model-deployment), NULL for the one that the server names or the endpoint chooses; query, a SELECT whose columns are the function''s arguments by name; tolerance, up to which numbers agree; max_rows, how many rows of the query are taken (at most 64 MB).
Columns: rows, sent to each; agreed and differed, of the rows that both have scored; failed_a and failed_b, rows without a score (they raise nothing here; a WARNING gives the first reason); agreement, agreed over both, from 0 to 1; mean_difference and max_difference of numbers, |b - a|, NULL for other types; p50_ms and p95_ms, the milliseconds that 50 % and 95 % of each side''s requests took at the most, retries included; example, arguments and both results (as text) of the row that differs most, NULL when none does.
Every request is a real one, and repeated rows are sent, too. Canaries, shadows and inference logs of the server are left out of it.
Errors: wrong_object_type for other functions, undefined_column and datatype_mismatch when the query does not fit, no_data_found when it gives no rows, invalid_parameter_value for arguments out of range.';

CREATE FUNCTION ml_score.compare(function text, deployment_a text, deployment_b text, query text,
    tolerance double precision DEFAULT 0, max_rows integer DEFAULT 10000)
RETURNS TABLE (output text, rows bigint, agreed bigint, differed bigint, failed_a bigint, failed_b bigint,
    agreement double precision, mean_difference double precision, max_difference double precision,
    p50_ms_a double precision, p95_ms_a double precision, p50_ms_b double precision, p95_ms_b double precision, example jsonb)
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 1 AS 'MODULE_PATHNAME', 'mls_compare_deployments_named';
COMMENT ON FUNCTION ml_score.compare(text, text, text, text, double precision, integer) IS
'the same with the function''s name (or signature, as regprocedure takes it) as text';
