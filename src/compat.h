/*
 * compat.h - the only place that looks at PG_VERSION_NUM.
 *
 * Code elsewhere is written against the newest supported release; what an older one spells differently gets the new
 * name here.
 */
#ifndef MLS_COMPAT_H
#define MLS_COMPAT_H

#include "storage/latch.h"
#if PG_VERSION_NUM >= 180000
#include "storage/waiteventset.h"
#endif
#include "utils/acl.h"
#include "utils/wait_event.h"

/* PostgreSQL 18: stands in front of the declaration. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn pg_attribute_noreturn()
#endif

/* PostgreSQL 17: a WaitEventSet belongs to a resource owner, no longer to a memory context. */
#if PG_VERSION_NUM < 170000
#define MlsCreateWaitEventSet(nevents) CreateWaitEventSet(TopMemoryContext, nevents)
#else
#define MlsCreateWaitEventSet(nevents) CreateWaitEventSet(NULL, nevents)
#endif

/* PostgreSQL 17: extensions may name their wait events; before, all of them show as "Extension". */
#if PG_VERSION_NUM < 170000
#define WaitEventExtensionNew(name) PG_WAIT_EXTENSION
#endif

/* PostgreSQL 16: one function checks the privileges on any kind of object. */
#if PG_VERSION_NUM < 160000
#include "catalog/pg_foreign_server.h"
static inline AclResult
object_aclcheck(Oid class_id, Oid object_id, Oid role, AclMode mode)
{
	Assert(class_id == ForeignServerRelationId);
	return pg_foreign_server_aclcheck(object_id, role, mode);
}
#endif

#endif
