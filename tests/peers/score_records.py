"""Entry script: data frame in records layout, one price a row. {"data": [{"carat": 0.23, ...}]} -> [326.1, ...]"""

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
    return MODEL.predict(data).tolist()
