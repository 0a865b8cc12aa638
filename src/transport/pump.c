/*
 * pump.c - all of this backend's exchanges, moved along.
 *
 * An exchange waits (for its backoff, the breaker, a slot of the limiter, a credential), is on the wire, then is done or
 * waits again. One loop sees to them all, whoever pumps.
 */
#include "postgres.h"

#include "transport/endpoint.h"
#include "utils/timestamp.h"

static dlist_head waiting_exchanges = DLIST_STATIC_INIT(waiting_exchanges);
static int on_wire;
static bool renewing;		/* a credential is being fetched, by exchanges of its own */
static int unreported_ends; /* exchanges that ended since mls_exchange_pump returned */

void
mls_exchange_enter(MlsExchange *exchange, MlsExchangeState state)
{
	if (exchange->state == MLS_EXCHANGE_WAITING)
		dlist_delete(&exchange->waiting_node);
	else if (exchange->state == MLS_EXCHANGE_ON_WIRE)
		on_wire--;
	exchange->state = state;
	if (state == MLS_EXCHANGE_WAITING)
		dlist_push_tail(&waiting_exchanges, &exchange->waiting_node);
	else if (state == MLS_EXCHANGE_ON_WIRE)
		on_wire++;
}

void
mls_exchange_end(MlsExchange *exchange)
{
	mls_exchange_enter(exchange, MLS_EXCHANGE_DONE);
	unreported_ends++;
}

/* Has exchange to wait for a new credential before its next attempt? */
static bool
needs_credential(MlsExchange *exchange)
{
	const MlsAuthorization *authorization = &exchange->endpoint->authorization;

	if (!exchange->awaits_credential && authorization->renew_at != DT_NOEND && mls_exchange_may_renew(exchange) &&
		authorization->renew_at <= GetCurrentTimestamp())
		exchange->awaits_credential = true;
	return exchange->awaits_credential;
}

/*
 * Start what may start of the waiting. Returns when to look again at the latest (us), PG_INT64_MAX for no need;
 * *slot_entry, if not NULL, is an entry whose slots some exchange waits for.
 */
static int64
start_waiting(MlsEntry **slot_entry)
{
	int64 look_at = PG_INT64_MAX;
	int64 now;
	dlist_mutable_iter iter;

	*slot_entry = NULL;
	if (dlist_is_empty(&waiting_exchanges))
		return look_at;

	now = mls_http_now();
	dlist_foreach_modify(iter, &waiting_exchanges)
	{
		MlsExchange *exchange = dlist_container(MlsExchange, waiting_node, iter.cur);
		int64 ask_at = exchange->not_before;
		MlsAdmission admission;

		if (needs_credential(exchange))
			continue; /* mls_exchange_pump sees to that */
		admission = ask_at > now ? MLS_ADMISSION_ASK_AGAIN : mls_exchange_admit(exchange, now, &ask_at);

		switch (admission)
		{
			case MLS_ADMISSION_GO:
				mls_exchange_start_attempt(exchange);
				break;
			case MLS_ADMISSION_REFUSED:
				mls_exchange_refuse(exchange, ask_at - now);
				break;
			case MLS_ADMISSION_WAIT_FOR_SLOT:
				*slot_entry = exchange->endpoint->entry;
				look_at = Min(look_at, now + MLS_SLOT_POLL_US);
				break;
			case MLS_ADMISSION_ASK_AGAIN:
				look_at = Min(look_at, ask_at);
				break;
		}
	}
	return look_at;
}

/* Let the exchanges of endpoint that wait for a credential go on, changed telling whether there is another. */
static void
resume_exchanges(MlsEndpoint *endpoint, bool changed)
{
	dlist_iter iter;

	dlist_foreach(iter, &endpoint->exchanges)
	{
		MlsExchange *exchange = dlist_container(MlsExchange, node, iter.cur);

		if (!exchange->awaits_credential)
			continue;
		exchange->awaits_credential = false;
		if (exchange->transfer != NULL && !changed)
			mls_exchange_end_refused(exchange);
		else
			mls_exchange_drop_transfer(exchange);
	}
}

