"""Entry script: score_records.py's model as it is after training on prices that have doubled."""

import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.schema_decorators import input_schema, output_schema

import scoring_model

MODEL = None


def init():
    global MODEL
    MODEL = scoring_model.load("price")


@input_schema("data", PandasParameterType(scoring_model.sample()))
@output_schema(NumpyParameterType(np.array([326.5, 334.5])))
def run(data):
    return (2 * MODEL.predict(data)).tolist()
