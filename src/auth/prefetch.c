/*
 * prefetch.c - see prefetch.h.
 */
#include "auth/prefetch.h"

#include "auth/credential.h"
#include "auth/identity.h"
#include "commands/defrem.h"

struct MlsPrefetch
{
	List *secrets;		   /* of MlsReference * */
	MlsIdentity *identity; /* that needs a token, or NULL */
	char *scope;
};

MlsPrefetch *
mls_prefetch_plan(const MlsServer *server, Oid userid)
{
	MlsPrefetch *prefetch = palloc0(sizeof(MlsPrefetch));
	ListCell *lc;

	foreach (lc, mls_credential_options(server, userid))
	{
		DefElem *def = lfirst(lc);
		const char *value = defGetString(def);

		if (mls_reference_is_remote(value))
			prefetch->secrets = lappend(prefetch->secrets, mls_reference_make(server, userid, def->defname, value));
	}
	if (server->auth == MLS_AUTH_ENTRA)
	{
		prefetch->identity = mls_identity_load(server, userid);
		prefetch->scope = mls_identity_scope(server);
	}
	return prefetch;
}

void
mls_prefetch_run(MlsPrefetch *prefetch)
{
	MlsFetch token;
	ListCell *lc;

	foreach (lc, prefetch->secrets)
		mls_secret_wipe(mls_reference_open(lfirst(lc)));
	if (prefetch->identity == NULL)
		return;
	mls_identity_fetch(prefetch->identity, prefetch->scope, NULL, &token);
	if (token.outcome == MLS_FETCH_OK)
		mls_secret_wipe(token.value);
	mls_identity_wipe(prefetch->identity);
}
