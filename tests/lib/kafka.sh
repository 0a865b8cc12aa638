# kafka.sh - Apache Kafka as Event Hubs speaks it: one broker, its own controller, started by `need_peer kafka`.
#
# After that these are set (host:port, files):
#   KAFKA_PLAIN        no TLS, no password: what the functions below use
#   KAFKA_EVENTHUBS    SASL_SSL as Event Hubs: PLAIN ($ConnectionString, KAFKA_CONNECTION_STRING) and OAUTHBEARER
#   KAFKA_TLS          TLS, no password
#   KAFKA_PROXIED      as KAFKA_PLAIN, and KAFKA_EVENTHUBS_PROXIED as KAFKA_EVENTHUBS, but through toxiproxy (see
#                      toxiproxy.sh; proxies kafka and eventhubs): nothing listens there before `need_peer toxiproxy`
#   KAFKA_CA           the authority that signed the certificates
# Bearer tokens are RS256 with a key of this run: kafka_token. An event is 1 MB at most, topics are not made by use, and
# idle connections are cut after 240 s, as there. Its data live as long as the run, whatever is stopped or killed.
#
#   kafka_topic NAME [PARTITIONS]              make it, wait until it has leaders
#   kafka_add_partitions NAME TOTAL            kafka_delete_topic NAME
#   kafka_produce NAME [KCAT OPTION...]        standard input: an event a line
#   kafka_produce_json NAME [commit|abort]     standard input: a JSON object a line, {"value", "value_base64", "key",
#                                              "partition", "timestamp" (ms), "headers"}; in one transaction
#   kafka_offsets NAME                         lines "partition low high"; kafka_events NAME: how many were ever sent
#   kafka_expire NAME PARTITION OFFSET         delete what is before it
#   kafka_forbid NAME                          for the users of Event Hubs' listener; kafka_allow NAME
#   kafka_login KEY=VALUE...                   "ok", or what a client with these settings complains of
#   kafka_stop   kafka_kill   kafka_restart [PROPERTY...]    with these lines in server.properties this time
# shellcheck shell=bash

KAFKA_CLUSTER=bWxfc2NvcmVfdGVzdHMxMg
KAFKA_AUDIENCE=https://tests.servicebus.windows.net
KAFKA_ISSUER=https://sts.windows.net/tests/

# need_kafka: $CACHE/kafka with the broker's jars, a formatted data directory and an archive of loaded classes.
need_kafka() {
	need_packages maven default-jre-headless kcat openssl
	need_venv kafka
	exclusively kafka fetch_kafka
}

fetch_kafka() {
	local pins=$ROOT/tests/peers/kafka to=$CACHE/kafka sum
	sum="$(cat "$pins"/* | cksum) $(java -version 2>&1 | cksum)"
	[ "$(cat "$to/sum" 2>/dev/null)" = "$sum" ] && return 0
	step "fetching Kafka"
	rm -rf "$to"
	mkdir -p "$to"
	run_logged "$WORK/kafka.log" mvn -q -B -f "$pins/pom.xml" -Dmaven.repo.local="$CACHE/maven" dependency:copy-dependencies \
		-DincludeScope=runtime -DoutputDirectory="$to/libs"
	prepare_kafka "$to"
	echo "$sum" >"$to/sum"
}

# prepare_kafka DIR: format its data directory, then run once and keep what classes were loaded, which halves a start.
prepare_kafka() {
	local dir=$1 port pid
	port=$(free_port)
	kafka_java
	kafka_properties "$dir/formatted" "PLAIN://127.0.0.1:$port" "PLAIN://127.0.0.1:$port" >"$dir/properties"
	run_logged "$WORK/kafka.log" "${KAFKA_JAVA[@]}" kafka.tools.StorageTool format -t $KAFKA_CLUSTER -c "$dir/properties"
	cp -a "$dir/formatted" "$dir/first"
	sed -i "s#$dir/formatted#$dir/first#" "$dir/properties"
	"${KAFKA_JAVA[@]}" -XX:ArchiveClassesAtExit="$dir/classes.jsa" kafka.Kafka "$dir/properties" >"$WORK/kafka.log" 2>&1 &
	pid=$!
	kafka_answers "127.0.0.1:$port" $pid || die "Kafka did not start: see $WORK/kafka.log"
	kill -TERM $pid
	wait $pid || true
	[ -s "$dir/classes.jsa" ] || die "Kafka left no archive of classes: see $WORK/kafka.log"
	rm -rf "$dir/first"
}

