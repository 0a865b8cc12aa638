/*
 * reshape.h - replies that go by column, rewritten to go by row. Pure.
 */
#ifndef MLS_RESHAPE_H
#define MLS_RESHAPE_H

#include "codec/json_read.h"

/* {"a": [1, 2], "b": [3, 4]} to [{"a": 1, "b": 3}, ...]. The palloc'd text, or NULL with *reason. */
extern char *mls_reshape_columns(const MlsSpan *object, size_t *len, char **reason);

/* {"columns": ["a", "b"], "data": [[1, 3], ...]}, a pandas frame in split orientation, to objects likewise. */
extern char *mls_reshape_split(const MlsSpan *columns, const MlsSpan *data, size_t *len, char **reason);

/*
 * Open Inference outputs, an array of {"name", "shape", "data"}: one tensor to an array of its rows, several to objects
 * by name.
 */
extern char *mls_reshape_tensors(const MlsSpan *outputs, size_t *len, char **reason);

#endif
