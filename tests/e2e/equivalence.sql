-- Statements whose result must not depend on batching: equivalence.sh runs each with ml_score.batching on and off.
-- d: 300 diamonds (id, nine columns, price), e: grades; f(nine columns), n(int), m(int) and s(text) are model functions,
-- strict_n is STRICT, volatile_n VOLATILE, pair gives two columns. One statement (or several, up to "--") an entry.

SELECT id, f(carat, cut, color, clarity, depth, "table", x, y, z) FROM d
--
SELECT id FROM d WHERE n(id) > 100 ORDER BY id
--
SELECT id, n(id) FROM d ORDER BY n(id) DESC, id LIMIT 7
--
SELECT id FROM d ORDER BY n(id % 17), id OFFSET 10 LIMIT 20
--
SELECT n(m(id)::int) FROM d
--
SELECT n(m(n(id)::int)::int) FROM d WHERE m(id) > 50
--
SELECT n(id) + m(id) * 2, n(id) - n(id), n(id) = n(id) FROM d
--
SELECT cut, sum(n(id)), count(n(id)), avg(m(id)) FROM d GROUP BY cut ORDER BY cut
--
SELECT n(id % 10), count(*) FROM d GROUP BY n(id % 10) ORDER BY 1
--
SELECT n(id % 10) AS k, count(*) FROM d GROUP BY 1 HAVING sum(m(id)) > 100 ORDER BY 1
--
SELECT cut, max(id) FROM d GROUP BY cut HAVING n(max(id)::int) > 280 ORDER BY cut
--
SELECT n(count(*)::int), m(sum(id)::int) FROM d
--
SELECT cut, n(max(id)::int + 1) FROM d GROUP BY cut ORDER BY cut
--
SELECT sum(n(id)) FILTER (WHERE color = 'E'), sum(id) FILTER (WHERE n(id) > 50), count(*) FROM d
--
SELECT string_agg(cut, ',' ORDER BY n(id) DESC) FROM d WHERE id < 20
--
SELECT array_agg(DISTINCT n(id % 7) ORDER BY n(id % 7)) FROM d
--
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY n(id)) FROM d
--
SELECT DISTINCT n(id % 5) FROM d ORDER BY 1
--
SELECT DISTINCT ON (n(id % 5)) n(id % 5), id FROM d ORDER BY n(id % 5), id
--
SELECT id, rank() OVER (PARTITION BY cut ORDER BY n(id) DESC), sum(n(id)) OVER (ORDER BY id ROWS 2 PRECEDING) FROM d ORDER BY id
--
SELECT id, n((row_number() OVER (ORDER BY id))::int) FROM d ORDER BY id
--
SELECT lag(n(id), 1, n(0)) OVER (ORDER BY id) FROM d ORDER BY id
--
SELECT CASE WHEN id % 3 = 0 THEN n(id) WHEN id % 3 = 1 THEN m(id) ELSE -1 END FROM d
--
SELECT CASE n(id % 3) WHEN 0 THEN 'a' WHEN 1 THEN 'b' ELSE 'c' END FROM d
--
SELECT CASE WHEN id % 10 = 0 THEN NULL ELSE 100 / (id % 10) + n(id) END FROM d
--
SELECT coalesce(nullif(n(id % 4), 1), m(id)) FROM d
--
SELECT greatest(n(id), m(id), 7), least(n(id), m(id)) FROM d
--
SELECT id FROM d WHERE id % 2 = 0 OR n(id) > 150
--
SELECT id FROM d WHERE id % 2 = 0 AND n(id) > 150 AND m(id) < 400
--
SELECT id FROM d WHERE NOT (n(id) > 150)
--
SELECT id FROM d WHERE n(id) IN (5, 10, 15) OR m(id) = ANY (ARRAY[3, 7])
--
SELECT id FROM d WHERE n(id) BETWEEN 20 AND 40
--
SELECT n(NULL), strict_n(NULL), strict_n(nullif(id, 5)) FROM d WHERE id < 10
--
SELECT n(id) IS NULL, strict_n(nullif(id % 3, 0)) IS NULL FROM d
--
SELECT s(cut), s(cut || ' é ' || color), s(''), s(NULL) FROM d
--
SELECT volatile_n(id % 3) FROM d
--
SELECT d.id, e.grade FROM d JOIN e ON e.grade = n(d.id)::int % 5 ORDER BY 1, 2
--
SELECT d.id, e.grade FROM d LEFT JOIN e ON e.cut = d.cut AND n(d.id) > 100 ORDER BY 1, 2
--
SELECT d.id, e.grade, n(e.grade) FROM d RIGHT JOIN e ON e.cut = d.cut AND d.id < 20 ORDER BY 1, 2
--
SELECT a.id, b.id FROM d a FULL JOIN d b ON a.id = b.id + 290 WHERE n(coalesce(a.id, b.id)) > 5 ORDER BY 1, 2
--
SELECT count(*) FROM d a, d b WHERE a.id < 15 AND b.id < 15 AND n(a.id) < n(b.id)
--
SELECT count(*) FROM (SELECT n(id) k FROM d) a JOIN (SELECT m(id) k FROM d) b USING (k)
--
SET enable_hashjoin = off; SET enable_nestloop = off; SELECT a.id, b.id FROM (SELECT id, n(id % 20) k FROM d) a JOIN (SELECT id, n(id % 20) k FROM d WHERE id < 60) b USING (k) ORDER BY 1, 2
--
SET enable_hashjoin = off; SET enable_mergejoin = off; SELECT a.id, (SELECT n(b.id) FROM d b WHERE b.id = a.id) FROM d a ORDER BY 1
--
SELECT id FROM d WHERE EXISTS (SELECT FROM e WHERE e.grade < n(d.id) AND e.cut = d.cut) ORDER BY id
--
SELECT id FROM d WHERE id NOT IN (SELECT n(id)::int FROM d WHERE id < 50) ORDER BY id
--
SELECT id, (SELECT max(n(e.grade) + d.id) FROM e) FROM d WHERE id < 20 ORDER BY id
--
SELECT id, (SELECT n(d.id + e.grade) FROM e ORDER BY grade LIMIT 1) FROM d WHERE id < 20 ORDER BY id
--
SELECT d.id, l.v FROM d, LATERAL (SELECT n(d.id + e.grade) v FROM e ORDER BY grade LIMIT 2) l WHERE d.id < 20 ORDER BY 1, 2
--
SELECT g, n(g) FROM generate_series(1, 50) g
--
SELECT n(generate_series(1, 5)), generate_series(1, 3)
--
SELECT id, unnest(ARRAY[n(id), m(id)]) FROM d WHERE id < 10
--
SELECT unnest(ARRAY[id, id + 1]) AS u, n(id) FROM d WHERE id < 10 ORDER BY n(id) DESC, u
--
SELECT generate_series(1, n(id % 3)::int) FROM d WHERE id < 10
--
WITH c AS MATERIALIZED (SELECT id, n(id) v FROM d) SELECT a.v + b.v FROM c a JOIN c b ON a.id = b.id + 1 ORDER BY a.id
--
WITH c AS NOT MATERIALIZED (SELECT id, n(id) v FROM d) SELECT id FROM c WHERE v > 100 ORDER BY id
--
WITH RECURSIVE r(i, v) AS (SELECT 1, n(1) UNION ALL SELECT i + 1, n(i + 1) + v FROM r WHERE i < 20) SELECT * FROM r
--
SELECT n(id) FROM d WHERE id < 10 UNION SELECT m(id) FROM d WHERE id < 10 ORDER BY 1
--
SELECT n(id) FROM d WHERE id < 10 UNION ALL SELECT m(id) FROM d WHERE id < 10
--
SELECT n(id % 9) FROM d INTERSECT SELECT n(id % 6) FROM d ORDER BY 1
--
SELECT n(id % 9) FROM d EXCEPT ALL SELECT n(id % 6) FROM d ORDER BY 1
--
SELECT p.id, n(p.id) FROM parted p ORDER BY 1
--
SELECT part, sum(n(id)) FROM parted GROUP BY part ORDER BY 1
--
VALUES (n(1), m(1)), (n(2), m(2))
--
SELECT n(1), n(2) + m(3)
--
SELECT * FROM n(5) AS t(v)
--
SELECT d.id, v FROM d, n(d.id) AS v WHERE d.id < 30 ORDER BY 1
--
SELECT id, (pair(id)).* FROM d WHERE id < 20 ORDER BY 1
--
SELECT d.id, p.double, p.triple FROM d, LATERAL pair(d.id) p WHERE d.id < 20 ORDER BY 1
--
SELECT (pair(id)).double FROM d WHERE (pair(id)).triple > 100 ORDER BY 1
--
SELECT row(n(id), id) > row(50, 1), ARRAY[n(id), m(id)], n(id)::text || cut FROM d
--
SELECT jsonb_build_object('n', n(id), 'm', m(id)) FROM d
--
SELECT id, n(id) FROM d TABLESAMPLE bernoulli (50) REPEATABLE (3) ORDER BY 1
--
SELECT grouping(cut), cut, color, sum(n(id)) FROM d GROUP BY ROLLUP (cut, color) ORDER BY 1, 2, 3
--
SELECT cut, n(min(id)), sum(m(id)) OVER (PARTITION BY cut) FROM d GROUP BY cut, id ORDER BY 1, 2, 3
--
CREATE TEMP TABLE t AS SELECT id, n(id) v FROM d; SELECT * FROM t ORDER BY id
--
CREATE TEMP TABLE t (id int, v float8); INSERT INTO t SELECT id, n(id) FROM d; SELECT * FROM t ORDER BY id
--
CREATE TEMP TABLE t (id int PRIMARY KEY, v float8); INSERT INTO t SELECT id, n(id) FROM d WHERE id < 50; INSERT INTO t SELECT id, m(id) FROM d WHERE id < 80 ON CONFLICT (id) DO UPDATE SET v = excluded.v + n(t.id); SELECT * FROM t ORDER BY id
--
CREATE TEMP TABLE t AS SELECT id, 0::float8 v FROM d; UPDATE t SET v = n(id) WHERE m(id) > 60; SELECT * FROM t ORDER BY id
--
CREATE TEMP TABLE t AS SELECT id, 0::float8 v FROM d; UPDATE t SET v = n(e.grade) + n(t.id) FROM e WHERE e.grade = t.id % 5; SELECT * FROM t ORDER BY id
--
CREATE TEMP TABLE t AS SELECT id, 0::float8 v FROM d; DELETE FROM t WHERE n(id) > 100; SELECT * FROM t ORDER BY id
--
CREATE TEMP TABLE t AS SELECT id, 0::float8 v FROM d; UPDATE t SET v = 1 WHERE id < 10 RETURNING id, n(id)
--
CREATE TEMP TABLE t (id int, v float8); INSERT INTO t SELECT id, n(id) FROM d WHERE id < 10 RETURNING id, v, m(id)
--
CREATE TEMP TABLE t AS SELECT id, 0::float8 v FROM d; MERGE INTO t USING d ON t.id = d.id AND n(d.id) > 50 WHEN MATCHED AND m(t.id) < 300 THEN UPDATE SET v = n(d.id) WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (d.id + 1000, m(d.id)); SELECT * FROM t ORDER BY id, v
--
COPY (SELECT id, n(id) FROM d ORDER BY id) TO STDOUT
--
CREATE MATERIALIZED VIEW mv AS SELECT id, n(id) v FROM d; REFRESH MATERIALIZED VIEW mv; SELECT * FROM mv ORDER BY id
--
PREPARE p(int) AS SELECT id, n(id + $1) FROM d WHERE m(id) > $1 ORDER BY id; EXECUTE p(1); EXECUTE p(2); EXECUTE p(3); EXECUTE p(4); EXECUTE p(5); EXECUTE p(6); EXECUTE p(7)
--
SET plan_cache_mode = force_generic_plan; PREPARE p(int) AS SELECT n($1), m(id) FROM d WHERE id = $1; EXECUTE p(1); EXECUTE p(2)
--
BEGIN; DECLARE c SCROLL CURSOR FOR SELECT id, n(id) FROM d ORDER BY id; FETCH 5 FROM c; FETCH LAST FROM c; FETCH BACKWARD 4 FROM c; FETCH ABSOLUTE 10 FROM c; FETCH RELATIVE -3 FROM c; FETCH FIRST FROM c
--
BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT id, n(id) FROM d ORDER BY id; FETCH 3 FROM c; COMMIT; FETCH 4 FROM c
--
BEGIN; DECLARE c CURSOR FOR SELECT id, n(id) FROM d ORDER BY id FOR UPDATE; FETCH 3 FROM c; UPDATE d SET price = -1 WHERE CURRENT OF c; SELECT id FROM d WHERE price = -1; ROLLBACK
--
DO $$ DECLARE r record; t float8 := 0; BEGIN FOR r IN SELECT id, n(id) v FROM d LOOP t := t + r.v + n(1); END LOOP; RAISE NOTICE '%', t; END $$
--
CREATE FUNCTION pg_temp.g(i int) RETURNS float8 LANGUAGE plpgsql AS 'BEGIN RETURN n(i) + 1; END'; SELECT pg_temp.g(id) FROM d WHERE id < 30
--
CREATE FUNCTION pg_temp.g(i int) RETURNS float8 LANGUAGE sql STABLE AS 'SELECT n(i) + 1'; SELECT pg_temp.g(id) FROM d WHERE id < 30
--
CREATE FUNCTION pg_temp.g() RETURNS SETOF float8 LANGUAGE sql AS 'SELECT n(id) FROM d ORDER BY id'; SELECT * FROM pg_temp.g() LIMIT 5
--
CREATE FUNCTION pg_temp.t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := n(NEW.id); RETURN NEW; END'; CREATE TEMP TABLE t (id int, v float8); CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION pg_temp.t(); INSERT INTO t SELECT id FROM d WHERE id < 30; SELECT * FROM t ORDER BY id
--
CREATE TEMP TABLE t (id int, v float8 CHECK (v < 1000)); INSERT INTO t SELECT id, n(id) FROM d; SELECT count(*) FROM t
--
CREATE TEMP VIEW v AS SELECT id, n(id) k, m(id) FROM d; SELECT id FROM v WHERE k > 30 ORDER BY id
--
SELECT count(*) FROM secured
--
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SELECT sum(n(id)), count(*) FROM d WHERE m(id) > 10
--
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SELECT id, n(id) FROM parted ORDER BY id
--
SELECT id, n(id) FROM d WHERE id = ANY (ARRAY(SELECT m(id)::int FROM d WHERE id < 20)) ORDER BY id
--
SELECT n((SELECT max(id) FROM d)), (SELECT n(7))
--
SELECT id FROM d WHERE n(id) > (SELECT avg(n(id)) FROM d) ORDER BY id
--
SELECT a.id, n(a.id) FROM d a WHERE a.price = (SELECT max(price) FROM d b WHERE b.cut = a.cut AND n(b.id) > 20) ORDER BY 1
--
SELECT x.id FROM (SELECT id, n(id) v FROM d ORDER BY id LIMIT 50) x WHERE x.v > 20 ORDER BY 1
--
SELECT id, n(id) FROM ONLY d WHERE ctid IS NOT NULL AND n(id) > 0 ORDER BY id
--
SELECT id, n(id) FROM d WHERE id < 5 FOR UPDATE
--
SELECT whole(t) FROM d t ORDER BY id
--
SELECT n(id) FROM d WHERE false
--
SELECT n(1) WHERE false
--
SELECT id FROM d WHERE (n(id) > 50) IS NOT TRUE ORDER BY id
--
SELECT bool_and(n(id) > 0), bool_or(m(id) > 500) FROM d
--
SELECT id, CASE WHEN n(id) > 50 THEN CASE WHEN m(id) > 300 THEN s(cut) ELSE n(id) END END FROM d ORDER BY id
--
SELECT n(id), random() < 2 FROM d
--
SELECT id, sum(v) OVER w, n(id) FROM (SELECT id, m(id) v FROM d) q WINDOW w AS (ORDER BY id) ORDER BY id
--
WITH x AS (INSERT INTO e SELECT id, cut FROM d WHERE id < 50 RETURNING n(grade) AS p, s(cut) AS q) SELECT * FROM x ORDER BY 1, 2
--
BEGIN; UPDATE parted SET part = part WHERE id < 40 RETURNING id, n(id), CASE WHEN part = 1 THEN m(id) END; ROLLBACK
--
BEGIN; DELETE FROM d WHERE id % 7 = 0 RETURNING id, n(id); ROLLBACK
--
BEGIN; INSERT INTO e SELECT id, cut FROM d WHERE id < 50 RETURNING grade, n(grade); ROLLBACK
--
BEGIN; MERGE INTO e USING d ON d.id = e.grade WHEN MATCHED AND d.price > 330 THEN UPDATE SET grade = n(d.id)::int WHEN MATCHED THEN DELETE WHEN NOT MATCHED AND m(d.id) > 100 THEN INSERT VALUES (n(d.id)::int, d.cut) WHEN NOT MATCHED THEN DO NOTHING; SELECT * FROM e ORDER BY 1, 2; ROLLBACK
--
BEGIN; MERGE INTO parted USING d ON d.id = parted.id AND d.id < 100 WHEN MATCHED AND n(d.id) > 60 THEN UPDATE SET id = m(d.id)::int WHEN NOT MATCHED THEN INSERT VALUES (n(d.id)::int, d.id % 3); SELECT * FROM parted ORDER BY 1, 2; ROLLBACK
--
SELECT id, part, n(id), CASE WHEN part = 1 THEN m(part) END FROM parted WHERE n(id) > 30 ORDER BY 1
--
SELECT n(id) FROM d WHERE id < 30 UNION ALL SELECT n(grade) FROM e UNION ALL SELECT n(part + 1000) FROM parted ORDER BY 1
--
SELECT n(id), 'a' FROM d WHERE id < 30 UNION ALL SELECT m(grade), 'b' FROM e ORDER BY 1, 2
--
SELECT * FROM (VALUES (1, n(10), s('a')), (2, n(20), NULL), (3, 7, s('ccc')), (4, m(4), s('d'))) v(a, b, c) ORDER BY 1
--
SELECT a, b + m(a), c FROM (VALUES (1, n(10), s('a')), (2, n(20), NULL), (3, 7, s('ccc'))) v(a, b, c) WHERE b > 8 ORDER BY 1
--
BEGIN; INSERT INTO e VALUES (n(1), 'x'), (n(2), 'y'), (n(3), s('z')), (5, 'w'); SELECT * FROM e ORDER BY 1, 2; ROLLBACK
--
SELECT v FROM (VALUES (n(1), 2), (n(2), 3)) v ORDER BY 1
--
SELECT d.id, v.b FROM d, LATERAL (VALUES (n(d.id)), (n(d.id + 1)), (m(0))) v(b) WHERE d.id < 20 ORDER BY 1, 2
--
SELECT g, n(g) FROM generate_series(1, 200) g WHERE m(g)::int % 2 = 0 ORDER BY 1
--
SELECT d.id, t.* FROM d, LATERAL pairs(d.id) t WHERE d.id < 10 ORDER BY 1
--
SELECT id, n_set(id) FROM d WHERE id < 10 ORDER BY 1
--
PREPARE p(bigint, bigint) AS SELECT id, n(id) FROM d ORDER BY id LIMIT $1 OFFSET $2; EXECUTE p(9223372036854775807, 295); EXECUTE p(9223372036854775807, 9223372036854775807); EXECUTE p(NULL, 297); EXECUTE p(2, NULL); EXECUTE p(0, 0)
--
SELECT a.id, x.v FROM d a, LATERAL (SELECT n(b.id + a.id) v FROM d b WHERE n(b.id) > a.id ORDER BY b.id LIMIT a.id) x WHERE a.id < 6 ORDER BY 1, 2
--
BEGIN; DECLARE c SCROLL CURSOR FOR SELECT id, n(id) FROM d WHERE n(id) > 10 ORDER BY m(id); MOVE 100 IN c; FETCH BACKWARD 2 FROM c; MOVE BACKWARD ALL IN c; FETCH 1 FROM c; FETCH ABSOLUTE -1 FROM c; FETCH RELATIVE -5 FROM c
--
BEGIN; MERGE INTO e USING d ON d.id = e.grade WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED AND n(7) > 0 THEN INSERT VALUES (n(NULL)::int, s('constant') || d.cut); SELECT count(*), min(cut) FROM e; ROLLBACK
--
BEGIN; MERGE INTO e USING (SELECT id, cut FROM d WHERE id < 60) q ON q.id = e.grade WHEN MATCHED THEN UPDATE SET grade = n(m(q.id)::int)::int + e.grade, cut = s(e.cut) WHEN NOT MATCHED AND n(q.id)::int % 2 = 0 THEN INSERT VALUES (m(q.id)::int, q.cut) WHEN NOT MATCHED THEN INSERT VALUES (n(m(q.id)::int)::int); SELECT * FROM e ORDER BY 1, 2; ROLLBACK
--
BEGIN; UPDATE parted SET id = m(id)::int + 1000 WHERE n(id) < 60 RETURNING id, n(id); SELECT * FROM parted ORDER BY 1, 2; ROLLBACK
--
BEGIN; DELETE FROM parted WHERE n(id) > 60 AND m(part) < 2; SELECT * FROM parted ORDER BY 1, 2; ROLLBACK
--
BEGIN; MERGE INTO parted USING d ON d.id = parted.id WHEN MATCHED AND d.id % 2 = 0 THEN UPDATE SET id = n(d.id)::int + 1000 WHEN MATCHED AND n(d.id) > 60 THEN DELETE WHEN MATCHED AND part = 1 THEN UPDATE SET part = m(d.id)::int % 3 WHEN NOT MATCHED THEN DO NOTHING; SELECT * FROM parted ORDER BY 1, 2; ROLLBACK
--
BEGIN; MERGE INTO e USING d ON d.id = e.grade WHEN MATCHED AND n(100 / (d.id - 200)) < 0 THEN UPDATE SET cut = s(d.cut)::text WHEN NOT MATCHED AND d.id < 99 THEN INSERT VALUES (n(100 / (d.id - 200))::int, CASE WHEN d.id % 3 = 0 THEN m(d.id)::text END); SELECT * FROM e ORDER BY 1, 2; ROLLBACK
--
SELECT d.id, e.grade FROM d LEFT JOIN e ON e.cut = d.cut AND (d.id <= 20 OR n(d.id) > 295) AND n(e.grade) > 1 AND e.grade < 5 AND m(d.id) < 300 ORDER BY 1, 2
