/*
 * control_plane.h - what Azure's resource manager knows of an online endpoint: where it is, and how to get in.
 */
#ifndef MLS_CONTROL_PLANE_H
#define MLS_CONTROL_PLANE_H

#include "auth/identity.h"

/*
 * Fill in what the options of an online server with an endpoint_id leave open: url, swagger_url, auth. Nothing to do
 * for others. Asked once in ten minutes for all backends. Raises when the resource manager does not answer.
 */
extern void mls_control_plane_complete(MlsServer *server, Oid userid);

/*
 * As identity, without a transaction: the endpoint's keys, palloc'd; secondary may be NULL. fresh: not the cached ones. Raises
 * likewise.
 */
extern void mls_control_plane_keys(const MlsServer *server, const MlsIdentity *identity, bool fresh, char **primary,
								   char **secondary);

/* Same: a token for the endpoint, which the resource manager gives out. refused: one that is not accepted, or NULL. */
extern MlsToken mls_control_plane_token(const MlsServer *server, const MlsIdentity *identity, const char *refused);

#endif
