"""A schema registry with Confluent's look-up by number.   registry.py --port N

GET  /schemas/ids/ID    {"schema": "..."}, with what else belongs to it; 404 with error_code 40403 when there is none; 401 unless
                        the user is reader:let-me-in
PUT  /schemas/ids/ID    have this body answered
"""

import base64
import json

from peer import Peer, serve

PASSWORD = "Basic " + base64.b64encode(b"reader:let-me-in").decode()
schemas = {}


class Registry(Peer):
    def do_GET(self):
        if self.path == "/":
            self.answer(200, b"{}")
        elif self.headers.get("Authorization") != PASSWORD:
            self.answer(401, b'{"error_code":401,"message":"Unauthorized"}')
        else:
            missing = json.dumps({"error_code": 40403, "message": "Schema not found"}).encode()
            self.answer(200 if self.path in schemas else 404, schemas.get(self.path, missing),
                        {"Content-Type": "application/vnd.schemaregistry.v1+json"})

    def do_PUT(self):
        schemas[self.path] = self.body()
        self.answer(204)


if __name__ == "__main__":
    serve(Registry)
