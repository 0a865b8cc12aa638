#!/bin/bash
# demo.sh - 53,940 real diamonds, priced by a scikit-learn model behind Azure's own inference server, from plain SQL.
#
#   tests/demo.sh           install what is missing (Debian 12, root or sudo), train, serve, score; leaves it running
#   tests/demo.sh --once    the same, and ends everything afterwards
#   tests/demo.sh --streams a stream besides: diamonds as events of a local Kafka that speaks as Event Hubs does, priced on the way
#   tests/demo.sh --batch   a batch job instead: Azurite as the store, an endpoint with real jobs
#   tests/demo.sh --stop    end what a demo left running
#
# It runs in a PostgreSQL of its own, on loopback and a private socket; the system's PostgreSQL is not touched.

. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
. "$ROOT/tests/lib/install.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/peers.sh"

# End the demo that an earlier run left behind, if any.
stop_demo() {
	RUN=$(cat "$WORK/demo.run" 2>/dev/null) || return 1
	rm -f "$WORK/demo.run"
	[ -d "$RUN" ] && cleanup
}

title() {
	if [ -t 1 ]; then
		printf '\n\033[1m== %s\033[0m\n' "$*"
	else
		printf '\n== %s\n' "$*"
	fi
}

# show SQL: print the statement as a user would type it, then what it gives.
show() {
	printf '\n'
	sed 's/^/demo=> /' <<<"$1"
	"$PGBIN/psql" -Xq -v ON_ERROR_STOP=1 -P pager=off -d demo -c '\timing on' -c "$1"
}

quietly() {
	"$PGBIN/psql" -XAtq -v ON_ERROR_STOP=1 -d demo -c "$1"
}

prepare() {
	# shellcheck disable=SC2086
	need_packages $BUILD_PACKAGES
	build_extension 15
	need_model
	step "starting PostgreSQL and the inference server"
	start_inference_server real_records "$(free_port)" 2
	start_cluster demo 15 "shared_preload_libraries = 'pg_cron, ml_score'" "cron.database_name = 'demo'" \
		"cron.use_background_workers = on"
	use_cluster demo
	"$PGBIN/psql" -Xqc 'CREATE DATABASE demo'
	wait_healthy real_records
}

load_diamonds() {
	title "The diamonds: nine columns and the price each was sold for"
	quietly 'CREATE TABLE diamonds (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, carat float8, cut text, color text,
		clarity text, depth float8, "table" float8, price float8, x float8, y float8, z float8)'
	quietly "\\copy diamonds (carat, cut, color, clarity, depth, \"table\", price, x, y, z) FROM '$CACHE/diamonds.csv' (FORMAT csv, HEADER)"
	quietly 'VACUUM ANALYZE diamonds'
	show 'SELECT * FROM diamonds LIMIT 3;'
}

connect_model() {
	title "Where the model is, and what it declares"
	show "CREATE EXTENSION ml_score;"
	show "CREATE SERVER diamond_model TYPE 'online' FOREIGN DATA WRAPPER ml_score
    OPTIONS (url '$(peer_url real_records)/score', auth 'none');"
	show "SELECT * FROM ml_score.describe('diamond_model');"
	show "SELECT ml_score.create_function('diamond_model', 'diamond_price');"
	title "One call"
	show "SELECT diamond_price(0.23, 'Ideal', 'E', 'SI2', 61.5, 55, 3.95, 3.98, 2.43);"
}

schedule_job() {
	title "A pg_cron job that keeps a table scored (it starts at the next full minute: see the end)"
	quietly 'CREATE EXTENSION pg_cron'
	show 'CREATE TABLE nightly (id int PRIMARY KEY, price float8);'
	show "SELECT cron.schedule('score diamonds', '* * * * *',
    \$\$CALL ml_score.score_table('diamonds', 'nightly', 'diamond_price')\$\$);"
}

