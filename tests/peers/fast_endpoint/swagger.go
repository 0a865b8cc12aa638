package main

// swagger declares nine columns like those of the diamonds data set, and a number for each row.
const swagger = `{"swagger": "2.0", "info": {"title": "fast endpoint", "version": "1.0"},
"paths": {"/score": {"post": {"operationId": "RunMLService",
 "parameters": [{"name": "serviceInputPayload", "in": "body", "schema": {"$ref": "#/definitions/ServiceInput"}}],
 "responses": {"200": {"description": "scores", "schema": {"$ref": "#/definitions/ServiceOutput"}}}}}},
"definitions": {
 "ServiceInput": {"type": "object", "properties": {"data": {"type": "array", "format": "pandas.DataFrame:records",
  "items": {"type": "object", "properties": {
   "carat": {"type": "number", "format": "double"}, "cut": {"type": "string"}, "color": {"type": "string"},
   "clarity": {"type": "string"}, "depth": {"type": "number", "format": "double"},
   "table": {"type": "number", "format": "double"}, "x": {"type": "number", "format": "double"},
   "y": {"type": "number", "format": "double"}, "z": {"type": "number", "format": "double"}}}}},
  "example": {"data": [{"carat": 0.23, "cut": "Ideal", "color": "E", "clarity": "SI2", "depth": 61.5, "table": 55.0,
   "x": 3.95, "y": 3.98, "z": 2.43}]}},
 "ServiceOutput": {"type": "array", "items": {"type": "number", "format": "double"}, "example": [326.5],
  "format": "numpy.ndarray"}}}
`
