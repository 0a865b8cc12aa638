/*
 * rows.h - the rows a scan has read and not yet handed up, in order.
 *
 * Only the columns that something above still needs are kept, as plain values: forming and deforming tuples would cost
 * more than everything else that is done with a row here.
 */
#ifndef MLS_ROWS_H
#define MLS_ROWS_H

#include "ml_score.h"

#include "executor/tuptable.h"
#include "scoring/call.h"

typedef struct MlsRows MlsRows;

typedef struct MlsRow
{
	int64 number; /* ascending over the queue's life */
	Datum *values;
	bool *nulls;
	MlsTicket *tickets;
} MlsRow;

/*
 * A queue for the columns attnos[0..ncolumns) of rows that desc describes, with ntickets tickets a row. palloc'd in the
 * current context.
 */
extern MlsRows *mls_rows_create(TupleDesc desc, const AttrNumber *attnos, int ncolumns, int ntickets);

/* The number that the next row pushed will get. */
extern int64 mls_rows_next_number(const MlsRows *rows);

/* Copy slot's kept columns and the tickets to the queue's end. */
extern void mls_rows_push(MlsRows *rows, TupleTableSlot *slot, const MlsTicket *tickets);

/* The oldest row; false when there is none. Its values live until it is popped. */
extern bool mls_rows_head(MlsRows *rows, MlsRow *row);
extern void mls_rows_pop(MlsRows *rows);

extern int64 mls_rows_count(const MlsRows *rows);
extern Size mls_rows_memory(const MlsRows *rows);
extern void mls_rows_reset(MlsRows *rows);

#endif
