/*
 * reading.h - a transaction to read catalogs in, wherever one is needed.
 */
#ifndef MLS_READING_H
#define MLS_READING_H

typedef struct MlsReading
{
	bool is_own; /* the transaction was begun for it */
	MemoryContext cxt;
} MlsReading;

/*
 * Begin, and end. In a transaction nothing happens. Outside of one (background work, which waits for the network there) one
 * is opened for the while, without a snapshot of its own. The memory context stays.
 */
extern void mls_reading_begin(MlsReading *reading);
extern void mls_reading_end(const MlsReading *reading);

#endif
