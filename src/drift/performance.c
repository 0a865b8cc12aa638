/*
 * performance.c - how right a classifier was: aggregates over pairs of the true class and the predicted one.
 *
 * A class is its type's text. Definitions, and 0 for what divides by nothing, are scikit-learn's.
 */
#include "postgres.h"

#include "drift/measure.h"
#include "drift/state.h"
#include "drift/words.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

enum
{
	TALLY_TRUE,
	TALLY_PREDICTED,
	TALLY_RIGHT
};

PGDLLEXPORT Datum mls_class_add(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_class_accuracy(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_class_precision(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_class_recall(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_class_f1(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_auc_add(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum mls_auc(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(mls_class_add);
PG_FUNCTION_INFO_V1(mls_class_accuracy);
PG_FUNCTION_INFO_V1(mls_class_precision);
PG_FUNCTION_INFO_V1(mls_class_recall);
PG_FUNCTION_INFO_V1(mls_class_f1);
PG_FUNCTION_INFO_V1(mls_auc_add);
PG_FUNCTION_INFO_V1(mls_auc);

/* How often a class was true, predicted, and both. */
typedef struct ClassCounts
{
	double actual;
	double predicted;
	double right;
} ClassCounts;

typedef double (*Score)(ClassCounts counts);

/* The output function of the aggregate's classes, looked up once. */
static FmgrInfo *
class_output(FunctionCallInfo fcinfo)
{
	if (fcinfo->flinfo->fn_extra == NULL)
	{
		FmgrInfo *output = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(FmgrInfo));
		Oid function;
		bool is_varlena;

		getTypeOutputInfo(get_fn_expr_argtype(fcinfo->flinfo, 1), &function, &is_varlena);
		fmgr_info_cxt(function, output, fcinfo->flinfo->fn_mcxt);
		fcinfo->flinfo->fn_extra = output;
	}
	return fcinfo->flinfo->fn_extra;
}

/* The class that is asked about: the same in every row. */
static void
see_positive(FunctionCallInfo fcinfo, MlsState *state, const char *word)
{
	MemoryContext context;
	MemoryContext old;

	if (state->positive != NULL && strcmp(text_to_cstring(state->positive), word) == 0)
		return;
	if (state->positive != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the positive class must be the same in all rows")));
	AggCheckCallContext(fcinfo, &context);
	old = MemoryContextSwitchTo(context);
	state->positive = cstring_to_text(word);
	MemoryContextSwitchTo(old);
}

Datum
mls_class_add(PG_FUNCTION_ARGS)
{
	MlsState *state = mls_state_argument(fcinfo, false);
	FmgrInfo *output = class_output(fcinfo);
	char *actual;
	char *predicted;

	if (PG_NARGS() > 3)
	{
		if (PG_ARGISNULL(3))
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("the positive class must not be NULL")));
		see_positive(fcinfo, state, OutputFunctionCall(output, PG_GETARG_DATUM(3)));
	}
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_POINTER(state);
	actual = OutputFunctionCall(output, PG_GETARG_DATUM(1));
	predicted = OutputFunctionCall(output, PG_GETARG_DATUM(2));
	mls_tally_add_word(state->tallies[TALLY_TRUE], actual, strlen(actual));
	mls_tally_add_word(state->tallies[TALLY_PREDICTED], predicted, strlen(predicted));
	if (strcmp(actual, predicted) == 0)
		mls_tally_add_word(state->tallies[TALLY_RIGHT], actual, strlen(actual));
	PG_RETURN_POINTER(state);
}

static double
precision(ClassCounts counts)
{
	return counts.predicted == 0 ? 0 : counts.right / counts.predicted;
}

static double
recall(ClassCounts counts)
{
	return counts.actual == 0 ? 0 : counts.right / counts.actual;
}

static double
f1(ClassCounts counts)
{
	return counts.right == 0 ? 0 : 2 * counts.right / (counts.actual + counts.predicted);
}

/* Three sorted sources, read side by side. */
typedef struct Classes
{
	MlsCounts *sources[MLS_STATE_TALLIES];
	MlsCount counts[MLS_STATE_TALLIES];
	bool more[MLS_STATE_TALLIES];
} Classes;

static int
compare_counts(const MlsCount *a, const MlsCount *b)
{
	return mls_word_compare(a->word, a->len, b->word, b->len);
}

/* The next class of any source; false at the end of all. Its word is valid until the next call. */
static bool
next_class(Classes *classes, MlsCount *class, ClassCounts *counts)
{
	double found[MLS_STATE_TALLIES] = {0};
	const MlsCount *least = NULL;

	for (int i = 0; i < MLS_STATE_TALLIES; i++)
		if (classes->more[i] && (least == NULL || compare_counts(&classes->counts[i], least) < 0))
			least = &classes->counts[i];
	if (least == NULL)
		return false;
	*class = *least;
	for (int i = 0; i < MLS_STATE_TALLIES; i++)
		if (classes->more[i] && compare_counts(&classes->counts[i], class) == 0)
		{
			found[i] = classes->counts[i].count;
			classes->more[i] = classes->sources[i]->next(classes->sources[i], &classes->counts[i]);
		}
	*counts = (ClassCounts){found[TALLY_TRUE], found[TALLY_PREDICTED], found[TALLY_RIGHT]};
	return true;
}

/* The score of the positive class, or the mean over all classes, each counting the same. */
static double
score_classes(const MlsState *state, Score score)
{
	Classes classes;
	MlsCount class;
	ClassCounts counts;
	double sum = 0;
	int64 number = 0;

	for (int i = 0; i < MLS_STATE_TALLIES; i++)
	{
		classes.sources[i] = mls_tally_read(state->tallies[i]);
		classes.more[i] = classes.sources[i]->next(classes.sources[i], &classes.counts[i]);
	}
	while (next_class(&classes, &class, &counts))
	{
		if (state->positive != NULL && mls_word_compare(class.word, class.len, VARDATA_ANY(state->positive),
														VARSIZE_ANY_EXHDR(state->positive)) != 0)
			continue;
		sum += score(counts);
		number++;
	}
	return number == 0 ? 0 : sum / number;
}

static Datum
final_score(FunctionCallInfo fcinfo, Score score)
{
	MlsState *state = PG_ARGISNULL(0) ? NULL : (MlsState *) PG_GETARG_POINTER(0);

	if (state == NULL || mls_tally_totals(state->tallies[TALLY_TRUE])->values == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(score_classes(state, score));
}

Datum
mls_class_precision(PG_FUNCTION_ARGS)
{
	return final_score(fcinfo, precision);
}

Datum
mls_class_recall(PG_FUNCTION_ARGS)
{
	return final_score(fcinfo, recall);
}

Datum
mls_class_f1(PG_FUNCTION_ARGS)
{
	return final_score(fcinfo, f1);
}

Datum
mls_class_accuracy(PG_FUNCTION_ARGS)
{
	MlsState *state = PG_ARGISNULL(0) ? NULL : (MlsState *) PG_GETARG_POINTER(0);
	int64 rows = state == NULL ? 0 : mls_tally_totals(state->tallies[TALLY_TRUE])->values;

	if (rows == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8((double) mls_tally_totals(state->tallies[TALLY_RIGHT])->values / rows);
}

/* AUC: tallies of the negatives' scores and the positives'. */
Datum
mls_auc_add(PG_FUNCTION_ARGS)
{
	MlsState *state = mls_state_argument(fcinfo, true);

	if (!PG_ARGISNULL(1))
		mls_state_add_number(state->tallies[PG_GETARG_BOOL(1) ? 1 : 0], fcinfo, 2);
	PG_RETURN_POINTER(state);
}

Datum
mls_auc(PG_FUNCTION_ARGS)
{
	MlsState *state = PG_ARGISNULL(0) ? NULL : (MlsState *) PG_GETARG_POINTER(0);

	if (state == NULL)
		PG_RETURN_NULL();
	return mls_measure_number(fcinfo,
							  mls_compare_auc(mls_tally_read(state->tallies[0]), mls_tally_read(state->tallies[1])));
}
