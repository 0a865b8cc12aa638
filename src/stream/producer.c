/*
 * producer.c - see producer.h.
 *
 * The idempotent producer keeps order and doubles nothing while it lives; what a dead process had sent without knowing
 * is sent again by the next one. The callbacks run inside rd_kafka_poll, in this thread, but touch no PostgreSQL memory
 * other than the events.
 */
#include "stream/producer.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "worker/worker.h"

#define REPORT_INTERVAL_MS 5

struct MlsProducer
{
	rd_kafka_t *client;
	int open; /* events without a report */
	char trouble[256];
	MlsLogin *login; /* or NULL */
};

static void
delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
	MlsProducer *producer = opaque;
	MlsOutEvent *event = message->_private;

	producer->open--;
	event->error = message->err;
	switch (message->err)
	{
		case RD_KAFKA_RESP_ERR_NO_ERROR:
			event->delivery = MLS_DELIVERED;
			break;
		case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
		case RD_KAFKA_RESP_ERR_INVALID_MSG:
		case RD_KAFKA_RESP_ERR_INVALID_RECORD:
			event->delivery = MLS_DELIVERY_REFUSED;
			break;
		default:
			event->delivery = MLS_DELIVERY_FAILED;
			break;
	}
}

static void
note_trouble(rd_kafka_t *client, int error, const char *reason, void *opaque)
{
	MlsProducer *producer = opaque;

	if (error == RD_KAFKA_RESP_ERR__AUTHENTICATION)
		mls_login_refused(producer->login);
	if (mls_kafka_refusal() != NULL)
		reason = mls_kafka_refusal();
	snprintf(producer->trouble, sizeof(producer->trouble), "%s", reason);
}

static void
free_producer(MlsProducer *producer)
{
	rd_kafka_purge(producer->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	rd_kafka_poll(producer->client, 0);
	rd_kafka_destroy(producer->client);
	mls_login_close(producer->login);
	free(producer);
}

/* Threads of librdkafka must not outlive the process's exit handlers. */
static void
close_at_exit(int code, Datum arg)
{
	free_producer((MlsProducer *) DatumGetPointer(arg));
}

MlsProducer *
mls_producer_open(rd_kafka_conf_t *conf, MlsLogin *login)
{
	MlsProducer *producer = calloc(1, sizeof(MlsProducer));
	char error[512];

	if (producer == NULL)
	{
		rd_kafka_conf_destroy(conf);
		mls_login_close(login);
		ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"));
	}
	mls_kafka_set(conf, "enable.idempotence", "true");
	mls_kafka_set(conf, "message.timeout.ms", "60000");
	mls_kafka_set(conf, "topic.metadata.propagation.max.ms", "5000"); /* a missing topic holds others up no longer */
	rd_kafka_conf_set_opaque(conf, producer);
	rd_kafka_conf_set_dr_msg_cb(conf, delivered);
	rd_kafka_conf_set_error_cb(conf, note_trouble);
	producer->client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
	if (producer->client == NULL)
	{
		rd_kafka_conf_destroy(conf);
		mls_login_close(login);
		free(producer);
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("could not make a Kafka producer"),
				errdetail("librdkafka says: %s", error));
	}
	producer->login = login;
	before_shmem_exit(close_at_exit, PointerGetDatum(producer));
	return producer;
}

void
mls_producer_close(MlsProducer *producer)
{
	cancel_before_shmem_exit(close_at_exit, PointerGetDatum(producer));
	free_producer(producer);
}

/* Hand an event over; false when the queue is full for now. */
static bool
hand_over(MlsProducer *producer, MlsOutEvent *event)
{
	rd_kafka_vu_t parts[] = {
		{.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = event->topic},
		{.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
		{.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {unconstify(char *, event->key), event->key_len}},
		{.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {unconstify(char *, event->value), event->value_len}},
		{.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = event},
		{.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = event->headers},
	};
	rd_kafka_error_t *error =
		rd_kafka_produceva(producer->client, parts, event->headers ? lengthof(parts) : lengthof(parts) - 1);
	rd_kafka_resp_err_t code = rd_kafka_error_code(error);
	rd_kafka_message_t report = {.err = code, ._private = event};

	rd_kafka_error_destroy(error);
	if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
		return false;
	producer->open++;
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		event->headers = NULL;
	else
		delivered(producer->client, &report, producer);
	return true;
}

void
mls_producer_send(MlsProducer *producer, MlsOutEvent *events, int n, uint32 wait_event)
{
	int handed = 0;

	mls_login_keep(producer->login, producer->client);
	producer->open = 0;
	while (handed < n || producer->open > 0)
	{
		while (handed < n && hand_over(producer, &events[handed]))
			handed++;
		if (rd_kafka_poll(producer->client, 0) == 0)
			mls_worker_sleep(REPORT_INTERVAL_MS, wait_event);
	}
	for (int i = 0; i < n; i++)
	{
		if (events[i].headers)
			rd_kafka_headers_destroy(events[i].headers);
		events[i].headers = NULL;
	}
}

const char *
mls_producer_trouble(MlsProducer *producer)
{
	return producer->trouble;
}

bool
mls_producer_is_broken(MlsProducer *producer)
{
	char reason[64];

	return rd_kafka_fatal_error(producer->client, reason, sizeof(reason)) != RD_KAFKA_RESP_ERR_NO_ERROR;
}
