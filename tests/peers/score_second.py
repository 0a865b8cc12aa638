"""Entry script: the second version of score_records.py's model, which asks ten more for everything over one carat."""

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
    return (MODEL.predict(data) + np.where(data["carat"] > 1, 10.0, 0.0)).tolist()
