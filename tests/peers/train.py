"""Train the models that the inference server serves, on the diamonds data set.

    train.py DIAMONDS.CSV MODEL_DIR

writes price.joblib (nine columns -> price), size.joblib (carat, depth, table -> x, y, z), sample.csv (first rows, for
the schemas) and predicted.csv: what price.joblib says of every diamond, computed here in one go, to check scores by.
"""

import io
import sys

import joblib
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

COLUMNS = ["carat", "cut", "color", "clarity", "depth", "table", "x", "y", "z"]
GRADES = [
    ["Fair", "Good", "Very Good", "Premium", "Ideal"],
    list("JIHGFED"),
    ["I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"],
]


def price_model(rows):
    """Grades as ordered numbers, an unknown grade as -1; then boosted trees."""
    grades = OrdinalEncoder(categories=GRADES, handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_transformer(
        (grades, ["cut", "color", "clarity"]),
        ("passthrough", ["carat", "depth", "table", "x", "y", "z"]),
        verbose_feature_names_out=False,
    )
    model = make_pipeline(columns, HistGradientBoostingRegressor(max_iter=60, random_state=1))
    return model.fit(rows[COLUMNS], rows["price"].astype(float))


def as_served(rows):
    """What the inference server makes of rows: its parser reads 0.7 as 0.7000000000000001, across a tree's threshold."""
    return pd.read_json(io.StringIO(rows.to_json(orient="records")), orient="records", dtype=False)


def main(source, target):
    rows = pd.read_csv(source)
    price = price_model(rows)
    size = LinearRegression().fit(rows[["carat", "depth", "table"]].to_numpy(), rows[["x", "y", "z"]].to_numpy())
    joblib.dump(price, f"{target}/price.joblib")
    joblib.dump(size, f"{target}/size.joblib")
    rows.head(20).to_csv(f"{target}/sample.csv", index=False)
    predicted = pd.DataFrame({"id": range(1, len(rows) + 1), "price": price.predict(as_served(rows[COLUMNS]))})
    predicted.to_csv(f"{target}/predicted.csv", index=False, header=False)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
