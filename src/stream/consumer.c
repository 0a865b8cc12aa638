/*
 * consumer.c - see consumer.h.
 *
 * librdkafka 2.0 looks only once a second whether its full queue has room again, which would leave it empty most of the
 * time. Any request to a broker makes it look at once: so the ends of the partitions are asked for whenever some thousand
 * events were taken.
 */
#include "stream/consumer.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "common/ip.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "stream/ask.h"
#include "stream/login.h"

#define QUEUE_EVENTS 100000
#define QUEUE_KBYTES 24576
#define COORDINATOR "GroupCoordinator:"
#define NUDGE_EVENTS 10000
#define NUDGE_BYTES (2 * 1024 * 1024)

struct MlsConsumer
{
	rd_kafka_t *client;
	MlsLogin *login; /* or NULL */
	rd_kafka_topic_t *topic;
	rd_kafka_queue_t *queue;
	char *topic_name;
	int pipe[2]; /* a byte comes when the queue is no longer empty */
	MlsConsumerTrouble trouble;
	int *partitions;
	int npartitions;
	int64 taken; /* since the last nudge */
	int64 taken_bytes;
};

static MlsConsumer *open_consumer; /* the process has one at the most */
static bool exit_registered;

/* Keep what happened, but not a repetition of it. No palloc: also called by librdkafka. */
static void
note_trouble(MlsConsumer *consumer, const char *message)
{
	strlcpy(consumer->trouble.message, message, sizeof(consumer->trouble.message));
	consumer->trouble.number++;
}

static void
on_error(rd_kafka_t *client, int err, const char *reason, void *opaque)
{
	/* That all brokers are down says less than what came before it. */
	MlsConsumer *consumer = opaque;
	char message[sizeof(consumer->trouble.message)];

	if (strncmp(reason, COORDINATOR, strlen(COORDINATOR)) == 0)
		return; /* nothing is asked of it */
	if (mls_kafka_refusal() != NULL)
	{
		note_trouble(consumer, mls_kafka_refusal());
		return;
	}
	if (err == RD_KAFKA_RESP_ERR__AUTHENTICATION)
		mls_login_refused(consumer->login);
	if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && consumer->trouble.message[0] != '\0')
		return;
	snprintf(message, sizeof(message), "%s: %s", rd_kafka_err2name(err), reason);
	note_trouble(consumer, message);
}

static void
on_throttle(rd_kafka_t *client, const char *broker, int32_t broker_id, int ms, void *opaque)
{
	MlsConsumer *consumer = opaque;

	if (ms > 0)
		consumer->trouble.throttled++;
}

static void
close_at_exit(int code, Datum arg)
{
	/* A question that is under way uses the client: see ask.c. */
	if (open_consumer != NULL && !mls_ask_is_pending())
		mls_consumer_close(open_consumer);
}

static rd_kafka_conf_t *
configure(const MlsServer *server, Oid userid, const char *group, MlsConsumer *consumer)
{
	rd_kafka_conf_t *conf = mls_kafka_configure(server, userid);

	mls_kafka_set(conf, "group.id", group);
	mls_kafka_set(conf, "enable.auto.commit", "false");
	mls_kafka_set(conf, "enable.auto.offset.store", "false");
	mls_kafka_set(conf, "auto.offset.reset", "error");
	mls_kafka_set(conf, "enable.partition.eof", "true");
	mls_kafka_set(conf, "queued.min.messages", CppAsString2(QUEUE_EVENTS));
	mls_kafka_set(conf, "queued.max.messages.kbytes", CppAsString2(QUEUE_KBYTES));
	rd_kafka_conf_set_error_cb(conf, on_error);
	rd_kafka_conf_set_throttle_cb(conf, on_throttle);
	rd_kafka_conf_set_opaque(conf, consumer);
	return conf;
}

/* rd_kafka_new in a state in which the threads it starts leave all signals to us. */
static rd_kafka_t *
start_client(rd_kafka_conf_t *conf, char *error, size_t size)
{
	sigset_t all;
	sigset_t before;
	rd_kafka_t *client;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, size);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return client;
}

static void
open_queue(MlsConsumer *consumer)
{
	rd_kafka_poll_set_consumer(consumer->client);
	consumer->queue = rd_kafka_queue_get_consumer(consumer->client);
	if (pipe(consumer->pipe) != 0 || fcntl(consumer->pipe[0], F_SETFL, O_NONBLOCK) != 0 ||
		fcntl(consumer->pipe[1], F_SETFL, O_NONBLOCK) != 0)
		ereport(ERROR, errcode_for_file_access(), errmsg("could not make a pipe: %m"));
	rd_kafka_queue_io_event_enable(consumer->queue, consumer->pipe[1], "1", 1);
}

