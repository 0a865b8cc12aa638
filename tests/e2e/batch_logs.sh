#!/bin/bash
# A batch job that fails in Azure shows the end of its log, where the workspace's run history says where that is.
# Version: 15, what the service says is the same for every version
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/batch_jobs.sh"
batch_setup logs 50
sql "CREATE SERVER ws TYPE 'workspace' FOREIGN DATA WRAPPER ml_score OPTIONS (url '${BATCH_URL%/jobs}', arm_id '$BATCH_WORKSPACE', auth 'key', retry_base_delay '10ms');
	CREATE USER MAPPING FOR PUBLIC SERVER ws OPTIONS (key 'batch-tests');
	ALTER SERVER pb OPTIONS (ADD workspace 'ws')"
detail() {
	finish "$1" >/dev/null
	sql "SELECT state || ' ' || error_detail FROM ml_score.batch_job WHERE id = $1"
}
is "$(sql "SELECT step, ok FROM ml_score.check_server('pb') WHERE step = 'read the run history'")" "read the run history|t" "check_server looks at the run history"

failure='"state": "Failed", "error": {"code": "UserError", "message": "KeyError: größe"}'
batch_fault "{\"on\": \"job\", $failure}"
id=$(submit)
is "$(detail "$id")" $'failed UserError: KeyError: größe\nlogs/user/error/10.0.0.4/000000/errors.txt:\nTraceback (most recent call last):\nKeyError: größe' \
	"a job that fails shows the end of its log"
server_log_mark
batch_fault "{\"on\": \"job\", \"hide_error\": true, \"step_logs\": true, $failure}"
id=$(submit)
like "$(detail "$id" | tr '\n' ' ')" "errors.txt: Traceback .most recent call last.: KeyError" "or of the log of its step"
unlike "$(server_log)$(sql "SELECT string_agg(j::text, '') FROM ml_score.batch_job j")" "sig=" "but not the log's URL, which has a credential in it"

long=$(printf 'line of a long log %.0s' $(seq 300))
batch_fault "{\"on\": \"job\", \"state\": \"Failed\", \"error\": {\"code\": \"UserError\", \"message\": \"${long// of/\\nof}\"}, \"hide_error\": true}"
id=$(submit)
like "$(detail "$id" | wc -c)" "^(1[89]|2[01])[0-9][0-9]$" "of a long log, its end"
like "$(detail "$id" | sed -n 2p)" "^of a long log line$" "in whole lines"

zeroes=$(printf '\\u0000%.0s' $(seq 100))
batch_fault "{\"on\": \"job\", \"state\": \"Failed\", \"error\": {\"code\": \"UserError\", \"message\": \"a${zeroes}b\"}, \"hide_error\": true}"
id=$(submit)
like "$(detail "$id" | tr '\n' ' ')" "a[?]{100}b *$" "zero bytes do not end it"

batch_fault "{\"on\": \"job\", \"no_logs\": true, $failure}"
id=$(submit)
like "$(detail "$id" | tr '\n' ' ')" "^failed UserError: KeyError: größe The run history names no logs of it" "without logs it fails all the same"
sql "ALTER USER MAPPING FOR PUBLIC SERVER ws OPTIONS (SET key 'wrong')"
batch_fault "{\"on\": \"job\", $failure}"
id=$(submit)
like "$(detail "$id" | tr '\n' ' ')" "^failed UserError: KeyError: größe Its logs were not found: .*ws" "so it does when the history refuses to say"
is "$(sql "SELECT ok FROM ml_score.check_server('pb') WHERE step = 'read the run history'")" f "which check_server has told"
like "$(sql_error "DROP SERVER ws")" "server pb depends on server ws" "the history cannot be dropped while a batch server names it"
sql "ALTER SERVER pb OPTIONS (DROP workspace)"
is "$(sql "SELECT count(*) FROM price")" 0 "and nothing is stored"
sql "SELECT ml_score.retry_batch($id)"
is "$(finish "$id") $(stored)" "completed 50|50|1|50" "tried again, it completes"
done_testing
