#!/bin/bash
# ml_score.report: a page that stands alone, says what the views say, and shows it in a browser.
# Version: 16, the page is the same on every version
. "$(dirname "$0")/../lib/tap.sh"
need_chromium
dir=$RUN/report
mkdir -p "$dir"

# page NAME [ARGUMENTS]: the report as $dir/NAME.html.
page() {
	"$PGBIN/psql" -XAtc "SELECT ml_score.report(${2:-})" >"$dir/$1.html"
}

# look WHAT FILE [ARGUMENT...]: see report_page.py.
look() {
	/usr/bin/python3 "$ROOT/tests/e2e/report_page.py" "$1" "$dir/$2" "${@:3}" 2>&1
}

# browse NAME [FLAG...]: the browser opens $dir/NAME.html; what it says is in $dir/NAME.log, what it asks for in $dir/NAME.net.
browse() {
	local name=$1
	shift
	as_server timeout 60 chromium-headless-shell --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$dir/profile" --enable-logging=stderr \
		--log-net-log="$dir/$name.net" "$@" "file://$dir/$name.html" 2>"$dir/$name.log"
}

page empty
like "$(look section empty.html endpoints)" "No endpoint that you may see was asked" "an empty database has a page"
like "$(cat "$dir/empty.html")" "There is nothing to show yet" "that says so"
is "$(look text empty.html)" ok "it is well-formed, ASCII, self-contained and accessible"

# The same page whatever the database's encoding and the client's; bytes that are no text in an encoding do no harm.
for encoding in LATIN1 SQL_ASCII; do
	sql "CREATE DATABASE report_$encoding ENCODING $encoding TEMPLATE template0 LOCALE 'C'"
	PGDATABASE=report_${encoding,,} sql "CREATE EXTENSION ml_score"
	PGDATABASE=report_${encoding,,} PGCLIENTENCODING=SQL_ASCII page $encoding "title => convert_from('\\xe9e282ac'::bytea, 'SQL_ASCII')"
	is "$(look text $encoding.html)" ok "in a database in $encoding"
	sql "DROP DATABASE report_$encoding WITH (FORCE)"
done
like "$(cat "$dir/LATIN1.html")" '<h1>&#233;&#226;&#65533;&#172;</h1>' "its characters are those that they are there"
like "$(cat "$dir/SQL_ASCII.html")" '<h1>&#65533;&#8364;</h1>' "or read as UTF-8"

# Something of everything. Names and errors are hostile.
fast_function f "/tag/report/latency/3ms"
diamonds_table 4000
evil='<script>alert("1")</script>'
sql <<-END
	SET client_min_messages = error;
	SELECT count(f($DIAMOND)) FROM diamonds;
	ALTER SERVER f OPTIONS (ADD deployment 'blue');
	SELECT count(f($DIAMOND)) FROM diamonds WHERE id <= 100;
	ALTER SERVER f OPTIONS (DROP deployment);
	CREATE SERVER "${evil//\"/\"\"}" TYPE 'online' FOREIGN DATA WRAPPER ml_score OPTIONS (url '$(peer_url fast)/cap/0/reject/x/score', auth 'none', on_error 'null', max_attempts '1');
	CREATE FUNCTION evil(t text) RETURNS float8 LANGUAGE ml_score STABLE COST 10000 AS \$\$$evil\$\$;
	SELECT count(evil('x')) FROM generate_series(1, 3) i;
	INSERT INTO ml_score.batch_job (id, owner, server, state, key, send_key, format, rows_per_file, gzip, result_format, on_missing, on_error, retain,
		submitted_at, exported_at, invoked_at, ended_at, downloaded_at, completed_at, rows_out, rows_in, missing, error, request_id, folder, folders, search_path, time_zone)
	SELECT id, 'postgres', server, state, '{}', false, 'csv', 1, false, 'auto', 'record', 'fail', 'none', now() + s, now() + e, now() + i, now() + r, now() + d, now() + c,
		rows_out, rows_in, missing, error, gen_random_uuid(), '', '{}', '', '' FROM (VALUES
		(1, 'price_batch', 'completed', interval '-5 h', interval '-4.9 h', interval '-4.85 h', interval '-3.6 h', interval '-3.5 h', interval '-3.3 h', 53940, 53940, 0, NULL),
		(2, 'price_batch', 'failed', '-4 h', '-3.9 h', '-3.85 h', NULL, NULL, '-2.7 h', 53940, NULL, NULL, '</td><img src="http://127.0.0.1:9/x" onerror="alert(1)"> quota "exceeded" & more'),
		(3, 'retrain', 'completed', '-2 h', NULL, '-1.95 h', '-0.6 h', '-0.55 h', '-0.5 h', NULL, NULL, NULL, NULL),
		(4, 'old', 'completed', '-30 d', NULL, NULL, NULL, NULL, '-29 d', NULL, NULL, NULL, NULL)) v(id, server, state, s, e, i, r, d, c, rows_out, rows_in, missing, error);
	CREATE TABLE measured AS SELECT 'f'::text AS function, * FROM ml_score.profile('f', 'SELECT * FROM diamonds', '{20,100,500}', '{1,4}');
