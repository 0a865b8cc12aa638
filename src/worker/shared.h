/*
 * shared.h - what the processes of src/worker share: who runs where, who must stay away, what the launcher is told.
 */
#ifndef MLS_WORKER_SHARED_H
#define MLS_WORKER_SHARED_H

#include "worker/worker.h"

#define MLS_WORKER_LIBRARY "ml_score"

/* What the launcher is told of a database. */
typedef enum MlsLauncherNews
{
	MLS_NEWS_LOOK,	   /* perhaps it has work by now */
	MLS_NEWS_SERVED,   /* its supervisor found some */
	MLS_NEWS_UNSERVED, /* its supervisor found none, and ends */
	MLS_NEWS_ALL	   /* look at the list of databases, and into each without a supervisor */
} MlsLauncherNews;

typedef struct MlsLauncherMessage
{
	MlsLauncherNews news;
	Oid dboid;
} MlsLauncherMessage;

/* The postmaster's part, from _PG_init. */
extern void mls_worker_shmem_init(void);

/* The launcher: be the one that messages go to; take the next message, false when there is none. */
extern void mls_worker_shared_be_launcher(void);
extern bool mls_worker_shared_next_message(MlsLauncherMessage *message);

/* Tell the launcher. */
extern void mls_worker_shared_tell(MlsLauncherNews news, Oid dboid);

/*
 * A supervisor (0) or a worker of the supervisor with this pid says that it is about to connect to a database; it is
 * forgotten when the process ends. False: it must not, because someone needs the database for himself, or because the
 * supervisor has ended.
 */
extern bool mls_worker_shared_enter(Oid dboid, int supervisor);

/* A supervisor: tell workers that an earlier one has left to end. False: none are left. */
extern bool mls_worker_shared_end_workers(void);

/* The supervisor has work, or no longer: whether commits reach it or the launcher. */
extern void mls_worker_shared_set_serving(bool serving);

/* Have the database's supervisor look again; the launcher, when there is none. */
extern void mls_worker_shared_wake(Oid dboid);

/* A transaction that would have woken somebody was prepared; was there one since the server started? */
extern void mls_worker_shared_note_prepared(void);
extern bool mls_worker_shared_was_prepared(void);

/*
 * Keep supervisor and workers out of a database: those that are there are told to end and waited for, a few seconds at
 * the most. Until mls_worker_shared_release(), which lets go of all that this process holds.
 */
extern void mls_worker_shared_hold(Oid dboid);
extern void mls_worker_shared_release(void);
extern bool mls_worker_shared_is_held(Oid dboid);

/* Show a wanted worker's status under slot (-1: none yet); the slot, or -1 when there is no room. */
extern int mls_worker_shared_show(int slot, const MlsWorkerStatus *status);
extern void mls_worker_shared_unshow(int slot);

/* process.c: what stands in bgw_extra for a worker. */
typedef struct MlsWorkerOrder
{
	Oid dboid;
	Oid owner;
	int64 key;
	int64 version;
	int kind;
	int index;
	int count;
	int supervisor; /* who gave it, pid */
	bool owner_logs_in;
	char name[NAMEDATALEN];
} MlsWorkerOrder;

/* Have the launcher read the list of databases when the running transaction is committed. */
extern void mls_worker_list_at_commit(void);

/* The registered kinds. */
extern const MlsWorkerKind *mls_worker_kind(int number); /* NULL for what is none */

/* hold.c: have utility statements that need a database to themselves get it. From _PG_init. */
extern void mls_worker_hold_init(void);

#endif
