#!/bin/bash
# Batch jobs in a database that is not in UTF-8: what they send and load is, and so is what the service says of them.
# Version: 16, what is sent is the same for every version
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/batch_jobs.sh"
latin=${PGDATABASE}_latin
sql "CREATE DATABASE $latin ENCODING LATIN1 LOCALE 'C' TEMPLATE template0"
export PGDATABASE=$latin PGCLIENTENCODING=UTF8
sql "CREATE EXTENSION ml_score"
batch_setup encoding 10
sql "CREATE TABLE named (name text PRIMARY KEY, price float8)"
named() {
	sql "SELECT ml_score.submit_batch('pb', query => 'SELECT ''größe '' || id AS name, $DIAMOND FROM diamonds', target => 'named')"
}
id=$(named)
is "$(finish "$id")" completed "a job, whose answers are read outside of any transaction"
is "$(sql "SELECT count(*), count(price), min(name), min(octet_length(name)) FROM named")" "10|10|größe 1|7" "with its keys as they were"
batch_fault '{"on": "job", "state": "Failed", "error": {"code": "UserError", "message": "KeyError: größe"}}'
id=$(named)
finish "$id" >/dev/null
is "$(job "$id" error_detail)" "UserError: KeyError: größe" "what the service says of a job that failed"
batch_no_faults
PGDATABASE=postgres sql "DROP DATABASE $latin WITH (FORCE)"
done_testing
