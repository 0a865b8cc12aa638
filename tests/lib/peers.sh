# peers.sh - the servers that tests talk to, each started when first needed and ended with the run.
#
#   fast              answers at once, counts everything (peers/fast_endpoint): the url takes options in its path
#   h2_endpoint       HTTP/2 over TLS, counts connections (peers/h2_endpoint); h1_endpoint: without HTTP/2 and keep-alive
#   real_STYLE        the real Azure ML inference server with peers/score_STYLE.py
#   front             Azure's gateway, played, in front of real_records (keys first-key, second-key)
#   deployments       several of these as one endpoint's deployments (peers/deployments.py)
#   two_columns       two named numbers a row (peers/two_columns.py)
#   mlflow            MLflow's own model server
#   fault_server      misbehaves in every way (peers/fault_server.py)
#   registry          a schema registry (peers/registry.py)
#   kafka             Apache Kafka as Event Hubs speaks it (kafka.sh)
#   run_history       the run-history API of an Azure ML workspace (peers/run_history.py)
#   telemetry_sink    Application Insights and an OTLP collector (peers/telemetry_sink.py)
#   webhook_sink      takes alerts, and checks their signatures (peers/webhook_sink.py)
#   toxiproxy         spoils connections to other peers (toxiproxy.sh)
#   azurite           Azure's storage emulator, and azurite_https (azurite.sh)
#   batch_endpoint    an Azure ML batch endpoint, played, whose jobs are real (batch.sh)
#
# shellcheck shell=bash

. "$ROOT/tests/lib/tls.sh"
. "$ROOT/tests/lib/kafka.sh"
. "$ROOT/tests/lib/azurite.sh"
. "$ROOT/tests/lib/batch.sh"
. "$ROOT/tests/lib/toxiproxy.sh"

# peer_url NAME: http://127.0.0.1:PORT of a peer that was started; https where the name says so.
peer_url() {
	case $1 in
	*_https) echo "https://127.0.0.1:$(cat "$RUN/peers/$1.port")" ;;
	*) echo "http://127.0.0.1:$(cat "$RUN/peers/$1.port")" ;;
	esac
}

# need_peer NAME...: have these running and healthy; one that died since is started anew.
need_peer() {
	local name
	mkdir -p "$RUN/peers"
	for name in "$@"; do
		kill -0 "$(cat "$RUN/peers/$name.pid" 2>/dev/null)" 2>/dev/null || launch "$name"
	done
	for name in "$@"; do wait_healthy "$name"; done
}

launch() {
	local name=$1 port
	port=$(free_port)
	case $name in
	fast)
		need_go_peer fast_endpoint
		start_peer "$name" "$port" "$CACHE/fast_endpoint" -listen "127.0.0.1:$port"
		;;
	h2_endpoint)
		start_tls_endpoint "$name" "$port"
		;;
	h1_endpoint)
		start_tls_endpoint "$name" "$port" -http1
		;;
	real_*)
		start_inference_server "$name" "$port" 1
		;;
	front)
		need_peer real_records
		start_peer "$name" "$port" /usr/bin/python3 "$ROOT/tests/peers/azure_front.py" --listen "$port" \
			--behind "$(cat "$RUN/peers/real_records.port")"
		;;
	mlflow)
		need_mlflow_model
		start_peer "$name" "$port" env -C "$CACHE/mlflow" PATH="$CACHE/venv-mlflow/bin:$PATH" OMP_NUM_THREADS=1 \
			MLFLOW_DISABLE_TELEMETRY=true mlflow models serve -m model --env-manager local -h 127.0.0.1 -p "$port" --workers 1
		;;
	identity_server)
		need_token_key
		start_peer "$name" "$port" /usr/bin/python3 "$ROOT/tests/peers/identity_server.py" --port "$port"
		;;
	telemetry_sink)
		need_venv telemetry
		start_peer "$name" "$port" "$CACHE/venv-telemetry/bin/python" "$ROOT/tests/peers/telemetry_sink.py" --port "$port"
		;;
	webhook_sink)
		need_venv webhook
		start_peer "$name" "$port" "$CACHE/venv-webhook/bin/python" "$ROOT/tests/peers/webhook_sink.py" --port "$port"
		;;
	kafka)
		start_kafka
		;;
	azurite | azurite_https)
		start_azurite "$name" "$port"
		;;
	batch_endpoint)
		start_batch_endpoint "$port"
		;;
	toxiproxy)
		need_toxiproxy
		start_peer "$name" "$port" "$CACHE/toxiproxy" -host 127.0.0.1 -port "$port"
		;;
	*)
		[ -f "$ROOT/tests/peers/$name.py" ] || die "no such peer: $name"
		start_peer "$name" "$port" /usr/bin/python3 "$ROOT/tests/peers/$name.py" --port "$port"
		;;
	esac
}

# start_peer NAME PORT CMD...: in a session of its own, so that it outlives the terminal and a test's time limit.
start_peer() {
	local name=$1 port=$2
	shift 2
	mkdir -p "$RUN/peers"
	PYTHONDONTWRITEBYTECODE=1 setsid "$@" >"$RUN/peers/$name.log" 2>&1 </dev/null &
	remember $!
	echo $! >"$RUN/peers/$name.pid"
	echo "$port" >"$RUN/peers/$name.port"
}

