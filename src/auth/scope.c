/*
 * scope.c - see scope.h.
 */
#include "postgres.h"

#include "auth/scope.h"

#define DEFAULT_SUFFIX "/.default"

bool
mls_scope_has_resource(const char *scope)
{
	size_t len = strlen(scope);
	size_t suffix_len = strlen(DEFAULT_SUFFIX);

	return len > suffix_len && strcmp(scope + len - suffix_len, DEFAULT_SUFFIX) == 0;
}

char *
mls_scope_resource(const char *scope)
{
	return pnstrdup(scope, strlen(scope) - strlen(DEFAULT_SUFFIX));
}

bool
mls_arm_id_is_endpoint(const char *id)
{
	static const char *const words[] = {
		"subscriptions", NULL, "resourceGroups",  NULL, "providers", "Microsoft.MachineLearningServices",
		"workspaces",	 NULL, "onlineEndpoints", NULL};

	for (int i = 0; i < lengthof(words); i++)
	{
		size_t len;

		if (*id != '/')
			return false;
		len = strcspn(++id, "/");
		if (len == 0 || (words[i] != NULL && (len != strlen(words[i]) || pg_strncasecmp(id, words[i], len) != 0)))
			return false;
		id += len;
	}
	return *id == '\0';
}
