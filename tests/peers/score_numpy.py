"""Entry script: array of arrays, three numbers in, three out. {"data": [[0.23, 61.5, 55]]} -> [[x, y, z]]"""

import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.schema_decorators import input_schema, output_schema

import scoring_model

MODEL = None


def init():
    global MODEL
    MODEL = scoring_model.load("size")


@input_schema("data", NumpyParameterType(scoring_model.sample()[scoring_model.NUMBERS].to_numpy()))
@output_schema(NumpyParameterType(np.array([[3.95, 3.98, 2.43]])))
def run(data):
    return MODEL.predict(data).tolist()
