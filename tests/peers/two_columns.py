"""A small endpoint with two named outputs: {"data": [{"k": 2}]} -> [{"double": 4, "triple": 6}].   two_columns.py --port N"""

import argparse
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Endpoint(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(b"Healthy", "text/plain")

    def do_POST(self):
        rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["data"]
        scores = [{"double": 2 * (row["k"] or 0), "triple": 3 * (row["k"] or 0)} for row in rows]
        self.answer(json.dumps(scores).encode(), "application/json")

    def answer(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    Endpoint.wbufsize = -1
    ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Endpoint).serve_forever()