MlsConsumer *
mls_consumer_open(const MlsServer *server, Oid userid, const char *topic, const char *group)
{
	MlsConsumer *consumer = calloc(1, sizeof(MlsConsumer));
	rd_kafka_conf_t *conf;
	char error[512];

	if (consumer == NULL)
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	consumer->pipe[0] = consumer->pipe[1] = -1;
	if (open_consumer != NULL)
		mls_consumer_close(open_consumer); /* opening it failed half-way */
	open_consumer = consumer;
	if (!exit_registered)
		before_shmem_exit(close_at_exit, 0);
	exit_registered = true;

	consumer->login = mls_login_open(server, userid);
	conf = configure(server, userid, group, consumer);
	consumer->client = start_client(conf, error, sizeof(error));
	if (consumer->client == NULL)
	{
		rd_kafka_conf_destroy(conf);
		ereport(ERROR, errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
				errmsg("could not start a client for server \"%s\"", server->name),
				errdetail("librdkafka says: %s", error));
	}
	mls_login_keep(consumer->login, consumer->client);
	consumer->topic_name = strdup(topic);
	if (consumer->topic_name == NULL)
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	consumer->topic = rd_kafka_topic_new(consumer->client, topic, NULL);
	if (consumer->topic == NULL)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("\"%s\" cannot be a topic's name", topic),
				errdetail("librdkafka says: %s", rd_kafka_err2str(rd_kafka_last_error())));
	open_queue(consumer);
	return consumer;
}

