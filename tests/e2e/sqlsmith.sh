#!/bin/bash
# Random statements (sqlsmith) over tables with model functions everywhere: no crash, and no error that cannot happen.
# Version: 15, which sqlsmith knows
. "$(dirname "$0")/../lib/tap.sh"
need_packages sqlsmith
need_peer fast
fast_function f ""
diamonds_table 30
# many functions of each type, for among PostgreSQL's own thousands few would be picked
sql <<-'EOF'
	-- sqlsmith quotes nothing and inserts into every column
	ALTER TABLE diamonds RENAME "table" TO width;
	ALTER TABLE diamonds ALTER id DROP IDENTITY, DROP CONSTRAINT diamonds_pkey;
	ALTER SERVER f OPTIONS (ADD max_batch_rows '7', ADD request_format 'records');
	DO $$
	DECLARE
		arguments text[] := '{float8,int,text,bool,float8|int,text|int,int|int|float8,bool|text}';
		a text;
		i int;
	BEGIN
		FOREACH a IN ARRAY arguments LOOP
			FOR i IN 1..12 LOOP
				EXECUTE format('CREATE FUNCTION s%s_%s(%s) RETURNS float8 LANGUAGE ml_score %s PARALLEL SAFE COST 10000 AS ''f''',
					array_position(arguments, a), i,
					(SELECT string_agg(format('a%s %s', n, t), ', ') FROM unnest(string_to_array(a, '|')) WITH ORDINALITY u(t, n)),
					(ARRAY['STABLE', 'STABLE STRICT', 'VOLATILE'])[i % 3 + 1]);
			END LOOP;
		END LOOP;
	END $$;
	CREATE TABLE small (i int, f float8, t text, b bool);
	INSERT INTO small SELECT g, g / 3.0, 'row ' || g, g % 2 = 0 FROM generate_series(1, 8) g;
	CREATE VIEW scored AS SELECT id, s1_1(carat) AS v, cut FROM diamonds;
	CREATE VIEW graded AS SELECT i, CASE WHEN b THEN s1_1(f) ELSE s2_1(i) END AS g, coalesce(s2_3(i), s2_2(i)) AS h FROM small WHERE s2_1(i) > 2 OR b;
	CREATE VIEW joined AS SELECT d.id, s3_1(d.cut) AS k, s.i, s2_1(s.i) AS l FROM diamonds d LEFT JOIN small s ON d.id = s.i AND s2_1(s.i) < s1_1(d.carat);
	CREATE VIEW summed AS SELECT b, sum(s1_1(f)) AS total, count(*) AS n FROM small GROUP BY b HAVING sum(s2_1(i)) > 1;
	CREATE VIEW ranked AS SELECT i, sum(s1_1(f)) OVER (PARTITION BY b ORDER BY s2_1(i)) AS w FROM small;
	DROP ROLE IF EXISTS smith;
	CREATE ROLE smith LOGIN;
	ALTER ROLE smith SET statement_timeout = '1s';
	ALTER ROLE smith SET log_error_verbosity = 'verbose';
	ALTER ROLE smith SET max_parallel_workers_per_gather = 2;
	ALTER ROLE smith SET parallel_setup_cost = 0;
	ALTER ROLE smith SET parallel_tuple_cost = 0;
	ALTER ROLE smith SET min_parallel_table_scan_size = 0;
	GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO smith;
EOF
server_log_mark
timeout 120 sqlsmith --seed=4711 --max-queries=4000 --exclude-catalog \
	--target="host=$PGHOST port=$PGPORT dbname=$PGDATABASE user=smith" >"$RUN/sqlsmith.out" 2>&1
like "$(sql "SELECT 'up'")" up "the server stands"
log=$(server_log)
is "$(grep -cE 'terminated by signal|TRAP:|PANIC' <<<"$log")" 0 "nothing crashed"
# PostgreSQL's own: literals of unknown type get here unresolved, interval_scale takes any number
internal=$(grep -E 'ERROR:  XX' <<<"$log" | grep -vE 'conversion function from unknown|invalid INTERVAL typmod' | sed 's/.*ERROR:/ERROR:/' | sort | uniq -c | head -n 5)
is "$internal" "" "no internal error"
requests=$(sql "SELECT requests FROM ml_score.stat_endpoint WHERE server = 'f'")
cmp_ok "${requests:-0}" ">" 50 "the statements did score"
done_testing
