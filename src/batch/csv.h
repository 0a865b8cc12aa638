/*
 * csv.h - fields of separated values, written and read. Pure.
 */
#ifndef MLS_CSV_H
#define MLS_CSV_H

#include "lib/stringinfo.h"

/*
 * Append a field (RFC 4180): quoted when it has a comma, quote or line break in it, begins or ends with a space, or is
 * empty. A NULL is nothing at all, which the caller writes by itself.
 */
extern void mls_csv_write(StringInfo out, const char *text, size_t len);

typedef struct MlsResultField
{
	const char *start;
	int len;
	bool quoted; /* an empty one is an empty string then, not a NULL */
} MlsResultField;

/*
 * The end of the record that begins at text: behind its line break, or end when there is none and last says that nothing
 * follows. NULL: the record is not complete yet. With quotes, line breaks in quoted fields end nothing.
 */
extern const char *mls_csv_record_end(const char *text, const char *end, bool quotes, bool last);

/*
 * Split a record (without its line break) at delimiter; quotes are taken off in place. The number of fields, of which
 * the first max are in fields; -1 when a quote is not closed or something follows a closed one.
 */
extern int mls_csv_split(char *record, size_t len, char delimiter, MlsResultField *fields, int max);

#endif
