/*
 * convert.c - SQL values to numbers and categories. See convert.h.
 */
#include "postgres.h"

#include "drift/convert.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

/* Seconds from 1970 to 2000, where PostgreSQL's time begins. */
#define EPOCH ((double) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY)

typedef enum TypeKind
{
	KIND_NUMBER,
	KIND_TIME,
	KIND_TEXT,
	KIND_OTHER
} TypeKind;

static TypeKind
kind_of(Oid type)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
			return KIND_NUMBER;
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return KIND_TIME;
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case NAMEOID:
			return KIND_TEXT;
		default:
			return KIND_OTHER;
	}
}

bool
mls_type_is_numeric(Oid type)
{
	return kind_of(type) == KIND_NUMBER || kind_of(type) == KIND_TIME;
}

/* Whether values of one type are of the other as they are; all have a text. */
static bool
fits(Oid from, Oid to)
{
	if (from == to || kind_of(to) == KIND_TEXT)
		return true;
	return kind_of(from) == kind_of(to) && kind_of(from) != KIND_OTHER;
}

static void
look_up_output(Oid type, FmgrInfo *output)
{
	Oid function;
	bool is_varlena;

	getTypeOutputInfo(type, &function, &is_varlena);
	fmgr_info(function, output);
}

void
mls_conversion_init(MlsConversion *conversion, Oid from, Oid to, bool numeric)
{
	Oid function;

	memset(conversion, 0, sizeof(*conversion));
	conversion->from = from;
	conversion->to = to;
	conversion->numeric = numeric;
	conversion->retyped = !fits(from, to);
	conversion->is_text = from == TEXTOID || from == VARCHAROID;
	look_up_output(from, &conversion->output);
	look_up_output(to, &conversion->retyped_output);
	getTypeInputInfo(to, &function, &conversion->input_param);
	fmgr_info(function, &conversion->input);
}

static double
seconds(Timestamp timestamp)
{
	if (TIMESTAMP_IS_NOBEGIN(timestamp))
		return -INFINITY;
	if (TIMESTAMP_IS_NOEND(timestamp))
		return INFINITY;
	return timestamp / (double) USECS_PER_SEC + EPOCH;
}

static double
seconds_of_date(DateADT date)
{
	if (DATE_IS_NOBEGIN(date))
		return -INFINITY;
	if (DATE_IS_NOEND(date))
		return INFINITY;
	return date * (double) SECS_PER_DAY + EPOCH;
}

double
mls_number_of(Datum value, Oid type)
{
	switch (type)
	{
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		case INT8OID:
			return DatumGetInt64(value);
		case FLOAT4OID:
			return DatumGetFloat4(value);
		case FLOAT8OID:
			return DatumGetFloat8(value);
		case NUMERICOID:
			return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, value));
		case DATEOID:
			return seconds_of_date(DatumGetDateADT(value));
		default:
			return seconds(DatumGetTimestamp(value));
	}
}

static void
add_text(MlsTally *tally, const char *word, Size len, Oid type)
{
	if (type == BPCHAROID) /* blanks at its end mean nothing */
		while (len > 0 && word[len - 1] == ' ')
			len--;
	mls_tally_add_word(tally, word, len);
}

static void
add_category(MlsConversion *conversion, Datum value, MlsTally *tally)
{
	char *word;

	if (conversion->is_text)
	{
		text *bytes = DatumGetTextPP(value);

		mls_tally_add_word(tally, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
		return;
	}
	word = OutputFunctionCall(&conversion->output, value);
	add_text(tally, word, strlen(word), conversion->from);
}

/* Values that the feature's type refuses are misfits. */
static void
add_retyped(MlsConversion *conversion, Datum value, MlsTally *tally)
{
	char *word = OutputFunctionCall(&conversion->output, value);
	Datum retyped;

	if (MlsInputCall(&conversion->input, word, conversion->input_param, -1, &retyped) != NULL)
		mls_tally_add_misfit(tally);
	else if (conversion->numeric)
		mls_tally_add_number(tally, mls_number_of(retyped, conversion->to));
	else
	{
		word = OutputFunctionCall(&conversion->retyped_output, retyped);
		add_text(tally, word, strlen(word), conversion->to);
	}
}

void
mls_conversion_add(MlsConversion *conversion, Datum value, MlsTally *tally)
{
	if (conversion->retyped)
		add_retyped(conversion, value, tally);
	else if (conversion->numeric)
		mls_tally_add_number(tally, mls_number_of(value, conversion->from));
	else
		add_category(conversion, value, tally);
}
