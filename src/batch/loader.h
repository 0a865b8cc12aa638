/*
 * loader.h - the results of a job while they are loaded, as the files load*.c see them.
 */
#ifndef MLS_LOADER_H
#define MLS_LOADER_H

#include "batch/load.h"
#include "batch/sent_rows.h"
#include "batch/target.h"

#define MLS_CHUNK_LINES 10000

#define FIELD_FILE "file_name"
#define FIELD_ROW "row"

typedef struct MlsLoader
{
	const MlsJob *job;
	MlsResultFormat format;
	char **names; /* of the first record's fields */
	int nnames;
	int file_field; /* -1: there is none */
	int row_field;
	char **columns; /* of the target, behind the keys */
	char **fields;	/* for each: the field's name */
	int *sources;	/* and its number */
	int ncolumns;
	MlsTarget *target;
	bool has_keys;		  /* lines begin with what the database has kept of them */
	MlsSentRows *sent;	  /* NULL: the job exported nothing, or the results do not say which row they are of */
	StringInfoData lines; /* of COPY's text */
	StringInfoData raw;	  /* as they came */
	int *starts;
	int *raw_starts;
	int64 *numbers; /* of the lines in their file */
	int n;
	int64 size;		  /* of all files */
	int64 read;		  /* of them */
	const char *path; /* of the file that is read */
	int64 number;
	MlsLoaded loaded;
	int last_sqlstate; /* of the last bad line */
	StringInfoData last_reason;
	int64 taken; /* lines that the target did not refuse, those that on_conflict left out included */
	MlsResultField *csv;
	StringInfoData text; /* a JSON string's characters */
} MlsLoader;

/*
 * load_begin.c: look at the first record of all: the format, the fields, the target, which is open afterwards. True: the
 * record is a header.
 */
extern bool mls_loader_begin(MlsLoader *loader, const char *record, size_t len);

/* load_begin.c: does a record say which file it is of? Without that, rows and keys cannot be told. */
extern void mls_loader_join(MlsLoader *loader, bool says_file);

/* load_lines.c: a record becomes a line for the target, or is refused. */
extern void mls_loader_take(MlsLoader *loader, char *record, int len);

/* load_lines.c: a record is none of what it should be. */
extern void mls_loader_refuse(MlsLoader *loader, const char *record, int len, const char *reason);

/* load_lines.c: store the lines that have come together. */
extern void mls_loader_store(MlsLoader *loader);

/* load_lines.c: raise: nothing but bad lines. The last one of them tells why. */
pg_noreturn extern void mls_loader_raise_hopeless(const MlsLoader *loader, const char *which, int sqlstate,
												  const char *reason);

#endif
