/*
 * share.h - giving a share of a row of requests something of their own: another deployment, a place in a log.
 *
 * Not by chance: of n requests, n times the share are taken, to the next whole number, evenly spread. Pure.
 */
#ifndef MLS_SHARE_H
#define MLS_SHARE_H

#include "postgres.h"

/*
 * What shares are dealt out for, each with a count of its own: the canary, and the log of each function. Only functions
 * whose oids are the same in MLS_SHARE_LOGS share a count, and so may not each get their share exactly.
 */
#define MLS_SHARE_CANARY 0
#define MLS_SHARE_OF_LOG(fnoid) (1 + (fnoid) % MLS_SHARE_LOGS)
#define MLS_SHARE_LOGS 32
#define MLS_SHARE_COUNTS (1 + MLS_SHARE_LOGS)

/* Is the request with this number, counted from 0, one of the share (0..1)? */
extern bool mls_share_takes(uint64 number, double share);

#endif
