"""Train price per diamond and save it as an MLflow model with a signature.   train_mlflow.py DIAMONDS.CSV MODEL_DIR"""

import sys

import mlflow.sklearn
import pandas as pd
from mlflow.models import infer_signature

from train import COLUMNS, price_model

rows = pd.read_csv(sys.argv[1]).head(5000).astype({"table": float})
model = price_model(rows)
sample = rows[COLUMNS].head(5)
mlflow.sklearn.save_model(model, sys.argv[2], signature=infer_signature(sample, model.predict(sample)), serialization_format="cloudpickle")
