/*
 * load_begin.c - what the first record of a job's results tells: their format, what their fields are called, and which of the
 * target's columns they go into.
 */
#include "ml_score.h"

#include "batch/loader.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_index.h"
#include "codec/json_read.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"

/* The number of the field of this name, or -1. */
static int
find_field(const MlsLoader *loader, const char *name)
{
	for (int i = 0; i < loader->nnames; i++)
	{
		if (strcmp(loader->names[i], name) == 0)
			return i;
	}
	return -1;
}

/* The names of the result's fields that are predictions. */
static List *
prediction_names(const MlsLoader *loader)
{
	List *list = NIL;

	for (int i = 0; i < loader->nnames; i++)
	{
		if (i != loader->file_field && i != loader->row_field)
			list = lappend(list, loader->names[i]);
	}
	return list;
}

static bool
has_name(List *names, const char *name)
{
	ListCell *lc;

	foreach (lc, names)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

static char *
join(List *names)
{
	StringInfoData out;
	ListCell *lc;

	initStringInfo(&out);
	foreach (lc, names)
		appendStringInfo(&out, "%s%s", out.len > 0 ? ", " : "", (char *) lfirst(lc));
	return out.data;
}

/* Which fields go where, when the user does not say: those of the columns' names, or the only one into the only one. */
static void
choose_columns(MlsLoader *loader)
{
	const MlsJob *job = loader->job;
	bool joined = job->nkeys > 0 && !job->send_key;
	List *columns = mls_target_columns(job->target, job->keys, joined ? job->nkeys : 0);
	List *fields = prediction_names(loader);
	ListCell *lc;

	loader->columns = palloc0(sizeof(char *) * (list_length(columns) + 1));
	loader->fields = palloc0(sizeof(char *) * (list_length(columns) + 1));
	foreach (lc, columns)
	{
		if (!has_name(fields, lfirst(lc)))
			continue;
		loader->columns[loader->ncolumns] = lfirst(lc);
		loader->fields[loader->ncolumns++] = lfirst(lc);
	}
	if (loader->ncolumns == 0 && list_length(columns) == 1 && list_length(fields) == 1)
	{
		loader->columns[0] = linitial(columns);
		loader->fields[0] = linitial(fields);
		loader->ncolumns = 1;
	}
	if (loader->ncolumns == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("it is not clear which predictions go into which columns of \"%s\"", get_rel_name(job->target)),
				 errdetail("The results have the fields: %s. The target has beside the key the columns: %s.",
						   join(fields), join(columns)),
				 errhint("Say it with columns => '{\"column\": \"field\", ...}'.")));
}

/* Which of the record's fields goes into which of the target's columns. */
static void
map_columns(MlsLoader *loader)
{
	const MlsJob *job = loader->job;

	if (job->ncolumns > 0)
	{
		loader->columns = job->columns;
		loader->fields = job->fields;
		loader->ncolumns = job->ncolumns;
	}
	else
		choose_columns(loader);
	loader->sources = palloc(sizeof(int) * loader->ncolumns);
	for (int i = 0; i < loader->ncolumns; i++)
	{
		loader->sources[i] = find_field(loader, loader->fields[i]);
		if (loader->sources[i] < 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN), errmsg("the results have no field \"%s\"", loader->fields[i]),
					 errdetail("They have: %s.", join(prediction_names(loader)))));
	}
}

/* The columns that tell the target's rows apart: the job's keys, or the primary key. */
static char **
conflict_columns(const MlsJob *job, int *n)
{
	Relation rel;
	Relation index;
	char **names;
	Oid index_oid;

	*n = job->nkeys;
	if (job->nkeys > 0 || job->on_conflict == NULL)
		return job->keys;
	rel = table_open(job->target, AccessShareLock);
	(void) RelationGetIndexList(rel);
	index_oid = rel->rd_pkindex;
	if (!OidIsValid(index_oid))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("\"%s\" has no primary key that on_conflict could look at", RelationGetRelationName(rel))));
	index = index_open(index_oid, AccessShareLock);
	*n = IndexRelationGetNumberOfKeyAttributes(index);
	names = palloc(sizeof(char *) * *n);
	for (int i = 0; i < *n; i++)
		names[i] = get_attname(job->target, index->rd_index->indkey.values[i], false);
	index_close(index, AccessShareLock);
	table_close(rel, AccessShareLock);
	return names;
}