# kafka_java [JVM OPTION...]: set the command KAFKA_JAVA, to which a class and its arguments are added.
kafka_java() {
	KAFKA_JAVA=(java -Xms96m -Xmx256m -XX:+UseSerialGC "$@" -Dlog4j2.configurationFile="$ROOT/tests/peers/kafka/log4j2.properties"
		-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls="file://$RUN/tokens/jwks.json" -cp "$CACHE/kafka/libs/*")
}

# kafka_properties DATA LISTENERS ADVERTISED: a small broker that is its own controller.
kafka_properties() {
	local controller
	controller=127.0.0.1:$(free_port)
	cat <<-EOF
		process.roles=broker,controller
		node.id=1
		controller.quorum.voters=1@$controller
		controller.listener.names=CONTROLLER
		inter.broker.listener.name=PLAIN
		listeners=$2,CONTROLLER://$controller
		advertised.listeners=$3
		listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAIN:PLAINTEXT,TLS:SSL,EVENTHUBS:SASL_SSL,PROXIED:PLAINTEXT,EVENTHUBSPROXIED:SASL_SSL
		broker.heartbeat.interval.ms=500
		broker.session.timeout.ms=3000
		log.dirs=$1
		log.retention.ms=-1
		num.network.threads=2
		num.io.threads=4
		background.threads=2
		num.recovery.threads.per.data.dir=1
		log.cleaner.threads=1
		log.cleaner.dedupe.buffer.size=2097152
		log.index.size.max.bytes=1048576
		file.delete.delay.ms=1000
		auto.create.topics.enable=false
		message.max.bytes=1048576
		connections.max.idle.ms=240000
		group.initial.rebalance.delay.ms=0
		offsets.topic.num.partitions=1
		offsets.topic.replication.factor=1
		transaction.state.log.num.partitions=1
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
		authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
		allow.everyone.if.no.acl.found=true
		super.users=User:ANONYMOUS
	EOF
}

# kafka_security LISTENER: what Event Hubs asks of its clients, for this listener (lower case).
kafka_security() {
	local name=listener.name.$1
	cat <<-EOF
		$name.sasl.enabled.mechanisms=PLAIN,OAUTHBEARER
		$name.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_\$ConnectionString="$KAFKA_CONNECTION_STRING";
		$name.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;
		$name.oauthbearer.sasl.server.callback.handler.class=org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler
		$name.oauthbearer.sasl.oauthbearer.jwt.validator.class=org.apache.kafka.common.security.oauthbearer.BrokerJwtValidator
		$name.oauthbearer.sasl.oauthbearer.jwks.endpoint.url=file://$RUN/tokens/jwks.json
		$name.oauthbearer.sasl.oauthbearer.expected.audience=$KAFKA_AUDIENCE,https://localhost,https://127.0.0.1
		$name.oauthbearer.sasl.oauthbearer.expected.issuer=$KAFKA_ISSUER
		$name.oauthbearer.sasl.oauthbearer.sub.claim.name=oid
	EOF
}

