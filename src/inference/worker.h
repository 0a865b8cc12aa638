/*
 * worker.h - the worker that writes inference logs and sends copies to shadow deployments, one for each owner of servers.
 */
#ifndef MLS_INFERENCE_WORKER_H
#define MLS_INFERENCE_WORKER_H

extern void mls_inference_init(void); /* from _PG_init */

#endif
