#!/bin/bash
# Drift: figures equal scipy's, in one pass within work_mem, in parallel, and against a frozen profile; the queries are the caller's.
. "$(dirname "$0")/../lib/tap.sh"

# The large comparison on one version: the arithmetic knows nothing of versions.
rows=30000
[ "$PGVER" != 16 ] || rows=1000000
need_venv scoring
python=$CACHE/venv-scoring/bin/python
dir=$RUN/drift-$PGVER
mkdir -p "$dir"
chmod 755 "$dir"
"$python" "$ROOT/tests/e2e/drift_data.py" "$dir" $rows
sql <<EOF
	CREATE TABLE data (dataset text, current boolean, number float8, word text);
	CREATE TABLE expected (dataset text, feature text, formulas text, psi float8, jsd float8, ks float8, ks_p float8, chi float8, chi_p float8,
		w float8, nw float8, baseline_null float8, null_rate float8, outside float8);
	\\copy data FROM '$dir/data.csv' (FORMAT csv)
	\\copy expected FROM '$dir/expected.csv' (FORMAT csv)
	CREATE INDEX ON data (dataset, current) WHERE dataset <> 'large';
	ANALYZE data;
	-- 1e-9 of the value; rounding alone moves what is next to nothing
	CREATE FUNCTION same(a float8, b float8) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS \$\$
		SELECT a IS NOT DISTINCT FROM b OR CASE WHEN abs(a) < 'Infinity' AND abs(b) < 'Infinity' THEN abs(a - b) <= 1e-9 * greatest(abs(a), abs(b)) + 1e-13 ELSE false END \$\$;
	CREATE FUNCTION side(dataset text, current boolean) RETURNS text LANGUAGE sql AS \$\$
		SELECT format('SELECT number, word FROM data WHERE dataset = %L%s AND current = %L', dataset, CASE WHEN dataset <> 'large' THEN ' AND dataset <> ''large''' END, current) \$\$;
	CREATE FUNCTION wrong(got regclass) RETURNS SETOF text LANGUAGE plpgsql AS \$\$ BEGIN RETURN QUERY EXECUTE format(
		'SELECT e::text || '' got '' || coalesce(g::text, ''nothing'') FROM expected e LEFT JOIN %s g USING (dataset, formulas, feature)
		WHERE NOT coalesce(same(psi, population_stability_index) AND same(jsd * jsd, jensen_shannon_distance * jensen_shannon_distance)
			AND same(ks, kolmogorov_smirnov_statistic) AND same(ks_p, kolmogorov_smirnov_p_value)
			AND same(chi, chi_squared_statistic) AND same(chi_p, chi_squared_p_value)
			AND same(w, wasserstein_distance) AND same(nw, normalized_wasserstein_distance)
			AND same(baseline_null, baseline_null_value_rate) AND same(null_rate, null_value_rate) AND same(outside, out_of_bounds_rate), false)', got);
	END \$\$;
	CREATE TABLE got AS SELECT e.dataset, e.formulas, d.* FROM (SELECT DISTINCT dataset, formulas FROM expected) e,
		LATERAL ml_score.drift(side(e.dataset, false), side(e.dataset, true), formulas => e.formulas) d;
EOF
cmp_ok "$(sql "SELECT count(DISTINCT dataset) FROM expected")" '>=' 50 "fifty data sets and more: ties, constants, NULLs, infinities, empty sides"
is "$(sql "SELECT wrong('got') LIMIT 5")" "" "every figure is scipy's to 1e-9, by Azure's formulas and by scipy's"
is "$(sql "SELECT count(*) FROM got WHERE dataset = 'large' AND baseline_rows = $rows AND current_rows = $rows")" 4 "$rows rows a side"

# Within the smallest work_mem: sorted runs in temporary files, merged more than once.
out=$(sql 2>&1 <<-EOF
	SET work_mem = '64kB'; SET log_temp_files = 0; SET client_min_messages = log;
	CREATE TABLE spilled AS SELECT 'large'::text AS dataset, 'azure'::text AS formulas, d.* FROM ml_score.drift(side('large', false), side('large', true)) d;
EOF
)
like "$out" "temporary file" "little work_mem: temporary files are used"
unlike "$out" "leak" "and closed"
is "$(sql "SELECT count(*) FROM spilled a JOIN got b USING (dataset, formulas, feature) WHERE a::text = b::text")" 2 "and the figures are the very same"
sql "CREATE TABLE many AS SELECT md5(i::text) AS id FROM generate_series(1, 20000) i, generate_series(1, 2)"
is "$(sql "SET work_mem = '64kB'; SELECT population_stability_index, jensen_shannon_distance, chi_squared_statistic, out_of_bounds_rate FROM ml_score.drift('SELECT id FROM many', 'SELECT id FROM many ORDER BY id DESC')")" \
	"0|0|0|0" "and so for categories"

# Aggregates: serial, in parallel, and the functions of distributions are drift's figures.
figures="ml_score.psi(number, current), ml_score.jensen_shannon_distance(number, current), ml_score.wasserstein_distance(number, current),
	ml_score.normalized_wasserstein_distance(number, current), ml_score.kolmogorov_smirnov_test(number, current), ml_score.out_of_bounds_rate(number, current),
	ml_score.psi(word, current), ml_score.jensen_shannon_distance(word, current), ml_score.chi_squared_test(word, current), ml_score.out_of_bounds_rate(word, current)"
parallel="SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 3;"
serial="SET max_parallel_workers_per_gather = 0;"
like "$(sql "$parallel EXPLAIN SELECT $figures FROM data")" "Partial Aggregate" "the aggregates are planned in parallel"
is "$(sql "$parallel SELECT $figures FROM data WHERE abs(number) < 1e10")" "$(sql "$serial SELECT $figures FROM data WHERE abs(number) < 1e10")" "and give the same as in one process"
is "$(sql "SELECT count(*) FROM (SELECT dataset, ml_score.psi(number, current) p, ml_score.jensen_shannon_distance(number, current) j, ml_score.wasserstein_distance(number, current) w,
		ml_score.normalized_wasserstein_distance(number, current) n, ml_score.kolmogorov_smirnov_test(number, current) k, ml_score.out_of_bounds_rate(number, current) o
		FROM data GROUP BY dataset) a JOIN got g USING (dataset) WHERE feature = 'number' AND formulas = 'azure'
	AND same(population_stability_index, p) AND same(jensen_shannon_distance, j) AND same(wasserstein_distance, w) AND same(normalized_wasserstein_distance, n)
	AND same((k).statistic, kolmogorov_smirnov_statistic) AND same((k).p_value, kolmogorov_smirnov_p_value) AND same(o, out_of_bounds_rate)")" \
	"$(sql "SELECT count(DISTINCT dataset) FROM data")" "by GROUP BY, those of drift"
is "$(sql "SELECT count(*) FROM (SELECT dataset, ml_score.distribution(word) FILTER (WHERE NOT current) b, ml_score.distribution(word) FILTER (WHERE current) c FROM data GROUP BY dataset) d
	JOIN got g USING (dataset) WHERE feature = 'word' AND formulas = 'scipy'
	AND same(population_stability_index, ml_score.psi(b, c, 'scipy')) AND same(jensen_shannon_distance, ml_score.jensen_shannon_distance(b, c, 'scipy'))
	AND same(chi_squared_statistic, (ml_score.chi_squared_test(b, c, 'scipy')).statistic) AND same(chi_squared_p_value, (ml_score.chi_squared_test(b, c, 'scipy')).p_value)")" \
	"$(sql "SELECT count(DISTINCT dataset) FROM data")" "and of distributions, by scipy's formulas"

# A frozen profile: the same figures without the rows, after dump and restore too.
sql "CREATE TABLE profile AS SELECT f.*, dataset FROM (SELECT DISTINCT dataset FROM expected) e, LATERAL ml_score.freeze(side(dataset, false)) f"
sql "DELETE FROM data WHERE NOT current"
sql "CREATE DATABASE thawed"
"$PGBIN/pg_dump" | PGDATABASE=thawed sql >/dev/null
is "$(PGDATABASE=thawed sql "CREATE TABLE again AS SELECT e.dataset, e.formulas, d.* FROM (SELECT DISTINCT dataset, formulas FROM expected) e,
	LATERAL ml_score.drift(format('SELECT feature, distribution FROM profile WHERE dataset = %L', dataset), side(e.dataset, true), formulas => e.formulas) d;
	SELECT count(*) FROM again; SELECT wrong('again') LIMIT 5")" "$(sql "SELECT count(*) FROM expected")" "against a frozen profile, dumped and restored: every figure is scipy's still"
sql "DROP DATABASE thawed"

# Dates are numbers, other types categories; what the baseline's type refuses is a type error.
sql "CREATE TABLE before AS SELECT i AS n, i % 2 = 0 AS flag, '2026-01-01'::date + i AS day, (ARRAY['a', 'b'])[i % 2 + 1]::char(3) AS code, 'infinity'::timestamptz AS forever FROM generate_series(1, 100) i;
	CREATE TABLE after AS SELECT CASE WHEN i <= 25 THEN 'n/a' ELSE i::text END AS n, CASE WHEN i <= 10 THEN 'maybe' ELSE 'yes' END AS flag, '2026-01-01'::timestamp + i * interval '1 day' AS day, 'a'::varchar AS code,
		'2026-01-01'::timestamptz AS forever FROM generate_series(1, 100) i"
is "$(sql "SELECT feature, kind, data_type_error_rate, out_of_bounds_rate, round(wasserstein_distance * 1000) / 1000 FROM ml_score.drift('SELECT * FROM before', 'SELECT * FROM after')" | tr '\n' ' ')" \
	"n|numerical|0.25|0|12.5 flag|categorical|0.1|0| day|numerical|0|0|0 code|categorical|0|0| forever|numerical|0|1|Infinity " "types: converted, or counted as type errors"
is "$(sql "SELECT feature, data_type_error_rate FROM ml_score.drift('SELECT * FROM ml_score.freeze(''SELECT n, flag FROM before'')', 'SELECT * FROM after')" | tr '\n' ' ')" "n|0.25 flag|0.1 " \
	"against a frozen profile too"

# Model performance, against scikit-learn.
"$python" - >"$dir/outcome.csv" <<-EOF
	import numpy as np
	rng = np.random.default_rng(1)
	for i in range(5000):
	    a = int(rng.integers(0, 4)); p = a if rng.random() < 0.7 else int(rng.integers(0, 6)); y = rng.normal() + 1e6
	    print(i, a, p, rng.integers(0, 50) / 50 + (a == 1) * 0.1, repr(float(y)), repr(float(y + rng.normal() / 3)), sep=",")
EOF
expected=$("$python" - "$dir/outcome.csv" <<-EOF
	import sys
	import numpy as np
	from sklearn import metrics as m
	_, a, p, s, y, z = np.loadtxt(sys.argv[1], delimiter=",").T
	a, p = a.astype(int), p.astype(int)
	every = dict(average="macro", zero_division=0)
	one = dict(labels=[1], average="macro")
	print(*map(repr, map(float, (m.accuracy_score(a, p), m.precision_score(a, p, **every), m.recall_score(a, p, **every), m.f1_score(a, p, **every),
	    m.precision_score(a, p, **one), m.recall_score(a, p, **one), m.f1_score(a, p, **one), m.roc_auc_score(a == 1, s),
	    m.mean_absolute_error(y, z), m.mean_squared_error(y, z), m.root_mean_squared_error(y, z), m.r2_score(y, z)))), sep=",")
EOF
)
sql <<-EOF
	CREATE TABLE prediction (id int, actual int, predicted int, score float8, y float8, z float8);
	\\copy prediction FROM '$dir/outcome.csv' (FORMAT csv)
	ANALYZE prediction;
EOF
performance="SELECT bool_and(same(g, e)) AND count(*) = 12 FROM (SELECT ARRAY[ml_score.accuracy(t.actual, p.predicted), ml_score.precision(t.actual, p.predicted),
	ml_score.recall(t.actual, p.predicted), ml_score.f1(t.actual, p.predicted), ml_score.precision(t.actual, p.predicted, 1), ml_score.recall(t.actual, p.predicted, 1),
	ml_score.f1(t.actual, p.predicted, 1), ml_score.auc(t.actual = 1, p.score), ml_score.mae(t.y, p.z), ml_score.mse(t.y, p.z), ml_score.rmse(t.y, p.z), ml_score.r2(t.y, p.z)] AS got
	FROM prediction p JOIN prediction t USING (id)) q, unnest(got, string_to_array('$expected', ',')::float8[]) u(g, e)"