score_everything() {
	title "How a query is scored: in batches, several requests at a time"
	show 'EXPLAIN (ANALYZE, COSTS OFF)
SELECT id, diamond_price(carat, cut, color, clarity, depth, "table", x, y, z) FROM diamonds;'
	title "Every diamond, into a table"
	show 'CREATE TABLE scored (id int PRIMARY KEY, predicted float8);'
	show 'INSERT INTO scored
SELECT id, diamond_price(carat, cut, color, clarity, depth, "table", x, y, z) FROM diamonds;'
	show 'SELECT count(*), round(avg(price)) AS avg_price, round(avg(abs(predicted - price))) AS avg_error,
       round(corr(predicted, price)::numeric, 4) AS correlation
FROM scored JOIN diamonds USING (id);'
	title "The score in a WHERE: big diamonds sold far below what the model thinks they are worth"
	show 'SELECT id, carat, cut, price, round(diamond_price(carat, cut, color, clarity, depth, "table", x, y, z)) AS worth
FROM diamonds
WHERE carat > 2 AND price < 0.7 * diamond_price(carat, cut, color, clarity, depth, "table", x, y, z)
ORDER BY id LIMIT 5;'
}

measure() {
	title "How large should batches be? Measured on these rows"
	show "CREATE TABLE measured AS SELECT * FROM ml_score.profile('diamond_price',
    'SELECT carat, cut, color, clarity, depth, \"table\", x, y, z FROM diamonds LIMIT 10000', '{100,500,2000}', '{1,2,4}');"
	show "TABLE measured;"
	show "SELECT * FROM ml_score.stat_endpoint;"
}

await_job() {
	local i
	title "What the pg_cron job did"
	for ((i = 0; i < 120; i++)); do
		[ "$(quietly "SELECT count(*) FROM cron.job_run_details WHERE status = 'succeeded'")" = 0 ] || break
		sleep 1
	done
	show "SELECT status, return_message, end_time - start_time AS took FROM cron.job_run_details ORDER BY runid LIMIT 1;"
	show "SELECT count(*) FROM nightly;"
	quietly "SELECT cron.unschedule('score diamonds')" >/dev/null
}

# A query out to Azurite, a job of the endpoint's that runs the model on it, predictions back in a table.
run_batch() {
	local base store
	title "A batch endpoint, and the store that it shares with the database"
	step "starting Azurite and the batch endpoint"
	need_peer batch_endpoint
	blob_container demo >/dev/null
	batch_datastore demo demo >/dev/null
	batch_accept_token demo >/dev/null
	base=${BATCH_URL%/jobs}
	store="azureml://subscriptions/s/resourcegroups/g/workspaces/w/datastores/demo/paths/{path}"
	show "CREATE EXTENSION IF NOT EXISTS ml_score;"
	show "CREATE SERVER lake TYPE 'blob' FOREIGN DATA WRAPPER ml_score
    OPTIONS (url '$(blob_url demo)', auth 'shared_key');"
	quietly "CREATE USER MAPPING FOR PUBLIC SERVER lake OPTIONS (account_key '$BLOB_KEY')"
	show "CREATE SERVER price_batch TYPE 'batch' FOREIGN DATA WRAPPER ml_score
    OPTIONS (url '$BATCH_URL', auth 'key', storage 'lake',
             input_uri '$store',
             output_uri '$store',
             jobs_url '$base/mferp/managementfrontend$BATCH_WORKSPACE/batchEndpoints/price-batch/jobs',
             workspace_url '$base$BATCH_WORKSPACE');"
	quietly "CREATE USER MAPPING FOR PUBLIC SERVER price_batch OPTIONS (key 'demo')"
	show "SELECT name, step, ok FROM ml_score.check_server('price_batch');"
	title "Every diamond out as files, a job on the endpoint, the predictions joined back by key"
	show 'CREATE TABLE batch_price (id int PRIMARY KEY, price float8);'
	show "SELECT ml_score.submit_batch('price_batch', target => 'batch_price', query =>
    'SELECT id, carat, cut, color, clarity, depth, \"table\", x, y, z FROM diamonds');"
	show "CALL ml_score.wait_batch(1, timeout => '5 minutes');"
	show "SELECT date_trunc('milliseconds', at)::time AS at, state, message FROM ml_score.batch_job_event WHERE job = 1 ORDER BY 1;"
	show "SELECT files, rows_out, rows_in, missing, azure_status FROM ml_score.batch_job;"
	show 'SELECT count(*), round(avg(abs(b.price - d.price))) AS avg_error, round(corr(b.price, d.price)::numeric, 4) AS correlation
