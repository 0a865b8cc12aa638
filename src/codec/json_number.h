/*
 * json_number.h - JSON number tokens to C numbers, exactly. Pure.
 */
#ifndef MLS_JSON_NUMBER_H
#define MLS_JSON_NUMBER_H

typedef enum MlsNumberStatus
{
	MLS_NUMBER_OK,
	MLS_NUMBER_FRACTION, /* not a whole number */
	MLS_NUMBER_RANGE	 /* too large for the type */
} MlsNumberStatus;

/* Is the text, all of it, a number as JSON writes them? */
extern bool mls_number_valid(const char *s, size_t len);

/* The nearest double (float) of a valid token, as strtod (strtof) finds it; what is too small for it is 0. */
extern MlsNumberStatus mls_number_to_double(const char *s, size_t len, double *result);
extern MlsNumberStatus mls_number_to_float(const char *s, size_t len, float *result);

/* The whole number that a valid token is: 3, 3.0 and 3e2 are, 3.5 is not. */
extern MlsNumberStatus mls_number_to_int64(const char *s, size_t len, int64 *result);

#endif