is "$(sql "$performance")" t "performance over a join with the truth is scikit-learn's"
like "$(sql "$parallel EXPLAIN $performance")" "Partial Aggregate" "it is planned in parallel"
is "$(sql "$parallel $performance")" t "and is the same"

# Prediction drift: the queries may score.
need_peer fast
fast_function priced "/tag/drift$PGVER"
diamonds_table 400
is "$(sql "SELECT * FROM ml_score.drift('SELECT priced($DIAMOND) AS worth FROM diamonds WHERE id <= 300', 'SELECT priced($DIAMOND) AS worth FROM diamonds WHERE id > 200')")" \
	"$(sql "SELECT * FROM ml_score.drift('SELECT $FAST_SCORE AS worth FROM diamonds WHERE id <= 300', 'SELECT $FAST_SCORE AS worth FROM diamonds WHERE id > 200')")" "prediction drift: of scores, made on the way"
cmp_ok "$(stats_of "drift$PGVER" max_rows)" '>' 1 "in batches"

# The queries run as the caller, once, and write nothing.
sql "DROP ROLE IF EXISTS onlooker; CREATE ROLE onlooker LOGIN; CREATE TABLE secret (a int)" 2>/dev/null
like "$(PGUSER=onlooker sql_error "SELECT * FROM ml_score.drift('SELECT a FROM secret', 'SELECT 1 AS a')")" "42501.*permission denied for table secret" "the baseline query has the caller's privileges"
like "$(PGUSER=onlooker sql_error "SELECT * FROM ml_score.drift('SELECT 1 AS a', 'SELECT a FROM secret')")" "42501.*permission denied for table secret" "the current query too"
like "$(sql_error "SELECT * FROM ml_score.drift('WITH w AS (INSERT INTO secret VALUES (1) RETURNING a) SELECT a FROM w', 'SELECT 1 AS a')")" "0A000" "a query that writes is refused"
like "$(sql_error "SELECT * FROM ml_score.drift('SELECT 1 AS a; DROP TABLE secret', 'SELECT 1 AS a')")" "22023.*not a SELECT" "two statements are none"
is "$(sql "SELECT count(*) FROM secret")" 0 "nothing was written"
sql "CREATE SEQUENCE calls"
sql "SELECT * FROM ml_score.drift('SELECT nextval(''calls'') AS a FROM generate_series(1, 10)', 'SELECT nextval(''calls'') AS a FROM generate_series(1, 10)')" >/dev/null
is "$(sql "SELECT last_value FROM calls")" 20 "each query is run once"
start=$(now_ms)
like "$(sql_error "SET statement_timeout = '500ms'; SELECT * FROM ml_score.drift('SELECT i * 7919 % 100003 AS a FROM generate_series(1, 100000000::bigint) i', 'SELECT 1 AS a')")" "57014" "statement_timeout ends it"
like "$(sql_error "SET statement_timeout = '2s'; SELECT ml_score.kolmogorov_smirnov_test(a, b, 'exact') FROM (SELECT ml_score.distribution(i::float8) a FROM generate_series(1, 90000) i) a,
	(SELECT ml_score.distribution(i + 50000.5) b FROM generate_series(1, 60000) i) b")" "57014" "within a long exact p-value too"
cmp_ok $(($(now_ms) - start)) '<' 20000 "soon"
sql "DROP ROLE onlooker"
done_testing
