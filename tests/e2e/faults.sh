#!/bin/bash
# Every fault of the wire and every refusal has a defined outcome: SQLSTATE, the server's name, a hint; attempts counted.
. "$(dirname "$0")/../lib/tap.sh"
need_peer fault_server
peer=$(peer_url fault_server)
sql <<-EOF
	CREATE SERVER faulty TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$peer/fault/ok/score', auth 'key', request_format 'records',
		timeout '2s', max_attempts '3', retry_base_delay '5ms', retry_max_delay '20ms');
	CREATE USER MAPPING FOR PUBLIC SERVER faulty OPTIONS (key 'k3y-that-must-not-show');
	CREATE FUNCTION f(k int) RETURNS float8 LANGUAGE ml_score STABLE COST 10000 AS 'faulty';
EOF

# at PATH [BASE]: point the server there. The version keeps the peer's counts apart.
at() {
	TARGET="/fault/$1$([[ $1 == *\?* ]] && echo '&' || echo '?')pg=$PGVER"
	sql "ALTER SERVER faulty OPTIONS (SET url '${2:-$peer}$TARGET')"
}

# seen FIGURE: what the peer counted there: requests, connections.
seen() {
	curl -s "$peer/stats" | /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin).get(sys.argv[1], {}).get(sys.argv[2], 0))' "$TARGET" "$1"
}

# fails PATH SQLSTATE PATTERN [ATTEMPTS]: one row there fails so, with server, hint and no secret, after so many attempts.
fails() {
	local out
	at "$1"
	out=$(sql_error "SELECT f(1)" | tr '\n' ' ')
	like "$out" "ERROR:  $2: .*$3" "$1: $2 $3"
	like "$out" "faulty.*HINT:" "$1: names the server and has a hint"
	unlike "$out" "k3y-that" "$1: shows no secret"
	[ -z "${4:-}" ] || is "$(seen requests)" "$4" "$1: attempts"
}

fails status-400/score 38000 "refused the request" 1
at status-400/score
warnings=$(sql "SET ml_score.on_error = 'null'; SELECT count(f(k)) FROM generate_series(1, 3) k" 2>&1 | tr '\n' ' ')
like "$warnings" "gave NULL for 3 rows.*First reason: .*refused the request: HTTP status 400" "a WARNING counts the rows that failed, and has the answer"
warnings=$(sql "SET ml_score.on_error = 'null'; DO 'BEGIN FOR k IN 1..3 LOOP PERFORM f(k); END LOOP; END'" 2>&1 | tr '\n' ' ')
like "$warnings" "gave NULL for a row.*Reason: .*HTTP status 400" "one row a request: at the first, without a number"
fails status-401/score 28000 "did not accept the credential" 1
sql "ALTER SERVER faulty OPTIONS (SET auth 'none')"
fails status-401/score 28000 "requires a credential, but none was sent.*HINT:.*auth to key"
sql "ALTER SERVER faulty OPTIONS (SET auth 'key')"
fails status-403/score 28000 "denied access" 1
fails status-404/score 42704 "no such endpoint or deployment" 1
fails status-408/score 08006 "did not answer in time" 2
fails status-409/score 55000 "busy" 1
fails status-413/score 54000 "too large" 1
fails wrapped-400/score 38000 "refused the request.*424 .the model's: 400" 1
fails wrapped-503/score 08006 "not available" 3
fails wrapped-429/score 08006 "too many" 3
fails status-429/score 08006 "too many" 3
fails status-500/score 38000 "refused the request.*after 3 attempts" 3
fails "status-500/score?run_failed=True" 38000 "refused the request" 1
fails status-502/score 08006 "not available" 3
fails status-503/score 08006 "not available" 3
fails status-504/score 08006 "not available" 3
fails "redirect/score?to=http://elsewhere.example/x%3Fs=1" 08P01 "redirects.*elsewhere.example" 1
unlike "$(sql_error "SELECT f(1)")" "x.s=1" "a redirect's path and query do not show"
fails echo/score 38000 "authorization.*Bearer [*]+" 1
fails garbage/score 08P01 "malformed HTTP" 3
fails cut-headers/score 08006 "closed the connection"
fails cut-body/score 08006 "closed the connection"
fails no-answer/score 08006 "closed the connection"
fails reset/score 08006 "closed the connection"
fails endless-headers/score 08P01 "malformed HTTP.*headers do not end" 3
fails endless-line/score 08P01 "malformed HTTP.*headers do not end" 3
fails slow/score 08006 "did not answer in time" 2
fails endless/score 08006 "did not answer in time" 2
fails huge/score 54000 "too large.*max_response_size" 1
for body in html not-json invalid-utf8 empty few many; do fails $body/score "08P01|22[0-9A-Z]{3}" "" 1; done

