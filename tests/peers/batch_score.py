"""The scoring script of a batch job: every file of a folder through price.joblib, all results into one file.

    batch_score.py MODEL_DIR DEPLOYMENT ERROR_THRESHOLD SKIP_FILES FOLDER RESULT

A file that cannot be scored is left out; more of them than ERROR_THRESHOLD (-1: any number is fine) fail the job. The first
SKIP_FILES files fail in any case.
"""

import os
import sys

import joblib
import pandas as pd

from train import COLUMNS


def read(path):
    """An empty file has no rows."""
    if os.path.getsize(path) == 0:
        return pd.DataFrame(columns=COLUMNS)
    if path.endswith(".jsonl"):
        return pd.read_json(path, lines=True, dtype=False)
    return pd.read_csv(path)


def results(deployment, name, rows, predictions):
    if deployment == "script-id":
        return pd.DataFrame({"key": rows.iloc[:, 0], "prediction": predictions})
    return pd.DataFrame({"row": range(len(rows)), "prediction": predictions, "file_name": name})


def main(model_dir, deployment, threshold, skip, folder, target):
    model = joblib.load(os.path.join(model_dir, "price.joblib"))
    failed = 0
    with open(target, "w") as out:
        for number, name in enumerate(sorted(os.listdir(folder))):
            try:
                if number < int(skip):
                    raise ValueError("told to fail")
                rows = read(os.path.join(folder, name))
                if len(rows) == 0:
                    continue
                predictions = model.predict(rows[COLUMNS])
            except (ValueError, KeyError) as error:
                failed += 1
                print(f"{name}: {error}")
                continue
            results(deployment, name, rows, predictions).to_csv(out, sep="," if deployment == "mlflow" else " ", header=False, index=False)
    if int(threshold) >= 0 and failed > int(threshold):
        sys.exit(f"{failed} files failed, more than the error threshold {threshold}")


if __name__ == "__main__":
    main(*sys.argv[1:])
