"""Serves documents that tests put there, and tells how often each was asked for.

    documents.py --port PORT

PUT /name[?status=404] sets what GET /name answers (its query counts as part of the name, escaped: PUT /a%3Fversion=3);
GET /count/name says how often it was asked for since; GET /authorization/name the last Authorization header it came with.
What was never put is a 404 like any other.
"""

import collections
import urllib.parse

from peer import Peer, serve

DOCUMENTS = {}
COUNTS = collections.Counter()
AUTHORIZATION = {}


class Handler(Peer):
    def do_PUT(self):
        url = urllib.parse.urlsplit(self.path)
        status = int(dict(urllib.parse.parse_qsl(url.query)).get("status", "200"))
        name = urllib.parse.unquote(url.path)
        DOCUMENTS[name] = (status, self.body())
        COUNTS[name] = 0
        self.answer(200, b"")

    def do_GET(self):
        for prefix, table in (("/count/", COUNTS), ("/authorization/", AUTHORIZATION)):
            if self.path.startswith(prefix):
                name = urllib.parse.unquote(self.path[len(prefix) - 1:])
                self.answer(200, str(table.get(name, 0)).encode())
                return
        COUNTS[self.path] += 1
        AUTHORIZATION[self.path] = self.headers.get("Authorization", "none")
        self.answer(*DOCUMENTS.get(self.path, (404, b"no such document")))


if __name__ == "__main__":
    serve(Handler)
