/*
 * event_path.c - see event_path.h.
 */
#include "postgres.h"

#include "codec/event_path.h"

static MlsPathNode *
add_child(MlsPathNode *node)
{
	if (node->nchildren == 0)
		node->children = palloc(sizeof(MlsPathNode));
	else
		node->children = repalloc(node->children, (node->nchildren + 1) * sizeof(MlsPathNode));
	return memset(&node->children[node->nchildren++], 0, sizeof(MlsPathNode));
}

MlsPathNode *
mls_path_member(MlsPathNode *node, const char *name)
{
	MlsPathNode *child;

	for (int i = 0; i < node->nchildren; i++)
	{
		child = &node->children[i];
		if (child->name && strcmp(child->name, name) == 0)
			return child;
	}
	child = add_child(node);
	child->name = pstrdup(name);
	return child;
}

static MlsPathNode *
element(MlsPathNode *node, int index)
{
	MlsPathNode *child;

	for (int i = 0; i < node->nchildren; i++)
	{
		if (!node->children[i].name && node->children[i].index == index)
			return &node->children[i];
	}
	child = add_child(node);
	child->index = index;
	return child;
}

void
mls_path_target(MlsPathNode *node, int column, int rank, bool alike)
{
	if (node->ntargets == 0)
		node->targets = palloc(sizeof(MlsPathTarget));
	else
		node->targets = repalloc(node->targets, (node->ntargets + 1) * sizeof(MlsPathTarget));
	node->targets[node->ntargets++] = (MlsPathTarget){column, rank, alike};
	node->alike |= alike;
}

/* The name in quotes at *p, which is moved past it; a quote or backslash in it has a backslash before. NULL: no end. */
static char *
quoted_name(const char **p)
{
	char quote = *(*p)++;
	char *name = palloc(strlen(*p) + 1);
	char *out = name;

	for (; **p != quote; (*p)++)
	{
		if (**p == '\\')
			(*p)++;
		if (**p == '\0')
			return NULL;
		*out++ = **p;
	}
	(*p)++;
	*out = '\0';
	return name;
}

static char *
plain_name(const char **p)
{
	const char *start = *p;

	while (**p != '\0' && strchr(".[]\"'* ", **p) == NULL)
		(*p)++;
	return *p == start ? NULL : pnstrdup(start, *p - start);
}

/* One step after '['; NULL when it is none. */
static MlsPathNode *
step_in_brackets(MlsPathNode *node, const char **p)
{
	if (**p == '\'' || **p == '"')
	{
		char *name = quoted_name(p);

		node = name ? mls_path_member(node, name) : NULL;
	}
	else if (**p >= '0' && **p <= '9')
	{
		char *end;
		unsigned long index = strtoul(*p, &end, 10);

		*p = end;
		node = index <= 1000000 ? element(node, (int) index) : NULL;
	}
	else
		return NULL;
	return node && *(*p)++ == ']' ? node : NULL;
}

static MlsPathNode *
step(MlsPathNode *node, const char **p)
{
	char *name;

	if (**p == '[')
	{
		(*p)++;
		return step_in_brackets(node, p);
	}
	if (*(*p)++ != '.')
		return NULL;
	name = **p == '"' ? quoted_name(p) : plain_name(p);
	return name ? mls_path_member(node, name) : NULL;
}

char *
mls_path_add(MlsPathNode *root, const char *path, int column, int rank)
{
	MlsPathNode *node = root;
	const char *p = path;
	int depth = 0;

	if (*p++ != '$')
		return psprintf("path \"%s\" does not begin with \"$\"", path);
	while (*p != '\0')
	{
		const char *start = p;

		if (++depth > MLS_JSON_MAX_DEPTH)
			return psprintf("path \"%s\" has more than %d steps", path, MLS_JSON_MAX_DEPTH);
		node = step(node, &p);
		if (!node)
			return psprintf("path \"%s\" has no name or subscript at \"%s\"", path, start);
	}
	mls_path_target(node, column, rank, false);
	return NULL;
}

/* The child that a key means: the one of its very name before one that is merely like it. */
static int
find_child(const void *arg, const MlsSpan *key, bool *exact)
{
	const MlsPathNode *node = arg;

	*exact = true;
	for (int i = 0; i < node->nchildren; i++)
	{
		if (node->children[i].name && mls_json_equals(key, node->children[i].name))
			return i;
	}
	*exact = false;
	for (int i = 0; i < node->nchildren; i++)
	{
		if (node->children[i].alike && mls_names_alike(key, node->children[i].name))
			return i;
	}
	return -1;
}

static void
take(const MlsPathNode *node, const MlsSpan *value, bool exact, MlsPathItem *items)
{
	for (int i = 0; i < node->ntargets; i++)
	{
		MlsPathItem *item = &items[node->targets[i].column];
		int rank = node->targets[i].rank;

		if (!exact && !node->targets[i].alike)
			continue;
		/* A null under one of several names is no reason not to look at the others. */
		if (item->span.kind != MLS_SPAN_NONE)
		{
			if (rank > item->rank && item->span.kind != MLS_SPAN_NULL)
				continue;
			if (rank < item->rank && value->kind == MLS_SPAN_NULL)
				continue;
			if (rank == item->rank && item->exact && !exact)
				continue;
		}
		*item = (MlsPathItem){*value, rank, exact};
	}
}

/* The members of the object that r stands in. */
static void
collect_members(MlsPathNode *node, MlsJsonReader *r, MemoryContext cxt, MlsPathItem *items)
{
	MlsSpan key;
	MlsSpan value;

	for (int position = 0; mls_json_next(r, &key, &value); position++)
	{
		const MlsKeyHint *hint = mls_key_hint(&node->hints, cxt, position, &key, find_child, node);

		if (hint->place >= 0)
			mls_path_collect(&node->children[hint->place], &value, hint->exact, cxt, items);
	}
}

static void
collect_elements(MlsPathNode *node, const MlsSpan *array, MemoryContext cxt, MlsPathItem *items)
{
	MlsJsonReader r;
	MlsSpan value;

	mls_json_inside(&r, array);
	for (int i = 0; mls_json_next(&r, NULL, &value); i++)
	{
		for (int c = 0; c < node->nchildren; c++)
		{
			if (!node->children[c].name && node->children[c].index == i)
				mls_path_collect(&node->children[c], &value, true, cxt, items);
		}
	}
}

void
mls_path_collect(MlsPathNode *node, const MlsSpan *value, bool exact, MemoryContext cxt, MlsPathItem *items)
{
	take(node, value, exact, items);
	if (node->nchildren == 0)
		return;
	if (value->kind == MLS_SPAN_ARRAY)
		collect_elements(node, value, cxt, items);
	else if (value->kind == MLS_SPAN_OBJECT)
	{
		MlsJsonReader r;

		mls_json_inside(&r, value);
		collect_members(node, &r, cxt, items);
	}
}

bool
mls_path_read(MlsPathNode *root, MlsJsonReader *r, MemoryContext cxt, MlsPathItem *items)
{
	MlsSpan whole = {.kind = MLS_SPAN_OBJECT};
	bool outer_first = r->first;
	char outer_close = r->close;

	mls_json_peek(r);
	whole.start = r->at;
	if (!mls_json_open(r))
		return false;
	collect_members(root, r, cxt, items);
	r->first = outer_first;
	r->close = outer_close;
	whole.len = r->at - whole.start;
	take(root, &whole, true, items);
	return r->error == NULL;
}
