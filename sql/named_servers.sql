-- Servers that other servers' options name: they cannot be dropped alone, and a new name goes into the option.
\pset format unaligned
\pset tuples_only on
CREATE SERVER nm_batch TYPE 'batch' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:1/jobs', storage 'nm_store', workspace 'nm_space');
CREATE SERVER nm_store TYPE 'blob' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:1/account/store');
CREATE SERVER nm_space TYPE 'workspace' FOREIGN DATA WRAPPER ml_score OPTIONS (arm_id '/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w', url 'https://westeurope.api.azureml.ms');
CREATE FUNCTION pg_temp.options(name text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(option_name || ' ' || option_value, ', ' ORDER BY option_name)
    FROM pg_foreign_server, pg_options_to_table(srvoptions) WHERE srvname = name AND option_name IN ('storage', 'workspace') $$;

-- they came after the server that names them
DROP SERVER nm_store;
DROP SERVER nm_space;
ALTER SERVER nm_store RENAME TO nm_lake;
ALTER SERVER nm_space RENAME TO "nm Space";
SELECT pg_temp.options('nm_batch');
DROP SERVER nm_lake;

-- another storage
CREATE SERVER nm_other TYPE 'blob' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:1/account/other');
ALTER SERVER nm_batch OPTIONS (SET storage 'nm_other');
DROP SERVER nm_lake;
DROP SERVER nm_other;
ALTER SERVER nm_batch OPTIONS (DROP workspace);
DROP SERVER "nm Space";

-- a name that a server gets, and one of a type that is not meant
ALTER SERVER nm_batch OPTIONS (SET storage 'nm_later');
CREATE SERVER nm_soon TYPE 'blob' FOREIGN DATA WRAPPER ml_score OPTIONS (url 'http://127.0.0.1:1/account/soon');
ALTER SERVER nm_soon RENAME TO nm_later;
DROP SERVER nm_later;
ALTER SERVER nm_batch OPTIONS (ADD workspace 'nm_other');
ALTER SERVER nm_other RENAME TO nm_another;
SELECT pg_temp.options('nm_batch');

-- together, or with what depends on it
BEGIN;
DROP SERVER nm_later, nm_batch;
ROLLBACK;
SET client_min_messages = warning;
DROP SERVER nm_later CASCADE;
RESET client_min_messages;
SELECT srvname FROM pg_foreign_server WHERE srvname LIKE 'nm%';
DROP SERVER nm_another;
