/*
 * credential_chain.c - credential 'default': what the Azure SDKs try one after the other.
 *
 * A link that does not exist here is passed over; one that exists and fails ends the chain, so that a fault is seen and
 * no other identity takes its place.
 */
#include "postgres.h"

#include "auth/fetch.h"
#include "lib/stringinfo.h"

typedef struct Link
{
	const char *name;
	MlsCredential credential;
} Link;

static const Link links[] = {{"environment", MLS_CREDENTIAL_ENVIRONMENT},
							 {"workload identity", MLS_CREDENTIAL_WORKLOAD_IDENTITY},
							 {"managed identity", MLS_CREDENTIAL_MANAGED_IDENTITY},
							 {"Azure CLI", MLS_CREDENTIAL_AZURE_CLI}};

static void
try_link(const Link *link, const MlsIdentity *identity, const char *scope, MlsFetch *fetch)
{
	MlsIdentity as = *identity;

	as.credential = link->credential;
	switch (link->credential)
	{
		case MLS_CREDENTIAL_MANAGED_IDENTITY:
			mls_managed_identity_fetch(&as, scope, true, fetch);
			break;
		case MLS_CREDENTIAL_AZURE_CLI:
			mls_azure_cli_fetch(&as, scope, fetch);
			break;
		default:
			mls_entra_fetch(&as, scope, NULL, fetch);
			break;
	}
}

void
mls_credential_chain_fetch(const MlsIdentity *identity, const char *scope, MlsFetch *fetch)
{
	StringInfoData said;

	initStringInfo(&said);
	for (int i = 0; i < lengthof(links); i++)
	{
		try_link(&links[i], identity, scope, fetch);
		if (fetch->outcome == MLS_FETCH_OK)
			return;
		appendStringInfo(&said, "%s%s: %s", said.len > 0 ? "\n" : "", links[i].name, fetch->detail);
		if (fetch->outcome != MLS_FETCH_UNAVAILABLE)
			break;
	}
	fetch->detail = said.data;
}
