/*
 * swagger_rows.h - the rows in a request's or response's schema.
 */
#ifndef MLS_SWAGGER_ROWS_H
#define MLS_SWAGGER_ROWS_H

#include "codec/schema.h"
#include "codec/swagger_node.h"

/* Fill in format, inputs, rows_open and rows_close, or reason. */
extern void mls_swagger_read_inputs(const MlsNode *request, MlsSchema *schema);

/* Fill in outputs and results_key, as far as they are declared. */
extern void mls_swagger_read_outputs(const MlsNode *response, MlsSchema *schema);

#endif
