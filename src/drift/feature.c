/*
 * feature.c - runs a query and counts its columns. See feature.h.
 *
 * Rows go from the executor straight into the tallies, through a DestReceiver: nothing of them is kept.
 */
#include "postgres.h"

#include "drift/feature.h"

#include "access/tupdesc.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "drift/convert.h"
#include "drift/distribution_value.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "select_query.h"
#include "tcop/dest.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

/* A column of the query that is counted. */
typedef struct Column
{
	int number;
	MlsConversion conversion;
	MlsTally *tally;
} Column;

typedef struct Receiver
{
	DestReceiver base;
	MemoryContext row; /* reset for every row */
	int ncolumns;
	Column *columns;
	/* Of a frozen profile. */
	MemoryContext result;
	MlsFeatures *frozen;
	int feature_column;
	int distribution_column;
} Receiver;

const MlsFeature *
mls_features_find(const MlsFeatures *features, const char *name)
{
	for (int i = 0; i < features->nfeatures; i++)
		if (strcmp(features->features[i].name, name) == 0)
			return &features->features[i];
	return NULL;
}

const MlsTotals *
mls_feature_totals(const MlsFeature *feature)
{
	return feature->tally != NULL ? mls_tally_totals(feature->tally) : &feature->distribution->totals;
}

MlsCounts *
mls_feature_read(const MlsFeature *feature)
{
	return feature->tally != NULL ? mls_tally_read(feature->tally) : mls_distribution_rewind(feature->distribution);
}

void
mls_features_close(MlsFeatures *features)
{
	for (int i = 0; i < features->nfeatures; i++)
		if (features->features[i].tally != NULL)
			mls_tally_close(features->features[i].tally);
}

/* The type ml_score.distribution; InvalidOid if there is none. */
static Oid
distribution_type(void)
{
	Oid schema = get_namespace_oid(MLS_SCHEMA, true);

	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("distribution"), ObjectIdGetDatum(schema));
}

/* Prepare query; what it gives goes to *desc. */
static SPIPlanPtr
prepare(const char *word, const char *query, TupleDesc *desc)
{
	SPIPlanPtr plan = mls_select_prepare(query, 0, NULL, psprintf("the %s query", word),
										 "It is one statement whose columns are the features, such as SELECT carat, "
										 "cut FROM diamonds.",
										 desc);

	for (int i = 0; i < (*desc)->natts; i++)
		if (SPI_fnumber(*desc, NameStr(TupleDescAttr(*desc, i)->attname)) != i + 1)
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_COLUMN),
					 errmsg("the %s query has two columns \"%s\"", word, NameStr(TupleDescAttr(*desc, i)->attname)),
					 errhint("Name them with AS.")));
	return plan;
}

static bool
is_listed(ArrayType *names, const char *name)
{
	Datum *words;
	bool *nulls;
	int nwords;
	bool found = false;

	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &words, &nulls, &nwords);
	for (int i = 0; i < nwords; i++)
		found |= !nulls[i] && strcmp(TextDatumGetCString(words[i]), name) == 0;
	return found;
}

/* Every name must be one of the columns. */
static void
check_listed(const char *word, ArrayType *names, TupleDesc desc)
{
	Datum *words;
	bool *nulls;
	int nwords;

	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &words, &nulls, &nwords);
	for (int i = 0; i < nwords; i++)
		if (nulls[i] || SPI_fnumber(desc, TextDatumGetCString(words[i])) <= 0)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
							errmsg("the %s query has no column \"%s\"", word,
								   nulls[i] ? "NULL" : TextDatumGetCString(words[i])),
							errdetail("It is listed as categorical.")));
}

static bool
is_counted(const MlsFeatures *baseline, TupleDesc desc, int column)
{
	return baseline == NULL || mls_features_find(baseline, NameStr(TupleDescAttr(desc, column)->attname)) != NULL;
}

/* A feature for each column that is counted. */
static MlsFeatures *
make_features(TupleDesc desc, ArrayType *categorical, const MlsFeatures *baseline, Size budget, Receiver *receiver)
{
	MlsFeatures *features = palloc0(sizeof(MlsFeatures));
	int ncounted = 0;

	for (int i = 0; i < desc->natts; i++)
		ncounted += is_counted(baseline, desc, i);
	features->features = palloc0(sizeof(MlsFeature) * ncounted);
	receiver->columns = palloc0(sizeof(Column) * ncounted);
	for (int i = 0; i < desc->natts; i++)
	{
		MlsFeature *feature = &features->features[features->nfeatures];
		Column *column = &receiver->columns[features->nfeatures];
		Oid type = getBaseType(TupleDescAttr(desc, i)->atttypid);
		const MlsFeature *like;

		if (!is_counted(baseline, desc, i))
			continue;
		feature->name = pstrdup(NameStr(TupleDescAttr(desc, i)->attname));
		like = baseline == NULL ? NULL : mls_features_find(baseline, feature->name);
		feature->type = like != NULL ? like->type : type;
		feature->numeric =
			like != NULL ? like->numeric : mls_type_is_numeric(type) && !is_listed(categorical, feature->name);
		feature->tally = mls_tally_create(feature->numeric, budget / ncounted);
		column->number = i;
		column->tally = feature->tally;
		mls_conversion_init(&column->conversion, type, feature->type, feature->numeric);
		features->nfeatures++;
	}
	receiver->ncolumns = ncounted;
	return features;
}

static void
receiver_startup(DestReceiver *self, int operation, TupleDesc desc)
{
}

static void
receiver_end(DestReceiver *self)
{
}

