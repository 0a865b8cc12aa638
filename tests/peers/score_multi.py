"""Entry script whose rows say what the answer looks like, for results beyond one number and for odd ones.

Each row {"k": int, "what": text} is answered with {"double": 2k, "label": "<what>-<k>", "even": bool}; when the first
row's "what" is "string", the whole answer is a JSON string holding that JSON; "nan", "infinity" and "-infinity" put
that number where "double" goes, which no JSON has a word for; "raise" raises.
"""

import json
import math

import pandas as pd
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.schema_decorators import input_schema, output_schema

ODD = {"nan": math.nan, "infinity": math.inf, "-infinity": -math.inf}


def init():
    pass


@input_schema("data", PandasParameterType(pd.DataFrame({"k": [1], "what": ["plain"]}), enforce_shape=False))
@output_schema(PandasParameterType(pd.DataFrame({"double": [2.0], "label": ["plain-1"], "even": [False]})))
def run(data):
    rows = []
    for k, what in zip(data["k"].tolist(), data["what"].tolist()):
        if what == "raise":
            raise ValueError("the row says so")
        rows.append({"double": ODD.get(what, 2.0 * k), "label": f"{what}-{k}", "even": k % 2 == 0})
    if data["what"].iloc[0] == "string":
        return json.dumps(rows)
    return rows
