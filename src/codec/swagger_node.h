/*
 * swagger_node.h - the nodes of a swagger document: JSON schemas behind references, and the values that samples show.
 * Pure; nodes are spans of the document's text, so that samples keep their digits.
 */
#ifndef MLS_SWAGGER_NODE_H
#define MLS_SWAGGER_NODE_H

#include "codec/json_read.h"
#include "codec/schema.h"

/* Where a schema stands, and the sample of what it describes (MLS_SPAN_NONE when the document shows none). */
typedef struct MlsNode
{
	const MlsSpan *document;
	MlsSpan schema; /* references, alternatives looked through */
	MlsSpan example;
} MlsNode;

/* A node of the schema found at span; its own example takes precedence over the one that its parent's example has. */
extern MlsNode mls_node(const MlsSpan *document, MlsSpan schema, MlsSpan example);

/* What a JSON pointer ("#/definitions/X") or a reference to one leads to; MLS_SPAN_NONE when nowhere. */
extern MlsSpan mls_node_resolve(const MlsSpan *document, MlsSpan node);

/* The member of an object by its NUL-terminated name. */
extern MlsSpan mls_node_get(const MlsSpan *object, const char *name);

/* The declared type, or what the example says where none is declared. */
extern MlsJsonType mls_node_type(const MlsNode *node);

/* The string member's characters, palloc'd in the server's encoding; NULL when it is none. */
extern char *mls_node_string(const MlsSpan *object, const char *name);

/* The node of an object's property, of an array's items (their first example). */
extern MlsNode mls_node_property(const MlsNode *node, const MlsSpan *key, MlsSpan schema);
extern MlsNode mls_node_items(const MlsNode *node);

/* The type of a value that an example shows; null is of any. */
extern MlsJsonType mls_value_type(const MlsSpan *value);

/* The type that holds values of both. */
extern MlsJsonType mls_common_type(MlsJsonType a, MlsJsonType b);

/* A field of this name (UTF-8 bytes) as the node describes it. */
extern MlsField mls_node_field(const MlsNode *node, const char *name, int name_len);

#endif
