/*
 * reading.c - see reading.h.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/reading.h"
#include "utils/palloc.h"

void
mls_reading_begin(MlsReading *reading)
{
	reading->cxt = CurrentMemoryContext;
	reading->is_own = !IsTransactionState();
	if (!reading->is_own)
		return;
	StartTransactionCommand();
	MemoryContextSwitchTo(reading->cxt);
}

void
mls_reading_end(const MlsReading *reading)
{
	if (!reading->is_own)
		return;
	CommitTransactionCommand();
	MemoryContextSwitchTo(reading->cxt);
}
