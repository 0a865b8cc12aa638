"""What the entry scripts share: the models and sample rows of train.py."""

import os

import joblib
import pandas as pd

DIRECTORY = os.environ["AZUREML_MODEL_DIR"]
COLUMNS = ["carat", "cut", "color", "clarity", "depth", "table", "x", "y", "z"]
NUMBERS = ["carat", "depth", "table"]


def load(name):
    return joblib.load(os.path.join(DIRECTORY, name + ".joblib"))


def sample(rows=2):
    """Real rows for a schema's example; an integer-valued column must not be declared integer."""
    data = pd.read_csv(os.path.join(DIRECTORY, "sample.csv"))[COLUMNS]
    return data.astype({name: float for name in ["carat", "depth", "table", "x", "y", "z"]}).head(rows)
