"""Entry script as the Azure ML designer writes them: named inputs, global parameters, inputs repeated in the output.

{"Inputs": {"WebServiceInput0": [{...}]}, "GlobalParameters": {}} -> {"Results": {"WebServiceOutput0": [{..., "Scored Labels": 326.1}]}}
"""

from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema

import scoring_model

SAMPLE = scoring_model.sample()
MODEL = None


def scored(rows, labels):
    return rows.assign(**{"Scored Labels": labels})


def init():
    global MODEL
    MODEL = scoring_model.load("price")


@input_schema("GlobalParameters", StandardPythonParameterType({}))
@input_schema("Inputs", StandardPythonParameterType({"WebServiceInput0": PandasParameterType(SAMPLE)}))
@output_schema(
    StandardPythonParameterType({"Results": {"WebServiceOutput0": PandasParameterType(scored(SAMPLE, 326.5))}})
)
def run(Inputs, GlobalParameters):
    rows = Inputs["WebServiceInput0"]
    return {"Results": {"WebServiceOutput0": scored(rows, MODEL.predict(rows)).to_dict(orient="records")}}
