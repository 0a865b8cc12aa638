/*
 * result.h - the lines of a batch job's predictions: which dialect they are in, what their fields are called. Pure.
 *
 * Azure ML writes predictions.csv without a header: with commas, as "row,prediction,file_name", for MLflow models, and
 * with single spaces, whatever the script returned, for others. Pipelines and scripts of one's own may write CSV with a
 * header, or JSON lines.
 */
#ifndef MLS_RESULT_H
#define MLS_RESULT_H

#include "batch/csv.h"

#define MLS_RESULT_MAX_FIELDS 1600

typedef enum MlsResultFormat
{
	MLS_RESULT_AUTO,
	MLS_RESULT_CSV, /* no header */
	MLS_RESULT_CSV_HEADER,
	MLS_RESULT_SPACES, /* no header */
	MLS_RESULT_JSON_LINES
} MlsResultFormat;

extern const char *mls_result_format_name(MlsResultFormat format);
extern bool mls_result_format_parse(const char *name, MlsResultFormat *format);

/*
 * The format of what begins with this record (without its line break). A first line of comma-separated values is a
 * header when one of the wanted names stands in it.
 */
extern MlsResultFormat mls_result_detect(const char *record, size_t len, const char *const *wanted, int nwanted);

/* A line without its line break, and without the carriage return before it. */
extern size_t mls_result_trim(const char *record, size_t len);

extern char mls_result_delimiter(MlsResultFormat format);

/*
 * What the fields of a headerless record are called when nobody says it: the one that looks like a file of ours is
 * "file_name", a whole number that comes first is "row" if both it and a file are there and more, the rest are
 * "prediction", "prediction_2", ... Fills names with n static or palloc'd strings.
 */
extern void mls_result_default_names(const MlsResultField *fields, int n, const char **names);

/* "part-000012.csv", the name of file number 12, and back: the number in a path that ends so, or -1. */
#define MLS_PART_NAME "part-%06d"
extern int mls_result_file_number(const char *text, int len);

/* A row number, or -1. */
extern int64 mls_result_row_number(const char *text, int len);

#endif
