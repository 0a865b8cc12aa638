/*
 * ledger.h - the extension's own tables of runs, written as their owner by fixed statements.
 *
 * Who may have something written there is decided before: by the privilege to call a function, or by what a worker is
 * for. Between open and close nothing but statements of this library runs.
 */
#ifndef MLS_LEDGER_H
#define MLS_LEDGER_H

#include "ml_score.h"

#include "executor/spi.h"

#define MLS_STATEMENT_ARGS 28

/* A statement and, once it was run, its plan; to be static. */
typedef struct MlsStatement
{
	const char *text; /* names are qualified, but for those of pg_catalog */
	int nargs;
	Oid types[MLS_STATEMENT_ARGS];
	SPIPlanPtr plan;
} MlsStatement;

typedef struct MlsLedger
{
	Oid userid;
	int context;
	int nest_level;
} MlsLedger;

/*
 * Become the tables' owner, with SPI connected and a search_path of pg_catalog; and who one was. An error in between is
 * cleaned up by its transaction.
 */
extern void mls_ledger_open(MlsLedger *ledger);
extern void mls_ledger_close(const MlsLedger *ledger);

/*
 * In between: run a statement; how many rows it returned or changed. nulls: as SPI takes them, or NULL for none. What it
 * returned is in SPI_tuptable.
 */
extern uint64 mls_ledger_run(MlsStatement *statement, const Datum *values, const char *nulls);

/* A column of a row that it returned, as text; NULL for NULL. */
extern char *mls_ledger_text(uint64 row, int column);
extern int64 mls_ledger_int64(uint64 row, int column);

/*
 * Until the transaction's end no other one merges runs: what each of them read, the next one sees. One lock, so that
 * those who store many runs in any order do not lock each other out for good.
 */
extern void mls_ledger_lock_runs(void);

/* A text in UTF-8 as a datum of the server's encoding; raises when that cannot be. */
extern Datum mls_ledger_utf8(const char *text);

#endif
