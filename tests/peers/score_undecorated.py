"""Entry script without schema decorators: nothing can be inferred from its swagger. Price per carat of 4000."""

import json


def init():
    pass


def run(raw):
    return [4000.0 * row["carat"] for row in json.loads(raw)["data"]]
