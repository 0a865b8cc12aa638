#!/bin/bash
# A disk that is really full: the stream waits, says so, and goes on when there is room.
# Version: 16, a full disk is the same for every version
. "$(dirname "$0")/../lib/tap.sh"
SMALL=$RUN/small_disk
mkdir -p "$SMALL"
mount -t tmpfs -o size=8m tmpfs "$SMALL" 2>/dev/null || skip_all "no file system can be mounted here"
trap 'umount -l "$SMALL"' EXIT
need_peer kafka
T=stream_disk_full
EVENTS=20000 # of a kilobyte
kafka_topic $T 2
chown "$SERVER_USER" "$SMALL"
sql "CREATE TABLESPACE small LOCATION '$SMALL'"
sql <<-EOSQL
	CREATE SERVER hub TYPE 'eventhubs' FOREIGN DATA WRAPPER ml_score OPTIONS (bootstrap_servers '$KAFKA_PLAIN', security_protocol 'plaintext');
	CREATE TABLE line (id int, padding text STORAGE plain) TABLESPACE small;
EOSQL
seq $EVENTS | awk '{ printf "{\"id\": %d, \"padding\": \"%01000d\"}\n", $1, 0 }' | kafka_produce $T
sql "SELECT ml_score.create_stream('line', 'hub', '$T', target => 'line', max_batch_rows => 1000)" >/dev/null
wait_until 60 "SELECT bool_or(state = 'waiting' AND last_error LIKE '%No space left on device') FROM ml_score.stat_stream"
ok $? "the stream waits, and says for what"
stored=$(sql "SELECT count(*) FROM line")
cmp_ok "$stored" ">" 0 "what was stored before is there"
is "$stored" "$(sql "SELECT sum(rows) FROM ml_score.stat_stream")" "as many rows as the offsets say"
mount -o remount,size=100m "$SMALL"
sql "SELECT ml_score.wait_stream('line', '90s')" >/dev/null
is "$(sql "SELECT count(*), count(DISTINCT id), max(id) FROM line")|$(sql "SELECT count(*) FROM ml_score.dead_letter")" "$EVENTS|$EVENTS|$EVENTS|0" \
	"with room it goes on by itself: nothing is lost, nothing twice, nothing is a dead letter"
sql "SELECT ml_score.drop_stream('line')" >/dev/null
sql "DROP TABLE line" && sql "DROP TABLESPACE small"
done_testing
