"""Shows what was sent, answers what it is told: for tests of how values travel.

POST /echo                 the request's body, as the text that is the only result
POST /reply/BODY           BODY, percent-encoded in the path, byte for byte
POST /rows                 a result for each row of {"data": [...]}: the row's JSON as it was sent, as a text
GET  /swagger.json         404; below /schema/NAME it is tests/fixtures/swagger/NAME.json, and POST .../echo works there too
"""

import json
import os
import urllib.parse

from peer import Peer, serve

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "swagger")


def rows_as_sent(body):
    """The elements of the array under "data", each as it stands in the text."""
    text = body.decode()
    start = text.index("[") + 1
    depth, quoted, escaped, rows, begin = 0, False, False, [], start
    for at in range(start, len(text)):
        char = text[at]
        if quoted:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                quoted = False
        elif char == '"':
            quoted = True
        elif char in "[{":
            depth += 1
        elif depth == 0 and char in ",]":
            rows.append(text[begin:at])
            begin = at + 1
            if char == "]":
                break
        elif char in "]}":
            depth -= 1
    return rows


class Mirror(Peer):
    def do_GET(self):
        parts = self.path.split("?")[0].split("/")
        if len(parts) == 4 and parts[1] == "schema" and parts[3] == "swagger.json":
            with open(os.path.join(FIXTURES, os.path.basename(parts[2]) + ".json"), "rb") as document:
                self.answer_json(200, document.read())
        else:
            self.answer_json(200 if self.path == "/" else 404, b'"no such document"')

    def do_POST(self):
        body = self.body()
        if self.path.startswith("/reply/"):
            self.answer_json(200, urllib.parse.unquote_to_bytes(self.path[len("/reply/"):]))
        elif self.path.endswith("/rows"):
            self.answer_json(200, json.dumps(rows_as_sent(body)).encode())
        else:
            self.answer_json(200, json.dumps([body.decode()]).encode())

    def answer_json(self, status, body):
        self.answer(status, body, {"Content-Type": "application/json"})


if __name__ == "__main__":
    serve(Mirror)
