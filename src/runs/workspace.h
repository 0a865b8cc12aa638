/*
 * workspace.h - which workspace an ARM id names. Pure.
 */
#ifndef MLS_WORKSPACE_H
#define MLS_WORKSPACE_H

typedef struct MlsWorkspace
{
	char *id;			  /* the key: lower case, up to the workspace's name; never NULL */
	char *subscription;	  /* as they are spelled; NULL when the id has none */
	char *resource_group; /* same */
	char *name;			  /* same */
} MlsWorkspace;

/*
 * Read the resource of an event, /subscriptions/ID/resourceGroups/NAME/providers/Microsoft.MachineLearningServices/
 * workspaces/NAME, letter case aside, whatever follows. What is something else is its own key. palloc'd.
 */
extern void mls_workspace_parse(const char *resource, MlsWorkspace *workspace);

/* Is it the whole ARM id of a workspace, and nothing more? */
extern bool mls_workspace_is_id(const char *resource);

#endif
