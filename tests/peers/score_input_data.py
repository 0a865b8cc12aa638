"""Entry script as no-code MLflow deployments answer: split layout under "input_data", a bare array back.

{"input_data": {"columns": [...], "index": [...], "data": [[...]]}} -> [326.1, ...]
"""

import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.schema_decorators import input_schema, output_schema

import scoring_model

MODEL = None


def init():
    global MODEL
    MODEL = scoring_model.load("price")


@input_schema("input_data", PandasParameterType(scoring_model.sample(), orient="split"))
@output_schema(NumpyParameterType(np.array([326.5, 334.5])))
def run(input_data):
    return MODEL.predict(input_data).tolist()
