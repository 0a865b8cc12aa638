/*
 * ledger.h - the extension's own tables, written as their owner by fixed statements.
 *
 * Who may have something written there is decided before: by the privilege to call a function, or by what a worker is
 * for. Statements name every object with its schema, but for those of pg_catalog. In between nothing but statements of
 * this library runs. All of it in a transaction; an error is cleaned up by its end.
 */
#ifndef MLS_LEDGER_H
#define MLS_LEDGER_H

#include "ml_score.h"

#include "executor/spi.h"

#define MLS_STATEMENT_ARGS 28

/* A statement and, once it was run, its plan; to be static. */
typedef struct MlsStatement
{
	const char *text;
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

/* Become the tables' owner, with SPI connected and a search_path of pg_catalog; and who one was. */
extern void mls_ledger_open(MlsLedger *ledger);
extern void mls_ledger_close(const MlsLedger *ledger);

/*
 * In between: run a statement; how many rows it returned or changed. nulls: as SPI takes them, or NULL for none. What it
 * returned is in SPI_tuptable.
 */
extern uint64 mls_ledger_run(MlsStatement *statement, const Datum *values, const char *nulls);

/* The same for one whose plan is not kept, with texts (NULL: null) as arguments, cast to what it needs by itself. */
extern uint64 mls_ledger_run_texts(const char *statement, int n, const char *const *arguments);

/* Within an SPI_connect of the caller's: open, run one statement whose plan is not kept, close. */
extern void mls_ledger_execute(const char *statement, int nargs, Oid *types, Datum *values, const char *nulls);

/* A column of a row that was returned, as text; NULL for NULL. As a bigint; 0 for NULL. */
extern char *mls_ledger_text(uint64 row, int column);
extern int64 mls_ledger_int64(uint64 row, int column);

#endif