at "status-503/score?times=2&a=1"
is "$(sql "SELECT f(1)")" 0 "what comes back within the attempts is scored"
is "$(seen requests)" 3 "after as many retries"
for asked in retry_after=1 date=2 retry_after_ms=1000 x_ms_retry_after_ms=1000; do
	at "status-429/score?times=1&$asked"
	start=$(now_ms)
	is "$(sql "SELECT f(1)")" 0 "429 with $asked is retried"
	took=$(($(now_ms) - start))
	cmp_ok $took '>=' 900 "not before the time"
	cmp_ok $took '<' 10000 "and soon after it"
done

# Connections: kept, or replaced without a word when the peer had closed them.
three="SELECT f(1); SELECT pg_sleep(0.1); SELECT f(2); SELECT pg_sleep(0.1); SELECT f(3)"
at ok/score
is "$(sql "$three" | tr -d '\n')" 000 "three statements"
is "$(seen connections)" 1 "go over one connection"
for kind in close stale; do
	at $kind/score
	is "$(sql "$three" | tr -d '\n')" 000 "three statements against a peer that says $kind"
	is "$(seen requests)|$(seen connections)" "3|3" "take a connection each, and no request twice"
done

# What the input function of the result's type refuses.
sql "CREATE FUNCTION stamp(k int) RETURNS timestamp LANGUAGE ml_score STABLE COST 10000 AS 'faulty'"
at "status-200/score?body=%5B%22soon%22%5D"
like "$(sql_error "SELECT stamp(1)" | tr '\n' ' ')" "08P01: could not use the reply of server \"faulty\".*soon.*HINT" "text that is no timestamp"
is "$(sql "SET ml_score.on_error = 'null'; SELECT coalesce(stamp(1)::text, 'none')" 2>/dev/null)" none "and with on_error null a NULL"

# Nobody listens there: the breaker opens, and says so.
at ok/score "http://127.0.0.1:$(free_port)"
like "$(sql_error "SET ml_score.on_error = 'null'; SELECT f(1)" | tr '\n' ' ')" "could not connect.*HINT: .*asked for its swagger.*on_error does not apply" \
	"on_error null does not help where the swagger is missing, and the hint says so"
for i in 1 2 3 4; do like "$(sql_error "SELECT f($i)")" "08006: could not connect to server \"faulty\"" "nobody listens, statement $i"; done
like "$(sql_error "SELECT f(1)" | tr '\n' ' ')" "08006.*not asked for now.*tried again in [0-9]+ seconds.*could not connect" "then the breaker is open"
is "$(sql "SELECT breaker FROM ml_score.stat_endpoint WHERE server = 'faulty'")" open "and shows"
at ok/score
is "$(sql "SELECT f(1)")" 0 "another URL starts afresh"
sql "ALTER SERVER faulty OPTIONS (ADD swagger_url '$peer/no-document')"
at ok/score "http://localhost:$(free_port)"
for i in 1 2 3 4 5; do sql_error "SELECT f($i)" >/dev/null; done
like "$(sql_error "SELECT f(1)" | tr '\n' ' ')" "not asked for now" "the breaker does not mind that another host gives the swagger"
sql "ALTER SERVER faulty OPTIONS (DROP swagger_url)"
at ok/score
at ok/score https://no-such-host.invalid
like "$(sql_error "SELECT f(1)")" "08006: could not resolve the host of server \"faulty\"" "an unknown host"
for address in 169.254.169.254 2852039166 169.254.170.2 168.63.129.16 '[::ffff:169.254.169.254]' '[::169.254.169.254]' \
	'[64:ff9b::a9fe:a9fe]' '[2002:a9fe:a9fe::1]' '[fd00:ec2::254]' '[fe80::1]'; do
	sql "ALTER SERVER faulty OPTIONS (SET url 'https://$address/score')"
	like "$(sql_error "SELECT f(1)")" "08006: requests to the address of server \"faulty\" are not allowed" "no request goes to $address"
done

