/*
 * ask.h - calls of librdkafka that wait for a hub, made so that this process can be told to end meanwhile.
 */
#ifndef MLS_ASK_H
#define MLS_ASK_H

#include "postgres.h"

/*
 * Have call(question) run in a thread of its own, and return when it has. Serves interrupts, so it may raise, or end the
 * process: the call then goes on, with question, which must be malloc'd for that reason and is not to be freed.
 * call must not touch anything of PostgreSQL.
 */
extern void mls_ask(void (*call)(void *question), void *question);

/* Have look(arg) called now and then while a call is waited for. It must not ask anything itself. */
extern void mls_ask_look(void (*look)(void *arg), void *arg);

/* Wait for a call that went on after an error. */
extern void mls_ask_finish(void);

/* Is there such a call? What it uses must stay. */
extern bool mls_ask_is_pending(void);

#endif
