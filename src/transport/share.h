/*
 * share.h - giving a share of a row of requests something of their own: another deployment, a place in a log.
 *
 * Not by chance: of n requests, n times the share are taken, to the next whole number, evenly spread. Pure.
 */
#ifndef MLS_SHARE_H
#define MLS_SHARE_H

#include "postgres.h"

/* What shares are dealt out for, each with a count of its own. */
typedef enum MlsShareKind
{
	MLS_SHARE_CANARY,
	MLS_SHARE_LOG,
	MLS_SHARE_KINDS
} MlsShareKind;

/* Is the request with this number, counted from 0, one of the share (0..1)? */
extern bool mls_share_takes(uint64 number, double share);

#endif