/* A row whose columns are features. */
static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	Receiver *receiver = (Receiver *) self;
	MemoryContext old = MemoryContextSwitchTo(receiver->row);

	slot_getallattrs(slot);
	for (int i = 0; i < receiver->ncolumns; i++)
	{
		Column *column = &receiver->columns[i];

		if (slot->tts_isnull[column->number])
			mls_tally_add_missing(column->tally);
		else
			mls_conversion_add(&column->conversion, slot->tts_values[column->number], column->tally);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(receiver->row);
	return true;
}

/* The type that a frozen feature was made of, as far as this database knows it. */
static Oid
type_of_frozen(const MlsDistribution *distribution)
{
	LOCAL_FCINFO(call, 1);
	Datum type;

	InitFunctionCallInfoData(*call, NULL, 1, InvalidOid, NULL, NULL);
	call->args[0] = (NullableDatum){CStringGetTextDatum(distribution->type), false};
	type = to_regtype(call);
	if (!call->isnull && mls_type_is_numeric(DatumGetObjectId(type)) >= distribution->totals.numeric)
		return getBaseType(DatumGetObjectId(type));
	return distribution->totals.numeric ? FLOAT8OID : TEXTOID;
}

/* A row of a frozen profile: a feature and its distribution. */
static bool
receive_frozen(TupleTableSlot *slot, DestReceiver *self)
{
	Receiver *receiver = (Receiver *) self;
	MlsFeatures *frozen = receiver->frozen;
	MemoryContext old = MemoryContextSwitchTo(receiver->result);
	MlsFeature *feature;
	char *name;

	slot_getallattrs(slot);
	if (slot->tts_isnull[receiver->feature_column] || slot->tts_isnull[receiver->distribution_column])
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("a frozen profile has a feature or a distribution that is NULL")));
	name = TextDatumGetCString(slot->tts_values[receiver->feature_column]);
	if (mls_features_find(frozen, name) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CARDINALITY_VIOLATION), errmsg("a frozen profile has feature \"%s\" twice", name)));
	frozen->features = frozen->nfeatures == 0
						   ? palloc(sizeof(MlsFeature))
						   : repalloc(frozen->features, sizeof(MlsFeature) * (frozen->nfeatures + 1));
	feature = &frozen->features[frozen->nfeatures++];
	feature->name = name;
	feature->tally = NULL;
	feature->distribution =
		mls_distribution_get(PointerGetDatum(PG_DETOAST_DATUM_COPY(slot->tts_values[receiver->distribution_column])));
	feature->numeric = feature->distribution->totals.numeric;
	feature->type = type_of_frozen(feature->distribution);
	MemoryContextSwitchTo(old);
	return true;
}

/* Whether the query is a frozen profile; then the receiver knows its columns. */
static bool
is_frozen(TupleDesc desc, Receiver *receiver)
{
	receiver->feature_column = SPI_fnumber(desc, "feature") - 1;
	receiver->distribution_column = SPI_fnumber(desc, "distribution") - 1;
	return receiver->feature_column >= 0 && receiver->distribution_column >= 0 &&
		   TupleDescAttr(desc, receiver->feature_column)->atttypid == TEXTOID &&
		   TupleDescAttr(desc, receiver->distribution_column)->atttypid == distribution_type();
}

static void
run(SPIPlanPtr plan, Receiver *receiver)
{
	SPIExecuteOptions options = {.read_only = true, .must_return_tuples = true, .dest = &receiver->base};
	int result;

	receiver->base.rStartup = receiver_startup;
	receiver->base.rShutdown = receiver_end;
	receiver->base.rDestroy = receiver_end;
	receiver->base.mydest = DestNone;
	result = SPI_execute_plan_extended(plan, &options);
	if (result < 0)
		elog(ERROR, "could not execute the query: %s", SPI_result_code_string(result));
}

MlsFeatures *
mls_features_take(const char *word, const char *query, ArrayType *categorical, const MlsFeatures *baseline, Size budget)
{
	MemoryContext context = CurrentMemoryContext;
	Receiver receiver = {.result = context};
	MlsFeatures *features;
	SPIPlanPtr plan;
	TupleDesc desc;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	plan = prepare(word, query, &desc);
	receiver.row = AllocSetContextCreate(context, "ml_score row", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	if (is_frozen(desc, &receiver))
	{
		if (ArrayGetNItems(ARR_NDIM(categorical), ARR_DIMS(categorical)) > 0 && baseline == NULL)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("a frozen profile says itself which features are categorical"),
							errhint("List them when it is made, in ml_score.freeze.")));
		features = receiver.frozen = palloc0(sizeof(MlsFeatures));
		receiver.base.receiveSlot = receive_frozen;
	}
	else
	{
		if (baseline == NULL)
			check_listed(word, categorical, desc);
		features = make_features(desc, categorical, baseline, budget, &receiver);
		receiver.base.receiveSlot = receive_row;
	}
	run(plan, &receiver);
	SPI_finish();
	MemoryContextSwitchTo(context);
	MemoryContextDelete(receiver.row);
	return features;
}

void
mls_features_match(const MlsFeatures *baseline, const MlsFeatures *current)
{
	StringInfoData names;
	int nmissing = 0;

	initStringInfo(&names);
	for (int i = 0; i < baseline->nfeatures; i++)
		if (mls_features_find(current, baseline->features[i].name) == NULL)
			appendStringInfo(&names, "%s\"%s\"", nmissing++ > 0 ? ", " : "", baseline->features[i].name);
	if (nmissing == baseline->nfeatures)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN), errmsg("the current query has none of the baseline's features"),
				 nmissing == 0 ? 0 : errdetail("The baseline has %s.", names.data)));
	if (nmissing > 0)
		ereport(NOTICE, (errmsg("features that the current query does not have are left out: %s", names.data)));
}
