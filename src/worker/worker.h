/*
 * worker.h - background work: who wants it, who runs it.
 *
 * Launcher      one process a server: keeps a supervisor in each database that has the extension.
 * Supervisor    one process a database: keeps the wanted workers running, restarts what ends, with growing delays.
 * Worker        one process for one piece of work, in the name of the role that owns it.
 * Kind          a sort of work: a query that lists what is wanted, and the function that does it.
 *
 * A module registers its kinds from _PG_init, and calls mls_worker_wake_at_commit() in a transaction that changes what
 * is wanted. All of it needs shared_preload_libraries, and none of it runs on a standby.
 */
#ifndef MLS_WORKER_H
#define MLS_WORKER_H

#include "ml_score.h"

#include "utils/timestamp.h"

#define MLS_WORKER_KINDS_MAX 16

typedef struct MlsWorker MlsWorker;

typedef struct MlsWorkerKind
{
	const char *name; /* "stream": shows as backend_type "ml_score stream" */

	/*
	 * What is wanted in a database: a query with the columns key bigint, name text, owner oid, workers integer and
	 * version bigint. Run by the supervisor as a superuser with search_path pg_catalog. Workers 0 .. workers - 1 of each
	 * key are kept running; those of an older version are ended and started anew.
	 */
	const char *wanted;

	/*
	 * The work, in a process of its own, connected to the database as the owner, outside of a transaction. SIGTERM ends
	 * it at the next CHECK_FOR_INTERRUPTS. When it returns or raises and is still wanted, it is started again, after a
	 * second and then ever longer ones up to a minute; if it ran for a minute, at a second again.
	 */
	void (*main)(const MlsWorker *worker);
} MlsWorkerKind;

struct MlsWorker
{
	const MlsWorkerKind *kind;
	int64 key;
	int64 version;
	Oid owner;
	int index; /* 0 .. count - 1: which of the key's workers this is */
	int count;
	const char *name;
};

#define MLS_WORKER_SUPERVISOR (-1) /* in place of a kind: the process that starts the workers has no slot itself */

/* How a wanted worker is, for views. */
typedef struct MlsWorkerStatus
{
	Oid dboid;
	int kind;
	int64 key;
	int index;
	Oid owner; /* InvalidOid: a supervisor's */
	char name[NAMEDATALEN];
	int pid;			  /* 0: not running */
	bool short_of_slots;  /* max_worker_processes does not allow it */
	int64 restarts;		  /* starts after the first, since the supervisor began */
	TimestampTz last_end; /* 0: never ended by itself */
} MlsWorkerStatus;

/* From _PG_init, before mls_worker_init. The struct stays the caller's. */
extern void mls_worker_register(const MlsWorkerKind *kind);

/* From _PG_init. */
extern void mls_worker_init(void);

/* Raise OBJECT_NOT_IN_PREREQUISITE_STATE unless workers can run in this server; what is "streams" or the like. */
extern void mls_worker_require(const char *what);

/* Have this database's supervisor look again as soon as the running transaction is committed. */
extern void mls_worker_wake_at_commit(void);

/* The same for one key of a kind, whose worker, if it runs, is woken by its latch. Nothing where no workers run. */
extern void mls_worker_tell_at_commit(const MlsWorkerKind *kind, int64 key);

/* Names this database of this server, for rows that say what is to be done; palloc'd. ml_score.home() in SQL. */
extern char *mls_worker_home(void);

/* Status of this database's wanted workers of a kind (NULL: of all, and of the supervisor that is missing); palloc'd. */
extern MlsWorkerStatus *mls_worker_list(const MlsWorkerKind *kind, int *count);

/* A process that works for the key of a kind in this database; 0: none does. Cannot fail: for a transaction's end. */
extern int mls_worker_pid(const MlsWorkerKind *kind, int64 key);

/*
 * In a worker: begin a transaction with a snapshot, as the owner, who cannot become anyone else in it; and commit it,
 * which goes back to the memory context in which it was begun. After an error: mls_worker_abort().
 */
extern void mls_worker_begin(void);
extern void mls_worker_commit(void);
extern void mls_worker_abort(void);

/* In a worker, outside of a transaction: take over settings that were changed, as mls_worker_sleep does. */
extern void mls_worker_reload(void);

/*
 * In a worker, outside of a transaction: sleep until the latch is set or ms have passed (negative: no limit). Ends the
 * process when it is told to. True when the latch was set.
 */
extern bool mls_worker_sleep(long ms, uint32 wait_event);

/*
 * In a worker, outside of a transaction: call round, in cxt, which is emptied after each, until it says -1; else it says how
 * many milliseconds the next one may wait, unless the latch is set.
 */
typedef int (*MlsWorkerRound)(const MlsWorker *worker, MemoryContext cxt);
extern void mls_worker_rounds(const MlsWorker *worker, MlsWorkerRound round, uint32 wait_event);

/*
 * In a worker, outside of a transaction: call work, which begins and commits its own. What it raises is caught, and
 * returned in cxt, with its transaction aborted; NULL when it raised nothing. That the process is to end is not caught.
 * The current context is cxt while it runs, and afterwards.
 */
extern ErrorData *mls_worker_try(void (*work)(void *arg), void *arg, MemoryContext cxt);

#endif
