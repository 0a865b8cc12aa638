"""A schema registry with Confluent's look-up by number.   registry.py --port N

GET  /schemas/ids/ID    {"schema": "..."}, with what else belongs to it; 404 with error_code 40403 when there is none; 401 unless
                        the user is reader:let-me-in
PUT  /schemas/ids/ID    have this body answered
"""

import argparse
import base64
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PASSWORD = "Basic " + base64.b64encode(b"reader:let-me-in").decode()
schemas = {}


class Registry(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self):
        if self.path == "/":
            self.answer(200, b"{}")
        elif self.headers.get("Authorization") != PASSWORD:
            self.answer(401, b'{"error_code":401,"message":"Unauthorized"}')
        else:
            missing = json.dumps({"error_code": 40403, "message": "Schema not found"}).encode()
            self.answer(200 if self.path in schemas else 404, schemas.get(self.path, missing))

    def do_PUT(self):
        schemas[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(204, b"")

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Registry).serve_forever()
