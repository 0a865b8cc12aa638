-- drift: figures that can be told by hand, and what is refused.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS ml_score;
RESET client_min_messages;
SET extra_float_digits = -3;
\set SHOW_CONTEXT never
\x on
SELECT * FROM ml_score.drift('SELECT g AS n, g % 2 = 0 AS flag FROM generate_series(1, 4) g',
    'SELECT g AS n, g = 1 AS flag FROM generate_series(2, 5) g UNION ALL SELECT NULL, NULL');
SELECT feature, chi_squared_statistic, chi_squared_p_value, jensen_shannon_distance, kolmogorov_smirnov_p_value
FROM ml_score.drift('SELECT g % 10 AS code, g AS n FROM generate_series(1, 100) g', 'SELECT g % 9 AS code, g AS n FROM generate_series(1, 90) g',
    categorical => '{code}', formulas => 'scipy', ks_method => 'asymptotic');
\x off
-- only what both have
SELECT feature FROM ml_score.drift('SELECT 1 AS a, 2 AS b, 3 AS c', 'SELECT 1 AS b, 2 AS d');
SELECT feature FROM ml_score.drift('SELECT 1 AS a', 'SELECT 1 AS b');
\echo :LAST_ERROR_SQLSTATE
SELECT feature, baseline_rows, current_rows, population_stability_index, null_value_rate FROM ml_score.drift('SELECT 1 AS a WHERE false', 'SELECT 1 AS a WHERE false');
-- what is refused
SELECT * FROM ml_score.drift('SELECT 1 AS a', 'SELECT 1 AS a', formulas => 'Azures');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM ml_score.drift('SELECT 1 AS a', 'SELECT 1 AS a', ks_method => 'exactly');
SELECT * FROM ml_score.drift('SELECT 1 AS a', 'SELECT 1 AS a', categorical => '{b}');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM ml_score.drift('SELECT 1 AS a, 2 AS a', 'SELECT 1 AS a');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM ml_score.drift('DELETE FROM pg_class', 'SELECT 1 AS a');
SELECT * FROM ml_score.drift('SELECT 1 AS a', '');
SELECT * FROM ml_score.drift('SELECT 1 AS a', 'SELECT 1 AS a; SELECT 2 AS a');
SELECT * FROM ml_score.drift('SELECT 1 AS a', 'SELECT nowhere');
SELECT * FROM ml_score.drift('SELECT oid AS a FROM pg_class FOR UPDATE', 'SELECT 1 AS a');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM ml_score.drift(NULL, 'SELECT 1 AS a');
-- frozen
CREATE TEMP TABLE profile AS SELECT * FROM ml_score.freeze('SELECT g AS n, g % 3 AS code, (g % 2)::text AS word, ''2026-01-01''::date AS day FROM generate_series(1, 4) g UNION ALL SELECT NULL, NULL, ''é'', NULL', '{code}');
SELECT feature, (ml_score.distribution_summary(distribution)).* FROM profile;
SELECT feature, c.* FROM profile, ml_score.distribution_counts(distribution) c ORDER BY feature, number, category;
SELECT feature, ml_score.null_value_rate(distribution), ml_score.data_type_error_rate(distribution) FROM profile;
SELECT distribution FROM profile WHERE feature = 'word';
SELECT feature, population_stability_index, out_of_bounds_rate FROM ml_score.drift('TABLE profile', 'SELECT 1 AS n, 1 AS code, ''1'' AS word, ''2026-01-02''::date AS day');
SELECT feature, population_stability_index FROM ml_score.drift('TABLE profile', 'TABLE profile');
SELECT * FROM ml_score.drift('TABLE profile', 'SELECT 1 AS n', categorical => '{n}');
SELECT * FROM ml_score.drift('TABLE profile UNION ALL TABLE profile', 'SELECT 1 AS n');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM ml_score.drift('SELECT ''n'' AS feature, NULL::ml_score.distribution AS distribution', 'SELECT 1 AS n');
SELECT ml_score.psi(a.distribution, b.distribution) FROM profile a, profile b WHERE a.feature = 'n' AND b.feature = 'word';
\echo :LAST_ERROR_SQLSTATE
SELECT ml_score.wasserstein_distance(distribution, distribution), ml_score.chi_squared_test(distribution, distribution) FROM profile WHERE feature = 'word';
SELECT ml_score.wasserstein_distance(distribution, distribution), ml_score.chi_squared_test(distribution, distribution) FROM profile WHERE feature = 'n';
SELECT ''::ml_score.distribution;
\echo :LAST_ERROR_SQLSTATE
SELECT '\x4401'::ml_score.distribution;
SELECT '\x44016e0604746578740000014010000000000000014010000000000000000000'::ml_score.distribution;
SELECT '\x440263060474657874000000'::ml_score.distribution;
SELECT '\x4401630804746578740000020161'::ml_score.distribution;
SELECT '\x4401630604746578740000010261ff00'::ml_score.distribution;
SELECT '\x44016306047465ff74000001026162'::ml_score.distribution;
SELECT '\x44016306047465ff7400000102616200'::ml_score.distribution;
SELECT '\x440163080474657874000002016100'::ml_score.distribution;
\echo :LAST_ERROR_SQLSTATE
-- aggregates: nothing, NULLs, windows
SELECT ml_score.psi(x, c), ml_score.kolmogorov_smirnov_test(x, c), ml_score.distribution(x) FROM (SELECT 1.5::float8, true WHERE false) t(x, c);
SELECT ml_score.psi(x, c), ml_score.out_of_bounds_rate(x, c) FROM (VALUES (1.0, false), (2, false), (1, true), (3, true), (NULL, true), ('NaN', true), (7, NULL)) t(x, c);
SELECT g, ml_score.wasserstein_distance(g, g % 2 = 0) OVER (ORDER BY g) AS so_far FROM generate_series(1, 4) g;
-- how right predictions were
SELECT ml_score.accuracy(a, p), ml_score.precision(a, p), ml_score.recall(a, p), ml_score.f1(a, p), ml_score.precision(a, p, 'cat'), ml_score.recall(a, p, 'cat'), ml_score.f1(a, p, 'dog')
FROM (VALUES ('cat'::text, 'cat'::text), ('cat', 'dog'), ('dog', 'dog'), ('dog', 'cow'), (NULL, 'cat'), ('cat', NULL)) t(a, p);
SELECT ml_score.accuracy(a, p), ml_score.precision(a, p, true), ml_score.recall(a, p, true), ml_score.f1(a, p, true), ml_score.auc(a, p::int) FROM (VALUES (true, true), (true, false), (false, false), (false, true), (true, true)) t(a, p);
SELECT ml_score.accuracy(a, p), ml_score.f1(a, p), ml_score.f1(a, p, 1), ml_score.auc(a = 1, p), ml_score.mae(a, p), ml_score.r2(a, p) FROM (SELECT 1, 1 WHERE false) t(a, p);
SELECT ml_score.precision(a, a, a) FROM (VALUES (1), (2)) t(a);
\echo :LAST_ERROR_SQLSTATE
SELECT ml_score.recall(1, 1, NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT ml_score.auc(true, x) FROM (VALUES (1), (2)) t(x);
SELECT ml_score.mae(y, z), ml_score.mse(y, z), ml_score.rmse(y, z), ml_score.r2(y, z) FROM (VALUES (1, 2), (2, 4), (3, 3), (NULL, 1), (1, NULL)) t(y, z);
SELECT ml_score.r2(y, y), ml_score.r2(y, y + 1) FROM (VALUES (5), (5)) t(y);