FROM batch_price b JOIN diamonds d USING (id);'
}

stream_events() {
	title "A stream: diamonds come as events and are priced on the way into a table, exactly once"
	need_peer kafka
	kafka_topic diamonds 4
	kafka_topic readings 2
	"$PGBIN/psql" -XAtq -d demo -c 'SELECT row_to_json(d) FROM diamonds d' | kafka_produce diamonds -X linger.ms=50
	show "CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score
    OPTIONS (bootstrap_servers '$KAFKA_EVENTHUBS', auth 'connection_string', ca_file '$KAFKA_CA');"
	quietly "CREATE USER MAPPING FOR PUBLIC SERVER hub OPTIONS (connection_string '$KAFKA_CONNECTION_STRING')"
	show "CREATE TABLE priced (id int PRIMARY KEY, estimate float8, arrived timestamptz DEFAULT now());"
	show "SELECT ml_score.create_stream('priced', server => 'hub', topic => 'diamonds', max_batch_rows => 5000,
    columns => 'id int, carat float8, cut text, color text, clarity text, depth float8, \"table\" float8, x float8, y float8, z float8',
    query => 'INSERT INTO priced SELECT id, diamond_price(carat, cut, color, clarity, depth, \"table\", x, y, z) FROM batch');"
	show "SELECT ml_score.wait_stream('priced', '5 minutes');"
	show "SELECT count(*), round(avg(abs(estimate - price))) AS mean_error FROM priced JOIN diamonds USING (id);"
	show "SELECT stream, partition, state, next_offset, lag, events_per_second, rows, dead_letters FROM ml_score.stat_stream;"
}

# What was done here as a page, with drift of the dearer half against the cheaper one.
make_report() {
	quietly "SELECT ml_score.report(title => 'Diamonds', profile => 'TABLE measured',
		baseline => 'SELECT carat, cut, clarity FROM diamonds WHERE price < 2401', current => 'SELECT carat, cut, clarity FROM diamonds WHERE price >= 2401')" >"$RUN/report.html"
}

tell() {
	title "Done in $SECONDS s. It is all still running:"
	cat <<-EOF
		connect:  $PGBIN/psql -h $PGHOST -U postgres demo
		a page:   psql -XAtc "SELECT ml_score.report()" > report.html; here is one with drift and a profile: $RUN/report.html
		stop:     tests/demo.sh --stop
	EOF
	[ -z "$streams" ] || [ -n "$batch" ] || tell_streams
}

tell_streams() {
	cat <<-EOF

		The hub has a topic to play with, readings:
		CREATE TABLE reading (id bigint PRIMARY KEY, temp float8, at timestamptz DEFAULT now(), _partition int, _offset bigint);
		SELECT ml_score.create_stream('readings', server => 'hub', topic => 'readings', target => 'reading');
		SELECT ml_score.send_event('hub', 'readings', '{"id": 1, "temp": 20.5}');
		SELECT ml_score.wait_stream('readings');
		SELECT * FROM reading;
	EOF
}

once='' batch='' streams=''
while [ $# -gt 0 ]; do
	case $1 in
	--stop)
		stop_demo || die "no demo is running"
		exit 0
		;;
	--once) once=1 ;;
	--batch) batch=1 ;;
	--streams) streams=1 ;;
	-h | --help)
		sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
		exit 0
		;;
	*) die "unknown option $1; see --help" ;;
	esac
	shift
done

make_state_dirs
stop_demo || true
new_run_dir demo
trap cleanup EXIT
trap 'exit 130' INT TERM
prepare
load_diamonds
if [ -n "$batch" ]; then
	run_batch
else
	connect_model
	schedule_job
	score_everything
	measure
	await_job
	[ -z "$streams" ] || stream_events
	make_report
fi
if [ -z "$once" ]; then
	echo "$RUN" >"$WORK/demo.run"
	trap - EXIT
	tell
fi
