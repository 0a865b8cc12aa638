#!/bin/bash
# Random mutations of events: each is ingested or refused with an error about data, and nothing else happens.
# ML_SCORE_FUZZ: how many (20000).
# Version: 16, what reads events is the same for every version
. "$(dirname "$0")/../lib/tap.sh"
n=${ML_SCORE_FUZZ:-20000}
sql <<-'SQL'
	CREATE TABLE counted (ingested int, refused int, no_json int);
	CREATE PROCEDURE mutate(n int, first int) LANGUAGE plpgsql AS $$
	DECLARE
		samples text[] := ARRAY[
			'[{"id":"1","topic":"/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w","subject":"experiments/x/runs/r","eventType":"Microsoft.MachineLearningServices.RunStatusChanged","eventTime":"2026-03-02T10:00:00.1234567Z","data":{"experimentId":"x","experimentName":"e","runId":"r","runTags":{"azureml.pipelinerunid":"p"},"runProperties":{"stepType":"s","azureml.parameters":"{}"},"runStatus":"Completed"}}]',
			'{"specversion":"1.0","id":"2","source":"/subscriptions/s/workspaces/w","type":"Microsoft.MachineLearningServices.RunCompleted","time":"2026-03-02T10:00:00+01:00","data":{"runId":"q","runTags":null,"runProperties":{"a":[1,{"b":1e400}],"\u00e9":"\ud83d\ude00"}}}',
			'[{"id":"3","event_type":"Microsoft.MachineLearningServices.DatasetDriftDetected","data":{"RunId":"d","DriftCoefficient":0.41}},{"id":"4","type":"Microsoft.MachineLearningServices.ModelRegistered","data":{"ModelName":"m","ModelVersion":1}}]'];
		pieces text[] := ARRAY['"', '\', '{', '}', '[', ']', ':', ',', '0', '9', '-', 'e', 'T', 'Z', '.', '/', ' ', 'null', 'true', '\u0000', '\ud800', '""', '{}', '[]', '1e999', 'é', '💎', '/workspaces/', 'runId'];
		event text;
		document jsonb;
		good int := 0;
		bad int := 0;
		unread int := 0;
	BEGIN
		PERFORM setseed((first / 1000 % 1000) / 1000.0);
		FOR i IN first .. first + n - 1 LOOP
			event := samples[1 + i % 3];
			FOR m IN 0 .. (random() * 2)::int LOOP
				event := overlay(event PLACING pieces[1 + floor(random() * array_length(pieces, 1))::int] FROM 1 + floor(random() * length(event))::int FOR floor(random() * 4)::int);
			END LOOP;
			BEGIN
				document := event;
				BEGIN
					PERFORM ml_score.ingest_event(document);
					good := good + 1;
				EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
					bad := bad + 1;
				END;
			EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
				unread := unread + 1;
			END;
			IF i % 5000 = 0 THEN
				COMMIT;
			END IF;
		END LOOP;
		INSERT INTO counted VALUES (good, bad, unread);
	END $$;
SQL
for ((first = 1; first <= n; first += 20000)); do
	out=$(sql "CALL mutate($((n - first + 1 < 20000 ? n - first + 1 : 20000)), $first)" 2>&1) || break
done
is "$out" "" "$n mutated events raise nothing but what is wrong with them"
is "$(sql "SELECT sum(ingested + refused + no_json) FROM counted")" "$n" "all of them were tried"
echo "# ingested, refused, no JSON: $(sql "SELECT sum(ingested), sum(refused), sum(no_json) FROM counted")"
cmp_ok "$(sql "SELECT sum(ingested) FROM counted")" ">" "$((n / 20))" "many can be ingested"
cmp_ok "$(sql "SELECT sum(refused) FROM counted")" ">" "$((n / 100))" "many are refused"
is "$(sql "SELECT count(*) FROM ml_score.run_metric m WHERE facts -> 'status' ->> 2 IS DISTINCT FROM status")" 0 "rows are what their facts say"
done_testing