# A peer that repeats the credential in its reply, wherever.
key=k3y-that-must-not-show
fails "status-400/score?body=$(printf '%%0A%.0s' $(seq 501))$key$(printf 'x%.0s' $(seq 100))" 38000 "refused the request" 1
fails "status-400/score?request_id=$key" 38000 "refused the request" 1
fails "wrapped-400/score?reason=$key" 38000 "refused the request" 1
fails "redirect/score?to=https://$key.example/" 08P01 "redirects" 1
fails "status-200/score?body=%22$key%22" 08P01 "not a value of type" 1
fails "status-200/score?body=%7B%22$key%22:1,%22b$key%22:2%7D" 08P01 "could not use the reply" 1
fails "status-200/score?body=$key" 08P01 "not JSON" 1
sql "ALTER USER MAPPING FOR PUBLIC SERVER faulty OPTIONS (SET key 'k3y-that \"must\\not show ')"
fails "echo/score?blanks" 38000 "refused the request" 1
unlike "$(sql_error "SELECT f(1)")" "not show" "nor what is behind the blanks in it"
sql "ALTER USER MAPPING FOR PUBLIC SERVER faulty OPTIONS (SET key '$key')"

# The log: a line an attempt, without payload, credential or query.
server_log_mark
at "ok/score?secret=in-the-query"
sql "SET ml_score.log_requests = 'all'; SELECT f(4711)" >/dev/null
line=$(server_log | grep "ml_score request.* 1 rows")
like "$line" "server \"faulty\", 1 rows, [0-9]+ bytes out, [0-9]+ bytes in, status 200, attempt 1, [0-9.]+ ms, request id fault-server" \
	"log_requests all: a line"
unlike "$line" "4711|k3y-that|in-the-query" "without payload, credential or query"
server_log_mark
at "status-503/score?times=1&logged"
sql "SET ml_score.log_requests = 'failed'; SELECT f(1)" >/dev/null
is "$(server_log | grep -c "ml_score request.* 1 rows")" 1 "log_requests failed: the failed attempt only"

# TLS: of an authority we do not know, trusted, of another host, expired, not TLS at all.
tls=$RUN/$TEST_NAME.$PGVER.tls
mkdir -p "$tls/new"
(
	set -e
	cd "$tls"
	: >index.txt
	printf '[ca]\ndefault_ca=d\n[d]\nnew_certs_dir=new\ndatabase=index.txt\nserial=serial\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n' >ca.cnf
	openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 2 -subj "/CN=ml_score test"
	for cert in good:IP:127.0.0.1:491231235959Z wrong:DNS:other.example:491231235959Z expired:IP:127.0.0.1:200102000000Z; do
		IFS=: read -r name kind host end <<<"$cert"
		openssl req -newkey rsa:2048 -nodes -keyout "$name.key" -out "$name.csr" -subj "/CN=$name"
		openssl ca -batch -create_serial -config ca.cnf -cert ca.crt -keyfile ca.key -in "$name.csr" -out "$name.crt" -notext \
			-startdate 200101000000Z -enddate "$end" -extfile <(echo "subjectAltName=$kind:$host")
	done
	chmod 644 ca.crt
) >"$tls/log" 2>&1 || die "could not make certificates: $(tail -n 3 "$tls/log")"
for name in good wrong expired; do
	port=$(free_port)
	start_peer "tls_$name" "$port" /usr/bin/python3 "$ROOT/tests/peers/fault_server.py" --port "$port" --cert "$tls/$name.crt" --key "$tls/$name.key"
	for _ in $(seq 100); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break || sleep 0.1; done
done
tls_at() {
	sql "ALTER SERVER faulty OPTIONS (SET url 'https://127.0.0.1:$(cat "$RUN/peers/$1.port")/fault/ok/score')"
}
untrusted="08006: could not verify the certificate of server \"faulty\""
tls_at tls_good
like "$(sql_error "SELECT f(1)")" "$untrusted" "a certificate of an unknown authority"
sql "ALTER SERVER faulty OPTIONS (ADD ca_file '$tls/ca.crt')"
is "$(sql "SELECT f(1)")" 0 "with its authority in ca_file"
tls_at tls_wrong
like "$(sql_error "SELECT f(1)")" "$untrusted" "a certificate of another host"
tls_at tls_expired
like "$(sql_error "SELECT f(1)")" "$untrusted" "an expired certificate"
tls_at fault_server
like "$(sql_error "SELECT f(1)")" "08006: could not (establish TLS with|connect to) server \"faulty\"" "no TLS at all"
end_peers tls_good tls_wrong tls_expired
done_testing
