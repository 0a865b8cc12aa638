/*
 * distribution.c - a feature's values to bytes and back. See distribution.h.
 */
#include "postgres.h"

#include "drift/distribution.h"

#include <math.h>

#include "drift/numbers.h"
#include "drift/words.h"

#define MAGIC 'D'
#define VERSION 1
#define TYPE_AT 5

static void
write_variable(StringInfo out, uint64 number)
{
	for (; number >= 0x80; number >>= 7)
		appendStringInfoChar(out, (char) (number | 0x80));
	appendStringInfoChar(out, (char) number);
}

/* False: the bytes end before, or it is none that write_variable makes. */
static bool
read_variable(const unsigned char **at, const unsigned char *end, uint64 *number)
{
	*number = 0;
	for (int shift = 0; shift < 63 && *at < end; shift += 7)
	{
		unsigned char byte = *(*at)++;

		*number |= (uint64) (byte & 0x7f) << shift;
		if (byte < 0x80)
			return byte != 0 || shift == 0;
	}
	return false;
}

static void
write_value(StringInfo out, const MlsCount *count, bool numeric)
{
	write_variable(out, count->count);
	if (!numeric)
	{
		write_variable(out, count->len);
		appendBinaryStringInfo(out, count->word, count->len);
		return;
	}
	for (int shift = 56; shift >= 0; shift -= 8)
		appendStringInfoChar(out, (char) (count->key >> shift));
}

bool
mls_distribution_write(StringInfo out, MlsCounts *source, const char *type, int encoding, Size max)
{
	const MlsTotals *totals = source->totals;
	Size type_len = Min(strlen(type), MLS_TYPE_NAME_SIZE - 1);
	MlsCount count;

	appendStringInfoChar(out, MAGIC);
	appendStringInfoChar(out, VERSION);
	appendStringInfoChar(out, totals->numeric ? 'n' : 'c');
	appendStringInfoChar(out, (char) encoding);
	appendStringInfoChar(out, (char) type_len);
	appendBinaryStringInfo(out, type, type_len);
	write_variable(out, totals->missing);
	write_variable(out, totals->misfits);
	while (source->next(source, &count))
	{
		if (out->len + (Size) count.len + 32 > max)
			return false;
		write_value(out, &count, totals->numeric);
	}
	write_variable(out, 0);
	return true;
}

/* The value at this place; false: there is none, or it does not come after the one before. */
static bool
read_value(MlsDistribution *distribution, bool first)
{
	const unsigned char *before = distribution->word;
	uint64 number = 0;

	if (distribution->totals.numeric)
	{
		if (distribution->end - distribution->at < 8)
			return false;
		for (int i = 0; i < 8; i++)
			number = number << 8 | *distribution->at++;
		if (isnan(mls_number_of_key(number)) || (!first && number <= distribution->key))
			return false;
		distribution->key = number;
		return true;
	}
	if (!read_variable(&distribution->at, distribution->end, &number) ||
		number > (uint64) (distribution->end - distribution->at))
		return false;
	if (!first &&
		mls_word_compare((const char *) before, distribution->len, (const char *) distribution->at, number) >= 0)
		return false;
	distribution->word = distribution->at;
	distribution->len = number;
	distribution->at += number;
	return true;
}

/* MlsCounts over bytes that were checked. */
static bool
next_value(MlsCounts *counts, MlsCount *count)
{
	MlsDistribution *distribution = (MlsDistribution *) counts;
	uint64 number;

	if (!read_variable(&distribution->at, distribution->end, &number) || number == 0)
	{
		distribution->at = distribution->end;
		return false;
	}
	read_value(distribution, true);
	*count = (MlsCount){.count = number};
	if (distribution->totals.numeric)
		count->key = distribution->key;
	else
	{
		count->word = (const char *) distribution->word;
		count->len = distribution->len;
	}
	return true;
}

static const char *
read_header(MlsDistribution *distribution, const unsigned char *bytes, Size len)
{
	if (len < TYPE_AT || bytes[0] != MAGIC || (bytes[2] != 'n' && bytes[2] != 'c'))
		return "It does not begin like one.";
	if (bytes[1] != VERSION)
		return "Its version is unknown.";
	if (len - TYPE_AT < bytes[4])
		return "It ends early.";
	mls_totals_init(&distribution->totals, bytes[2] == 'n');
	distribution->encoding = bytes[3];
	memcpy(distribution->type, bytes + TYPE_AT, bytes[4]);
	distribution->at = bytes + TYPE_AT + bytes[4];
	return NULL;
}

/* Walk over all values: check them, and sum up. */
static const char *
check_values(MlsDistribution *distribution)
{
	MlsTotals *totals = &distribution->totals;

	for (;;)
	{
		uint64 count;

		if (!read_variable(&distribution->at, distribution->end, &count))
			return "It ends early.";
		if (count == 0)
			return distribution->at == distribution->end ? NULL : "It goes on behind its end.";
		if (!read_value(distribution, distribution->distinct == 0))
			return "Its values are not in order.";
		if (count > (uint64) (PG_INT64_MAX / 4 - totals->values))
			return "Its counts are too large.";
		totals->values += count;
		distribution->distinct++;
		if (totals->numeric)
			mls_totals_see(totals, distribution->key, mls_number_of_key(distribution->key));
	}
}

const char *
mls_distribution_open(MlsDistribution *distribution, const char *bytes, Size len)
{
	const char *reason;
	uint64 missing;
	uint64 misfits;

	memset(distribution, 0, sizeof(*distribution));
	distribution->end = (const unsigned char *) bytes + len;
	reason = read_header(distribution, (const unsigned char *) bytes, len);
	if (reason != NULL)
		return reason;
	if (!read_variable(&distribution->at, distribution->end, &missing) ||
		!read_variable(&distribution->at, distribution->end, &misfits))
		return "It ends early.";
	if (missing > PG_INT64_MAX / 4 || misfits > PG_INT64_MAX / 4)
		return "Its counts are too large.";
	distribution->totals.missing = missing;
	distribution->totals.misfits = misfits;
	distribution->values = distribution->at;
	reason = check_values(distribution);
	distribution->at = distribution->values;
	distribution->counts = (MlsCounts){&distribution->totals, next_value};
	return reason;
}

MlsCounts *
mls_distribution_rewind(MlsDistribution *distribution)
{
	distribution->at = distribution->values;
	return &distribution->counts;
}