# end_peers NAME...
end_peers() {
	local name pids=()
	for name in "$@"; do pids+=("$(cat "$RUN/peers/$name.pid")"); done
	end_pids TERM "${pids[@]}"
}

wait_healthy() {
	local name=$1
	case $name in
	kafka) kafka_healthy && return 0 ;;
	azurite | azurite_https) azurite_healthy "$name" && return 0 ;;
	batch_endpoint) batch_endpoint_healthy && return 0 ;;
	*) answers_http "$name" && return 0 ;;
	esac
	tail -n 15 "$RUN/peers/$name.log" >&2
	die "peer $name did not start"
}

# Healthy: answers HTTP at all.
answers_http() {
	local i
	for ((i = 0; i < 600; i++)); do
		if curl -sSk -o /dev/null -m 2 "$(peer_url "$1")/" 2>/dev/null; then return 0; fi
		kill -0 "$(cat "$RUN/peers/$1.pid")" 2>/dev/null || return 1
		sleep 0.1
	done
	return 1
}

# need_go_peer NAME: the Go program of tests/peers/NAME, as $CACHE/NAME.
need_go_peer() {
	exclusively "$1" build_go_peer "$1"
}

build_go_peer() {
	local source=$ROOT/tests/peers/$1 binary=$CACHE/$1 sum
	sum=$(cat "$source"/*.go "$source"/go.* | cksum)
	[ "$(cat "$binary.sum" 2>/dev/null)" = "$sum" ] && return 0
	need_go
	step "building $1"
	run_logged "$WORK/go.log" env -C "$source" GOFLAGS=-mod=readonly GOCACHE="$CACHE/go-build" GOPATH="$CACHE/go" \
		go build -trimpath -o "$binary" .
	echo "$sum" >"$binary.sum"
}

# start_tls_endpoint NAME PORT [OPTION...]: peers/h2_endpoint with the run's certificate.
start_tls_endpoint() {
	local name=$1 port=$2
	shift 2
	need_go_peer h2_endpoint
	need_certificates
	start_peer "$name" "$port" "$CACHE/h2_endpoint" -listen "127.0.0.1:$port" -cert "$RUN/tls/server.crt" -key "$RUN/tls/server.key" "$@"
}

# The trained models, as $CACHE/model.
need_model() {
	exclusively model train_model
}

train_model() {
	local sum
	sum=$(cat "$ROOT/tests/peers/train.py" "$ROOT/tests/peers/scoring.txt" | cksum)
	[ "$(cat "$CACHE/model/sum" 2>/dev/null)" = "$sum" ] && return 0
	need_venv scoring
	need_diamonds
	step "training the models on 53,940 diamonds"
	rm -rf "$CACHE/model"
	mkdir -p "$CACHE/model"
	run_logged "$WORK/train.log" "$CACHE/venv-scoring/bin/python" "$ROOT/tests/peers/train.py" "$CACHE/diamonds.csv" "$CACHE/model"
	echo "$sum" >"$CACHE/model/sum"
}

# start_inference_server real_STYLE PORT WORKERS: Azure's server on loopback, with connections kept alive.
start_inference_server() {
	need_model
	start_peer "$1" "$2" env -C "$ROOT/tests/peers" AML_APP_ROOT="$ROOT/tests/peers" AZUREML_MODEL_DIR="$CACHE/model" \
		AZUREML_ENTRY_SCRIPT="score_${1#real_}.py" OMP_NUM_THREADS=1 \
		"$CACHE/venv-scoring/bin/gunicorn" --worker-class gthread --threads 4 --keep-alive 30 --workers "$3" \
		--bind "127.0.0.1:$2" azureml_inference_server_http.server.entry:app
}

# A model in MLflow's own form, as $CACHE/mlflow/model.
need_mlflow_model() {
	exclusively mlflow train_mlflow_model
}

train_mlflow_model() {
	need_venv mlflow
	need_diamonds
	[ -f "$CACHE/mlflow/model/MLmodel" ] && return 0
	rm -rf "$CACHE/mlflow"
	mkdir -p "$CACHE/mlflow"
	run_logged "$WORK/mlflow.log" "$CACHE/venv-mlflow/bin/python" "$ROOT/tests/peers/train_mlflow.py" \
		"$CACHE/diamonds.csv" "$CACHE/mlflow/model"
}

# deployments_url NAME URL...: one endpoint whose deployments are these, the first where none is named.
deployments_url() {
	local path="" name
	while [ $# -gt 0 ]; do
		name=$1
		path+="/$name/$(sed 's#%#%25#g; s#/#%2F#g; s#:#%3A#g' <<<"$2")"
		shift 2
	done
	echo "$(peer_url deployments)$path/score"
}

# stats_of TAG FIGURE: what the fast endpoint counted for a tag.
stats_of() {
	curl -sS "$(peer_url fast)/tag/$1/stats" | sed -n "s/.*\"$2\":\([0-9]*\).*/\1/p"
}

# last_of TAG: the last request it got, headers and body, as JSON.
last_of() {
	curl -sS "$(peer_url fast)/tag/$1/last"
}