END
sql <<-END >/dev/null
	CREATE TABLE scored AS SELECT now() - (4000 - id) * interval '2 min' AS at, carat * CASE WHEN id > 2500 THEN 1.4 ELSE 1 END AS carat, cut, price FROM diamonds;
	SELECT ml_score.create_monitor('carats', current => 'SELECT at, carat, cut FROM scored', time_column => 'at', window_size => '18 hours');
	SELECT ml_score.create_monitor('prices', current => 'SELECT at, price FROM scored', baseline => 'SELECT price FROM diamonds', time_column => 'at', window_size => '12 hours');
	SELECT ml_score.run_monitor(m, now() - i * interval '8 hours') FROM unnest('{carats,prices}'::text[]) m, generate_series(11, 0, -1) i;
END
need_peer kafka
kafka_topic report 2
seq 1 500 | sed 's/.*/{"id": &}/' | kafka_produce report
sql <<-END
	CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers '$KAFKA_PLAIN', security_protocol 'plaintext', auth 'none');
	CREATE TABLE reading (id int);
	SELECT ml_score.create_stream('readings', server => 'hub', topic => 'report', target => 'reading');
END
wait_until 60 "SELECT count(*) = 500 FROM reading"
is $? 0 "a stream has stored its events"
sql_background lock "BEGIN; LOCK TABLE reading IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(120)"
seq 1 300 | sed 's/.*/{"id": &}/' | kafka_produce report
wait_until 60 "SELECT sum(lag) = 300 FROM ml_score.stat_stream"
is $? 0 "and then is behind, because its table is locked"

arguments="baseline => 'SELECT carat, cut, price, date ''2026-01-01'' + id AS day FROM diamonds WHERE id <= 2000', current => 'SELECT carat * 1.4 AS carat, cut, price, date ''2026-01-01'' + id AS day FROM diamonds WHERE id > 2000',
	profile => 'TABLE measured'"
page full "$arguments"
kill "$(cat "$RUN/$TEST_NAME.lock.pid")"
is "$(look text full.html)" ok "a page of everything is well-formed, ASCII, self-contained and accessible"
like "$(look section full.html endpoints)" "\\|f\\|closed\\|0\\|$(sql "SELECT to_char(requests, 'FM999,999') FROM ml_score.stat_endpoint WHERE server = 'f' AND deployment IS NULL")\\|" "endpoints: attempts as the view has them"
like "$(look section full.html endpoints)" '\|f / blue\|closed\|' "a line for each deployment"
like "$(look section full.html endpoints)" '<script>alert\("1"\)</script>\|0\|0\|1\|.*refused the request \(HTTP status 400\)' "errors, of a server whose name is hostile"
like "$(look section full.html streams)" 'readings\|300 events\|' "streams: lag"
like "$(look section full.html jobs)" '\|3 retrain\|completed, 1 h 30 min\|' "jobs: how long they took"
like "$(look section full.html jobs)" 'run in Azure: 1 h 15 min' "and their phases"
like "$(look section full.html jobs)" '</td><img src="http://127.0.0.1:9/x" onerror="alert\(1\)"> quota "exceeded" & more' "and errors, whatever stands in them"
unlike "$(look section full.html jobs)" '\|4 old' "jobs from before are left out"
like "$(look section full.html monitors)" "\\|carats\\|by hand\\|data_drift\\|$(sql "SELECT CASE WHEN breached THEN 'breached' ELSE 'well' END FROM ml_score.monitor_status WHERE monitor = 'carats' AND signal = 'data_drift'")\\|" "monitors: each signal"
is "$(look section full.html monitors | grep -o 'carats, 20[0-9: -]*: [0-9]* % of the threshold' | wc -l)" "$(sql "SELECT count(DISTINCT run) FROM ml_score.monitor_result WHERE monitor = 'carats' AND threshold IS NOT NULL AND value IS NOT NULL")" "and each run"
like "$(look section full.html drift)" '\|Ideal\|[0-9.]+ %, now [0-9.]+ %\|' "drift: shares of a category"
like "$(look section full.html drift)" "\\|day\\|2,000\\|2,000\\|$(sql "SELECT round(population_stability_index::numeric, 1) FROM ml_score.drift('SELECT id AS day FROM diamonds WHERE id <= 2000', 'SELECT id AS day FROM diamonds WHERE id > 2000')")\\|" "and figures as ml_score.drift has them"
like "$(look section full.html profile)" "\\|100\\|4\\|$(sql "SELECT to_char(rows_per_second, 'FM999,999,999') FROM measured WHERE batch_rows = 100 AND parallel = 4")\\|" "profile: rows a second"
page again "$arguments, title => 'Twice'"
is "$(diff <(sed 's/[0-9][0-9.:-]*//g; s/ml_score in report/Twice/g' "$dir/full.html") <(sed 's/[0-9][0-9.:-]*//g' "$dir/again.html") | grep -c '^[<>] *<section')" 0 "made again, its layout is the same"