/* An exchange that waits for a credential, if possible one that was refused; NULL when none does. */
static MlsExchange *
find_awaiting(void)
{
	MlsExchange *found = NULL;
	dlist_iter iter;

	dlist_foreach(iter, &waiting_exchanges)
	{
		MlsExchange *exchange = dlist_container(MlsExchange, waiting_node, iter.cur);

		if (exchange->awaits_credential && (found == NULL || exchange->transfer != NULL))
			found = exchange;
	}
	return found;
}

/* Fetch the credentials that exchanges wait for. That takes exchanges that come through here again, and need none. */
static void
renew_credentials(void)
{
	MlsExchange *exchange;

	renewing = true;
	PG_TRY();
	{
		while ((exchange = find_awaiting()) != NULL)
		{
			bool refused = exchange->transfer != NULL;
			bool changed =
				mls_endpoint_renew(exchange->endpoint, refused, refused ? exchange->transfer->reply.challenge : "");

			resume_exchanges(exchange->endpoint, changed);
		}
	}
	PG_FINALLY();
	{
		renewing = false;
	}
	PG_END_TRY();
}

/*
 * One round without waiting. Returns when to look again at the latest (us), PG_INT64_MAX for no need; *slot_entry as
 * start_waiting has it.
 */
static int64
turn(MlsEntry **slot_entry)
{
	int64 look_at;

	mls_http_drive();
	do
	{
		MlsTransfer *transfer;

		while ((transfer = mls_http_next_finished()) != NULL)
			mls_exchange_end_attempt(transfer->owner);
		look_at = start_waiting(slot_entry);
	} while (mls_http_has_finished()); /* an attempt may fail as it begins */
	return look_at;
}

/* Wait for the network, the latch (another backend gave a slot back), or until look_at, if that is a time. */
static void
wait_until(int64 look_at)
{
	if (look_at == PG_INT64_MAX)
		mls_http_wait(-1);
	else
		mls_http_wait((long) Max((look_at - mls_http_now() + 999) / 1000, 0)); /* rounded up: too early would spin */
}

/* Nothing more can be done now: wait, and look what has come of it. slot_entry and the result as turn has them. */
static int64
await(MlsEntry **slot_entry, int64 look_at)
{
	MlsEntry *queued_for = *slot_entry != NULL && (*slot_entry)->shared ? *slot_entry : NULL;

	if (queued_for != NULL)
	{
		/* A slot that came free before we stood in line wakes nobody: look once more. */
		ConditionVariablePrepareToSleep(&queued_for->slot_freed);
		look_at = turn(slot_entry);
	}
	if (unreported_ends == 0)
	{
		wait_until(look_at);
		look_at = turn(slot_entry);
	}
	if (queued_for != NULL)
		ConditionVariableCancelSleep();
	return look_at;
}

static bool
is_idle(void)
{
	return on_wire == 0 && dlist_is_empty(&waiting_exchanges);
}

/* Make headway, and with wait until some exchange ended. */
static void
advance(bool wait)
{
	MlsEntry *slot_entry;
	int64 look_at;

	if (is_idle())
		return;
	look_at = turn(&slot_entry);
	while (wait && unreported_ends == 0 && !is_idle())
	{
		/* While one is being fetched, who waits for it can but wait. */
		if (renewing || find_awaiting() == NULL)
			look_at = await(&slot_entry, look_at);
		else
		{
			renew_credentials();
			look_at = turn(&slot_entry);
		}
	}
}

void
mls_exchange_pump(bool wait)
{
	advance(wait);
	unreported_ends = 0;
}

void
mls_exchange_drive(void)
{
	advance(false);
}

/* Others' ends stay to be reported to whoever pumps. */
void
mls_exchange_wait(const MlsExchange *exchange)
{
	int ends = unreported_ends;

	while (!mls_exchange_done(exchange))
	{
		unreported_ends = 0;
		advance(true);
		ends += unreported_ends;
	}
	unreported_ends = ends;
}

void
mls_exchange_sleep(int ms)
{
	int64 until = mls_http_now() + (int64) ms * 1000;
	MlsEntry *slot_entry;

	for (int64 now = mls_http_now(); now < until; now = mls_http_now())
		wait_until(Min(until, turn(&slot_entry)));
}

void
mls_exchange_begin(MlsExchange *exchange)
{
	MlsEntry *slot_entry;

	mls_exchange_enter(exchange, MLS_EXCHANGE_WAITING);
	(void) turn(&slot_entry);
}
