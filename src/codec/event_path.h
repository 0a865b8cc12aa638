/*
 * event_path.h - where in an event's JSON the columns' values are: a tree of names and subscripts that is walked along
 * with the JSON, so that every value is met once. Pure, but for the memory.
 *
 * A path is '$' (all of it) followed by .name, ."any name", ['any name'] or [subscript from 0], in any number.
 */
#ifndef MLS_EVENT_PATH_H
#define MLS_EVENT_PATH_H

#include "codec/json_read.h"
#include "codec/key_hint.h"

typedef struct MlsPathNode MlsPathNode;

/* A column that is at a node; of several places for one column the lowest rank wins. */
typedef struct MlsPathTarget
{
	int column;
	int rank;
	bool alike; /* a name that people write differently is the same */
} MlsPathTarget;

struct MlsPathNode
{
	char *name; /* UTF-8; NULL for an array's element */
	int index;
	bool alike; /* a target is */
	MlsPathNode *children;
	int nchildren;
	MlsPathTarget *targets;
	int ntargets;
	MlsKeyHints hints;
};

/* What was found for a column. */
typedef struct MlsPathItem
{
	MlsSpan span; /* MLS_SPAN_NONE: nothing */
	int rank;
	bool exact; /* under the very name */
} MlsPathItem;

/* Add a path (in UTF-8) that leads to column. NULL, or the palloc'd reason why it is none. */
extern char *mls_path_add(MlsPathNode *root, const char *path, int column, int rank);

/* The member of node that has this name, added when it is not there yet. */
extern MlsPathNode *mls_path_member(MlsPathNode *node, const char *name);

/* Say that column is at node; alike: also when the member's name is written differently. */
extern void mls_path_target(MlsPathNode *node, int column, int rank, bool alike);

/* Set items of the columns that are in value, which was checked; those not found are left as they are. */
extern void mls_path_collect(MlsPathNode *node, const MlsSpan *value, bool exact, MemoryContext cxt,
							 MlsPathItem *items);

/*
 * The same for an object that r is about to open and that nobody has checked yet; false when it is malformed, with the
 * error in r.
 */
extern bool mls_path_read(MlsPathNode *root, MlsJsonReader *r, MemoryContext cxt, MlsPathItem *items);

#endif