# In a browser. First that the test would see it: a page that asks for something, and complains.
echo '<!DOCTYPE html><title>t</title><img src="http://127.0.0.1:9/picture"><script>console.error("oops")</script>' >"$dir/control.html"
chmod 755 "$dir" && chown "$SERVER_USER" "$dir" 2>/dev/null
browse control --dump-dom >/dev/null
is "$(look requests control.net)|$(grep -c CONSOLE "$dir/control.log")" "http://127.0.0.1:9/picture|1" "the browser tells what is loaded, and what a script says"
browse full --dump-dom >"$dir/full.dom"
is "$(look requests full.net)|$(grep -c CONSOLE "$dir/full.log")" "|0" "the page loads nothing and complains of nothing"
unlike "$(cat "$dir/full.dom")" '<script|<img' "nothing in it became an element"
like "$(cat "$dir/full.dom")" '&lt;script&gt;alert\("1"\)&lt;/script&gt;' "the name is text"

# picture NAME WIDTH HEIGHT COLOURS [FLAG...]: the numbers of report_page.py's picture.
picture() {
	browse full --window-size="$2,$3" --screenshot="$dir/$1.png" "${@:5}"
	# shellcheck disable=SC2086
	look picture "$1.png" $4
}

# the page's ground, its cards, blue (current values, runs), green (export, watermark), and what is drawn over the right edge
read -r ground cards blue green edge colours <<<"$(picture desktop 1280 2200 "f4f6f8 ffffff 1f5fbf 0f8a7e right:f4f6f8")"
cmp_ok "$ground" '>' 300000 "a picture of it: the ground"
cmp_ok "$cards" '>' 500000 "cards on it"
cmp_ok "$blue" '>' 10000 "charts have ink"
cmp_ok "$green" '>' 150 "of more than one colour"
cmp_ok "$colours" '>' 200 "and text"
is "$edge" 0 "nothing runs out at the right"
read -r ground cards blue green edge colours <<<"$(picture phone 390 5000 "f4f6f8 ffffff 1f5fbf 0f8a7e right:f4f6f8")"
cmp_ok "$blue" '>' 10000 "on a phone there are charts as well"
is "$edge" 0 "and nothing runs out at the right"
read -r ground cards light colours <<<"$(picture dark 1280 1500 "0e1318 171e25 ffffff" --blink-settings=preferredColorScheme=0)"
cmp_ok "$ground" '>' 300000 "in the dark it is dark"
cmp_ok "$cards" '>' 500000 "all of it"
cmp_ok "$light" '<' 1000 "nothing is left white"
browse full --print-to-pdf="$dir/full.pdf" --no-pdf-header-footer
cmp_ok "$(grep -ac '/Type /Page$' "$dir/full.pdf")" '>=' 2 "it prints on more than one page"
done_testing
