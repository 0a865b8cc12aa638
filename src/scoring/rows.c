/*
 * rows.c - the rows a scan has read and not yet handed up. See rows.h.
 *
 * Rows stand in blocks; a block's by-reference values lie in an arena of its own, so that freeing a row is moving an
 * index and freeing a block is putting it on a list.
 */
#include "scoring/rows.h"

#include "utils/datum.h"
#include "utils/expandeddatum.h"
#include "utils/memutils.h"

#define BLOCK_ROWS 256
#define ARENA_CHUNK (16 * 1024)

typedef struct RowBlock
{
	struct RowBlock *next;
	MemoryContext overflow; /* values that the arena has no room for; NULL until needed */
	Size overflow_size;
	char *arena;
	Size arena_used;
	int first; /* next row to pop */
	int count; /* rows pushed */
	Datum *values;
	bool *nulls;
	MlsTicket *tickets;
} RowBlock;

typedef struct KeptColumn
{
	AttrNumber attno;
	int16 len;
	bool byval;
} KeptColumn;

struct MlsRows
{
	MemoryContext context;
	int ncolumns;
	int ntickets;
	AttrNumber last_attno; /* highest that is kept */
	KeptColumn *columns;
	RowBlock *head;
	RowBlock *tail;
	RowBlock *spare;
	int64 first_number; /* of the head row */
	int64 count;
	Size memory;
};

MlsRows *
mls_rows_create(TupleDesc desc, const AttrNumber *attnos, int ncolumns, int ntickets)
{
	MlsRows *rows = palloc0(sizeof(MlsRows));

	rows->context = CurrentMemoryContext;
	rows->ncolumns = ncolumns;
	rows->ntickets = ntickets;
	rows->columns = palloc(sizeof(KeptColumn) * Max(ncolumns, 1));
	for (int i = 0; i < ncolumns; i++)
	{
		rows->columns[i].attno = attnos[i];
		rows->columns[i].len = TupleDescAttr(desc, attnos[i] - 1)->attlen;
		rows->columns[i].byval = TupleDescAttr(desc, attnos[i] - 1)->attbyval;
		rows->last_attno = Max(rows->last_attno, attnos[i]);
	}
	return rows;
}

int64
mls_rows_next_number(const MlsRows *rows)
{
	return rows->first_number + rows->count;
}

static Size
block_size(const MlsRows *rows)
{
	return ARENA_CHUNK +
		   BLOCK_ROWS * (rows->ncolumns * (sizeof(Datum) + sizeof(bool)) + rows->ntickets * sizeof(MlsTicket));
}

static RowBlock *
make_block(MlsRows *rows)
{
	MemoryContext old = MemoryContextSwitchTo(rows->context);
	RowBlock *block = palloc0(sizeof(RowBlock));

	block->values = palloc(sizeof(Datum) * BLOCK_ROWS * Max(rows->ncolumns, 1));
	block->nulls = palloc(sizeof(bool) * BLOCK_ROWS * Max(rows->ncolumns, 1));
	block->tickets = palloc(sizeof(MlsTicket) * BLOCK_ROWS * Max(rows->ntickets, 1));
	block->arena = palloc(ARENA_CHUNK);
	MemoryContextSwitchTo(old);
	return block;
}

static RowBlock *
append_block(MlsRows *rows)
{
	RowBlock *block = rows->spare;

	if (block)
		rows->spare = block->next;
	else
		block = make_block(rows);
	block->next = NULL;
	block->first = block->count = 0;
	block->arena_used = 0;
	if (rows->tail)
		rows->tail->next = block;
	else
		rows->head = block;
	rows->tail = block;
	rows->memory += block_size(rows);
	return block;
}

/* Room for size bytes that lives as long as the block. */
static char *
arena_alloc(MlsRows *rows, RowBlock *block, Size size)
{
	char *space;

	size = MAXALIGN(size);
	if (likely(block->arena_used + size <= ARENA_CHUNK))
	{
		space = block->arena + block->arena_used;
		block->arena_used += size;
		return space;
	}
	if (block->overflow == NULL)
		block->overflow = AllocSetContextCreate(rows->context, "ml_score rows", ALLOCSET_DEFAULT_SIZES);
	block->overflow_size += size;
	rows->memory += size;
	return MemoryContextAllocHuge(block->overflow, size);
}

static Datum
copy_value(MlsRows *rows, RowBlock *block, const KeptColumn *column, Datum value)
{
	Size size;
	char *copy;

	if (column->len == -1 && VARATT_IS_EXTERNAL_EXPANDED(DatumGetPointer(value)))
	{
		ExpandedObjectHeader *object = DatumGetEOHP(value);

		size = EOH_get_flat_size(object);
		copy = arena_alloc(rows, block, size);
		EOH_flatten_into(object, copy, size);
		return PointerGetDatum(copy);
	}
	size = datumGetSize(value, false, column->len);
	copy = arena_alloc(rows, block, size);
	memcpy(copy, DatumGetPointer(value), size);
	return PointerGetDatum(copy);
}

void
mls_rows_push(MlsRows *rows, TupleTableSlot *slot, const MlsTicket *tickets)
{
	RowBlock *block = rows->tail;
	Datum *values;
	bool *nulls;

	if (block == NULL || block->count == BLOCK_ROWS)
		block = append_block(rows);
	values = block->values + (Size) block->count * rows->ncolumns;
	nulls = block->nulls + (Size) block->count * rows->ncolumns;
	slot_getsomeattrs(slot, rows->last_attno);
	for (int i = 0; i < rows->ncolumns; i++)
	{
		const KeptColumn *column = &rows->columns[i];
		Datum value = slot->tts_values[column->attno - 1];

		nulls[i] = slot->tts_isnull[column->attno - 1];
		values[i] = column->byval || nulls[i] ? value : copy_value(rows, block, column, value);
	}
	memcpy(block->tickets + (Size) block->count * rows->ntickets, tickets, sizeof(MlsTicket) * rows->ntickets);
	block->count++;
	rows->count++;
}

bool
mls_rows_head(MlsRows *rows, MlsRow *row)
{
	RowBlock *block = rows->head;

	if (rows->count == 0)
		return false;
	row->number = rows->first_number;
	row->values = block->values + (Size) block->first * rows->ncolumns;
	row->nulls = block->nulls + (Size) block->first * rows->ncolumns;
	row->tickets = block->tickets + (Size) block->first * rows->ntickets;
	return true;
}

/* The head block's rows are all used: keep it for later. */
static void
retire_head(MlsRows *rows)
{
	RowBlock *block = rows->head;

	rows->head = block->next;
	if (rows->head == NULL)
		rows->tail = NULL;
	rows->memory -= block_size(rows);
	if (block->overflow)
	{
		MemoryContextDelete(block->overflow);
		block->overflow = NULL;
		rows->memory -= block->overflow_size;
		block->overflow_size = 0;
	}
	block->next = rows->spare;
	rows->spare = block;
}

void
mls_rows_pop(MlsRows *rows)
{
	Assert(rows->count > 0);
	rows->head->first++;
	rows->count--;
	rows->first_number++;
	if (rows->head->first == BLOCK_ROWS)
		retire_head(rows);
}

int64
mls_rows_count(const MlsRows *rows)
{
	return rows->count;
}

Size
mls_rows_memory(const MlsRows *rows)
{
	return rows->memory;
}

void
mls_rows_reset(MlsRows *rows)
{
	rows->first_number += rows->count;
	rows->count = 0;
	while (rows->head)
		retire_head(rows);
}
