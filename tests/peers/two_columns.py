"""A small endpoint with two named outputs: {"data": [{"k": 2}]} -> [{"double": 4, "triple": 6}].   two_columns.py --port N"""

import json

from peer import Peer, serve


class Endpoint(Peer):
    def do_GET(self):
        self.answer(200, b"Healthy")

    def do_POST(self):
        rows = json.loads(self.body())["data"]
        scores = [{"double": 2 * (row["k"] or 0), "triple": 3 * (row["k"] or 0)} for row in rows]
        self.answer(200, json.dumps(scores).encode(), {"Content-Type": "application/json"})


if __name__ == "__main__":
    serve(Endpoint)
