/*
 * ask.c - see ask.h.
 *
 * librdkafka has no way to end such a call early. So a process that is told to end while one is under way leaves without
 * waiting for it: by _exit, once PostgreSQL's own clean-up is done, because libraries must not clean up beside threads
 * that still use them.
 */
#include "stream/ask.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "miscadmin.h"
#include "ml_score.h"
#include "storage/latch.h"
#include "utils/wait_event.h"

#define LOOK_INTERVAL_MS 1000

typedef struct Asking
{
	void (*call)(void *question);
	void *question;
} Asking;

static Asking asking;
static pthread_t thread;
static bool pending;
static int done[2] = {-1, -1}; /* a byte comes when the call has returned */

static void (*look_meanwhile)(void *arg); /* or NULL */
static void *look_arg;

static void *
run(void *arg)
{
	asking.call(asking.question);
	(void) !write(done[1], "", 1);
	return NULL;
}

static void
leave_at_once(int status, void *arg)
{
	if (pending)
		_exit(status);
}

static void
prepare(void)
{
	if (done[0] >= 0)
		return;
	if (pipe(done) != 0 || fcntl(done[0], F_SETFL, O_NONBLOCK) != 0)
		ereport(ERROR, errcode_for_file_access(), errmsg("could not make a pipe: %m"));
	on_exit(leave_at_once, NULL);
}

/* Start the thread, which leaves all signals to us. */
static bool
start(void)
{
	sigset_t all;
	sigset_t before;
	int failed;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&thread, NULL, run, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return failed == 0;
}

/* Has the call returned? */
static bool
take_end(void)
{
	char byte;

	if (read(done[0], &byte, 1) != 1)
		return false;
	pthread_join(thread, NULL);
	pending = false;
	return true;
}

void
mls_ask_finish(void)
{
	static uint32 wait_event = 0;

	if (wait_event == 0)
		wait_event = WaitEventExtensionNew("MlScoreStreamAsk");
	while (pending && !take_end())
	{
		int fired = WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_SOCKET_READABLE | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
									  done[0], LOOK_INTERVAL_MS, wait_event);

		if ((fired & WL_LATCH_SET) != 0)
			ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if ((fired & WL_TIMEOUT) != 0 && look_meanwhile != NULL)
			look_meanwhile(look_arg);
	}
}

void
mls_ask_look(void (*look)(void *arg), void *arg)
{
	look_meanwhile = look;
	look_arg = arg;
}

void
mls_ask(void (*call)(void *question), void *question)
{
	prepare();
	mls_ask_finish();
	asking = (Asking){call, question};
	pending = start();
	if (pending)
		mls_ask_finish();
	else
		call(question); /* no thread is to be had */
}

bool
mls_ask_is_pending(void)
{
	return pending;
}
