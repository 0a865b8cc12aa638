/*
 * tally.h - counts a feature's values as they come.
 *
 * In memory alone, or within a budget: what does not fit goes to a temporary file. Either holds 16 bytes for each distinct
 * number and some more for buffers, or about 80 bytes and its length for each distinct category.
 */
#ifndef MLS_TALLY_H
#define MLS_TALLY_H

#include "drift/counts.h"

typedef struct MlsTally MlsTally;

/* In the current memory context, where all that it holds will be. budget: bytes, 0 = no limit. */
extern MlsTally *mls_tally_create(bool numeric, Size budget);

/* NaN is missing. */
extern void mls_tally_add_number(MlsTally *tally, double number);
extern void mls_tally_add_word(MlsTally *tally, const char *word, Size len);
extern void mls_tally_add_missing(MlsTally *tally);
extern void mls_tally_add_misfit(MlsTally *tally);

/* Add all that source has; for tallies without a budget. */
extern void mls_tally_absorb(MlsTally *tally, MlsCounts *source);

extern const MlsTotals *mls_tally_totals(const MlsTally *tally);

/* Its counts from the beginning. Nothing may be added before they were read to their end. */
extern MlsCounts *mls_tally_read(MlsTally *tally);

/* Close its temporary file; the tally and what reads it are not to be used any more. */
extern void mls_tally_close(MlsTally *tally);

#endif
