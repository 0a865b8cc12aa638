/*
 * imds_retry.h - how often, and after how long, an identity endpoint of this machine is asked again. Pure.
 */
#ifndef MLS_IMDS_RETRY_H
#define MLS_IMDS_RETRY_H

/*
 * Milliseconds to wait after the n-th attempt (1 = first) that got this HTTP status (0: no reply), or -1 to give up.
 * imds: the metadata service of virtual machines, which is "not found" and "gone" while it is updated.
 * retry_after_ms: what the reply asked for, -1 for nothing.
 */
extern int mls_imds_retry_ms(bool imds, int status, int n, int64 retry_after_ms);

#endif