void
mls_consumer_close(MlsConsumer *consumer)
{
	mls_ask_finish();
	open_consumer = NULL;
	if (consumer->queue != NULL)
	{
		rd_kafka_queue_io_event_enable(consumer->queue, -1, NULL, 0);
		rd_kafka_queue_destroy(consumer->queue);
	}
	if (consumer->topic != NULL)
		rd_kafka_topic_destroy(consumer->topic);
	/* Without the group's farewell: there is no group, and it may wait for a broker that is gone. */
	if (consumer->client != NULL)
		rd_kafka_destroy_flags(consumer->client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	mls_login_close(consumer->login);
	if (consumer->pipe[0] >= 0)
		close(consumer->pipe[0]);
	if (consumer->pipe[1] >= 0)
		close(consumer->pipe[1]);
	free(consumer->partitions);
	free(consumer->topic_name);
	free(consumer);
}

/* Keep why a request to the hub failed, unless something more telling is known. */
static void
note_failure(MlsConsumer *consumer, rd_kafka_resp_err_t err)
{
	char message[sizeof(consumer->trouble.message)];

	if ((err == RD_KAFKA_RESP_ERR__TRANSPORT || err == RD_KAFKA_RESP_ERR__TIMED_OUT) &&
		consumer->trouble.message[0] != '\0')
		return;
	snprintf(message, sizeof(message), "%s: topic \"%s\": %s", rd_kafka_err2name(err), consumer->topic_name,
			 rd_kafka_err2str(err));
	note_trouble(consumer, message);
}

/* What is asked of the hub, in a thread; its answer. */
typedef struct Question
{
	MlsConsumer *consumer;
	int timeout_ms;
	int partition;
	rd_kafka_topic_partition_list_t *offsets; /* asked for, and found */
	rd_kafka_resp_err_t err;
	int count;
	int64_t low;
	int64_t high;
} Question;

static Question *
make_question(MlsConsumer *consumer, int timeout_ms)
{
	Question *question = calloc(1, sizeof(Question));

	if (question == NULL)
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	question->consumer = consumer;
	question->timeout_ms = timeout_ms;
	return question;
}

/* Note what went wrong, if anything did; true if nothing. */
static bool
end_question(Question *question)
{
	bool answered = question->err == RD_KAFKA_RESP_ERR_NO_ERROR;

	if (!answered)
		note_failure(question->consumer, question->err);
	if (question->offsets != NULL)
		rd_kafka_topic_partition_list_destroy(question->offsets);
	free(question);
	return answered;
}

static void
ask_partitions(void *arg)
{
	Question *q = arg;
	const struct rd_kafka_metadata *metadata = NULL;

	q->count = -1;
	q->err = rd_kafka_metadata(q->consumer->client, 0, q->consumer->topic, &metadata, q->timeout_ms);
	if (q->err == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1)
	{
		q->err = metadata->topics[0].err;
		if (q->err == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topics[0].partition_cnt > 0)
			q->count = metadata->topics[0].partition_cnt;
	}
	if (metadata != NULL)
		rd_kafka_metadata_destroy(metadata);
}

static void
ask_ends(void *arg)
{
	Question *q = arg;

	q->err = rd_kafka_query_watermark_offsets(q->consumer->client, q->consumer->topic_name, q->partition, &q->low,
											  &q->high, q->timeout_ms);
}

static void
ask_offsets(void *arg)
{
	Question *q = arg;

	q->err = rd_kafka_offsets_for_times(q->consumer->client, q->offsets, q->timeout_ms);
	for (int i = 0; i < q->offsets->cnt && q->err == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
		q->err = q->offsets->elems[i].err;
}

int
mls_consumer_count_partitions(MlsConsumer *consumer, int timeout_ms)
{
	Question *question = make_question(consumer, timeout_ms);
	int count;

	mls_ask(ask_partitions, question);
	count = question->count;
	return end_question(question) ? count : -1;
}

bool
mls_consumer_find_ends(MlsConsumer *consumer, int partition, int64 *low, int64 *high, int timeout_ms)
{
	Question *question = make_question(consumer, timeout_ms);

	question->partition = partition;
	mls_ask(ask_ends, question);
	*low = question->low;
	*high = question->high;
	return end_question(question);
}

bool
mls_consumer_find_time(MlsConsumer *consumer, int partition, TimestampTz time, int64 *offset, int timeout_ms)
{
	int64 epoch_ms = (time / 1000) + ((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * 1000);
	Question *question = make_question(consumer, timeout_ms);
	int64 low;

	question->offsets = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(question->offsets, consumer->topic_name, partition)->offset = Max(epoch_ms, 0);
	mls_ask(ask_offsets, question);
	*offset = question->offsets->elems[0].offset;
	if (!end_question(question))
		return false;
	return *offset >= 0 || mls_consumer_find_ends(consumer, partition, &low, offset, timeout_ms);
}

bool
mls_consumer_assign(MlsConsumer *consumer, const MlsStreamPosition *positions, int count)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_resp_err_t err;

	free(consumer->partitions);
	consumer->npartitions = 0;
	consumer->partitions = malloc(sizeof(int) * Max(count, 1));
	if (consumer->partitions == NULL)
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	list = rd_kafka_topic_partition_list_new(Max(count, 1));
	for (int i = 0; i < count; i++)
	{
		rd_kafka_topic_partition_list_add(list, consumer->topic_name, positions[i].partition)->offset =
			positions[i].next_offset;
		consumer->partitions[consumer->npartitions++] = positions[i].partition;
	}
	err = rd_kafka_assign(consumer->client, list);
	rd_kafka_topic_partition_list_destroy(list);
	if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
		note_failure(consumer, err);
	return err == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* The consumer's partitions, each with offset (or time) where. */
static rd_kafka_topic_partition_list_t *
list_partitions(MlsConsumer *consumer, int64 where)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(Max(consumer->npartitions, 1));

	for (int i = 0; i < consumer->npartitions; i++)
		rd_kafka_topic_partition_list_add(list, consumer->topic_name, consumer->partitions[i])->offset = where;
	return list;
}

/* See the file's header. Nobody waits for the answer. */
static void
nudge(MlsConsumer *consumer)
{
	rd_kafka_topic_partition_list_t *list;

	if (consumer->taken < NUDGE_EVENTS && consumer->taken_bytes < NUDGE_BYTES)
		return;
	consumer->taken = consumer->taken_bytes = 0;
	list = list_partitions(consumer, RD_KAFKA_OFFSET_END);
	(void) rd_kafka_offsets_for_times(consumer->client, list, 0);
	rd_kafka_topic_partition_list_destroy(list);
}

bool
mls_consumer_find_all_ends(MlsConsumer *consumer, int64 *ends, int timeout_ms)
{
	Question *question = make_question(consumer, timeout_ms);

	question->offsets = list_partitions(consumer, RD_KAFKA_OFFSET_END);
	mls_ask(ask_offsets, question);
	for (int i = 0; i < question->offsets->cnt; i++)
		ends[i] = question->offsets->elems[i].offset;
	return end_question(question);
}

int
mls_consumer_take(MlsConsumer *consumer, rd_kafka_message_t **messages, int max)
{
	char drained[64];
	ssize_t count;

	while (read(consumer->pipe[0], drained, sizeof(drained)) > 0)
		;
	count = rd_kafka_consume_batch_queue(consumer->queue, 0, messages, max);
	for (ssize_t i = 0; i < count; i++)
		consumer->taken_bytes += messages[i]->len;
	consumer->taken += Max(count, 0);
	nudge(consumer);
	return (int) Max(count, 0);
}

void
mls_consumer_wait(MlsConsumer *consumer, long ms, uint32 wait_event)
{
	int fired;

	mls_login_keep(consumer->login, consumer->client);
	fired = WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_SOCKET_READABLE | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
							  consumer->pipe[0], ms, wait_event);

	if ((fired & WL_LATCH_SET) != 0)
		ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

int64
mls_consumer_known_end(MlsConsumer *consumer, int partition)
{
	int64_t low = -1;
	int64_t high = -1;

	if (rd_kafka_get_watermark_offsets(consumer->client, consumer->topic_name, partition, &low, &high) !=
		RD_KAFKA_RESP_ERR_NO_ERROR)
		return -1;
	return high >= 0 ? high : -1;
}

const MlsConsumerTrouble *
mls_consumer_trouble(MlsConsumer *consumer)
{
	return &consumer->trouble;
}