/* Open the target for the keys and the predictions. */
static void
open_target(MlsLoader *loader)
{
	const MlsJob *job = loader->job;
	int nkeys = job->send_key ? 0 : job->nkeys;
	char **columns = palloc(sizeof(char *) * (nkeys + loader->ncolumns + 1));
	int nconflict;
	char **conflict = conflict_columns(job, &nconflict);

	for (int i = 0; i < nkeys; i++)
		columns[i] = job->keys[i];
	for (int i = 0; i < loader->ncolumns; i++)
		columns[nkeys + i] = loader->columns[i];
	loader->target =
		mls_target_open(job->target, columns, nkeys + loader->ncolumns, job->on_conflict, conflict, nconflict);
}

/* The first record's fields: the names that stand in it, or were given, or that such fields usually have. */
static void
read_names(MlsLoader *loader, const char *record, size_t len)
{
	const MlsJob *job = loader->job;
	char *copy = pnstrdup(record, len);
	int n = mls_csv_split(copy, len, mls_result_delimiter(loader->format), loader->csv, MLS_RESULT_MAX_FIELDS);

	if (n < 0 || n > MLS_RESULT_MAX_FIELDS)
		ereport(ERROR, (errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
						errmsg("the first line of \"%s\" is no line of predictions", loader->path)));
	loader->nnames = n;
	loader->names = palloc(sizeof(char *) * n);
	if (loader->format == MLS_RESULT_CSV_HEADER)
		for (int i = 0; i < n; i++)
			loader->names[i] = pnstrdup(loader->csv[i].start, loader->csv[i].len);
	else if (job->nresult_columns > 0)
	{
		if (job->nresult_columns != n)
			ereport(ERROR,
					(errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
					 errmsg("the results have %d fields, and result_columns names %d", n, job->nresult_columns)));
		loader->names = job->result_columns;
	}
	else
		mls_result_default_names(loader->csv, n, (const char **) loader->names);
}

/* The member names of a JSON record. */
static char **
member_names(const char *record, size_t len, int *n)
{
	MlsJsonReader reader;
	MlsSpan key;
	MlsSpan value;
	char **names = palloc(sizeof(char *) * MLS_RESULT_MAX_FIELDS);

	*n = 0;
	mls_json_start(&reader, record, len);
	if (mls_json_open(&reader))
		while (*n < MLS_RESULT_MAX_FIELDS && mls_json_next(&reader, &key, &value))
			names[(*n)++] = pnstrdup(key.start, key.len);
	return names;
}

void
mls_loader_join(MlsLoader *loader, bool says_file)
{
	const MlsJob *job = loader->job;
	bool has_keys = job->nkeys > 0 && !job->send_key;

	if (job->query == NULL)
		return;
	if (says_file)
	{
		loader->sent = mls_sent_rows_open(job);
		loader->has_keys = has_keys;
	}
	else if (has_keys)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the results do not say which rows they belong to"),
						errdetail("No field is called \"%s\", or looks like the name of an exported file.", FIELD_FILE),
						errhint("Name the fields with result_columns, or send the key with send_key and have the model "
								"return it.")));
}

/* A header of comma-separated values has a name in it that the job or the target asks for. */
static MlsResultFormat
detect_format(const MlsJob *job, const char *record, size_t len)
{
	List *columns = mls_target_columns(job->target, NULL, 0);
	const char **wanted = palloc(sizeof(char *) * (job->ncolumns + list_length(columns) + 1));
	ListCell *lc;
	int n = 0;

	wanted[n++] = FIELD_FILE;
	for (int i = 0; i < job->ncolumns; i++)
		wanted[n++] = job->fields[i];
	foreach (lc, columns)
		wanted[n++] = lfirst(lc);
	return mls_result_detect(record, len, wanted, n);
}

bool
mls_loader_begin(MlsLoader *loader, const char *record, size_t len)
{
	loader->format = loader->job->result_format;
	if (loader->format == MLS_RESULT_AUTO)
		loader->format = detect_format(loader->job, record, len);
	if (loader->format == MLS_RESULT_JSON_LINES)
		loader->names = member_names(record, len, &loader->nnames);
	else
		read_names(loader, record, len);
	loader->file_field = find_field(loader, FIELD_FILE);
	loader->row_field = find_field(loader, FIELD_ROW);
	mls_loader_join(loader, loader->file_field >= 0);
	map_columns(loader);
	open_target(loader);
	return loader->format == MLS_RESULT_CSV_HEADER;
}