# configure_kafka: once a run: ports, keys, certificates, an empty data directory.
configure_kafka() {
	local dir=$RUN/kafka name listeners="" advertised="" port
	[ -f "$dir/settings" ] && return 0
	need_certificates
	need_token_key
	mkdir -p "$dir"
	cp -a "$CACHE/kafka/formatted" "$dir/logs"
	{
		echo "KAFKA_CA=$RUN/tls/ca.crt"
		echo "KAFKA_CONNECTION_STRING='Endpoint=sb://localhost/;SharedAccessKeyName=tests;SharedAccessKey=$(openssl rand -base64 32)'"
		for name in PLAIN TLS EVENTHUBS PROXIED EVENTHUBS_PROXIED; do echo "KAFKA_$name=127.0.0.1:$(free_port)"; done
		for name in PROXIED EVENTHUBS_PROXIED; do echo "KAFKA_BEHIND_$name=127.0.0.1:$(free_port)"; done
	} >"$dir/settings"
	. "$dir/settings"
	{
		kafka_properties "$dir/logs" \
			"PLAIN://$KAFKA_PLAIN,TLS://$KAFKA_TLS,EVENTHUBS://$KAFKA_EVENTHUBS,PROXIED://$KAFKA_BEHIND_PROXIED,EVENTHUBSPROXIED://$KAFKA_BEHIND_EVENTHUBS_PROXIED" \
			"PLAIN://$KAFKA_PLAIN,TLS://$KAFKA_TLS,EVENTHUBS://$KAFKA_EVENTHUBS,PROXIED://$KAFKA_PROXIED,EVENTHUBSPROXIED://$KAFKA_EVENTHUBS_PROXIED"
		echo "ssl.keystore.type=PEM"
		echo "ssl.keystore.location=$RUN/tls/server.pem"
		kafka_security eventhubs
		kafka_security eventhubsproxied
	} >"$dir/server.properties"
}

# start_kafka [PROPERTY...]: launched by need_peer and kafka_restart.
start_kafka() {
	local port
	need_kafka
	configure_kafka
	. "$RUN/kafka/settings"
	kafka_java -XX:SharedArchiveFile="$CACHE/kafka/classes.jsa"
	{
		cat "$RUN/kafka/server.properties"
		printf '%s\n' "$@"
	} >"$RUN/kafka/now.properties"
	start_peer kafka "${KAFKA_PLAIN#*:}" "${KAFKA_JAVA[@]}" kafka.Kafka "$RUN/kafka/now.properties"
}

# kafka_healthy: it answers; its settings are known here.
kafka_healthy() {
	. "$RUN/kafka/settings"
	kafka_answers "$KAFKA_PLAIN" "$(cat "$RUN/peers/kafka.pid")"
}

# kafka_answers HOST:PORT PID: wait until the broker there tells of itself.
kafka_answers() {
	local i
	for ((i = 0; i < 300; i++)); do
		if kcat -L -m 2 -b "$1" 2>/dev/null | grep -q '^ 1 brokers'; then return 0; fi
		kill -0 "$2" 2>/dev/null || return 1
		sleep 0.2
	done
	return 1
}

kafka_client() {
	"$CACHE/venv-kafka/bin/python" "$ROOT/tests/peers/kafka_client.py" "$KAFKA_PLAIN" "$@"
}

kafka_topic() {
	kafka_client topic "$1" "${2:-1}"
}

kafka_login() {
	kafka_client login "$@"
}

kafka_add_partitions() {
	kafka_client partitions "$1" "$2"
}

kafka_delete_topic() {
	kafka_client delete "$1"
}

kafka_produce() {
	local topic=$1
	shift
	kcat -P -b "$KAFKA_PLAIN" -t "$topic" "$@"
}

kafka_produce_json() {
	kafka_client produce "$@"
}

kafka_offsets() {
	kafka_client offsets "$1"
}

kafka_events() {
	kafka_offsets "$1" | awk '{ n += $3 } END { print n }'
}

kafka_expire() {
	kafka_client expire "$1" "$2" "$3"
}

kafka_forbid() {
	kafka_client forbid "$1"
}

kafka_allow() {
	kafka_client allow "$1"
}

# kafka_token [CLAIM=VALUE...]: a bearer token; claims are added or replaced.
kafka_token() {
	signed_token aud="$KAFKA_AUDIENCE" iss="$KAFKA_ISSUER" oid=tests "$@"
}

kafka_stop() {
	end_peers kafka
}

kafka_kill() {
	local pid
	pid=$(cat "$RUN/peers/kafka.pid")
	kill -KILL "$pid"
	while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
}

kafka_restart() {
	kafka_stop
	start_kafka "$@"
	wait_healthy kafka
}
