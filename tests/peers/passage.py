"""What stands between: a forward proxy, an endpoint that speaks gzip, a port where nobody picks up.   passage.py --port N

POST http://HOST:PORT/...   (as a proxy) passed on, answered with the peer's answer; counted
POST /gzip/score            takes {"data": [...]} gzip'd only, answers a gzip'd array with each row's number; 415 otherwise
GET  /passed                how many requests went through
GET  /busy                  a port that accepts no connection: its backlog is full
"""

import gzip
import http.client
import json
import socket
import urllib.parse

from peer import Peer, serve

passed = 0
held = []


def busy_port():
    """A listener whose backlog is taken up: the kernel drops what else comes."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    held.append(listener)
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        held.append(filler)
    return listener.getsockname()[1]


class Passage(Peer):
    def do_GET(self):
        if self.path == "/passed":
            self.answer(200, str(passed).encode())
        elif self.path == "/busy":
            self.answer(200, str(busy_port()).encode())
        else:
            self.answer(200 if self.path == "/" else 404, b"")

    def do_POST(self):
        body = self.body()
        if self.path.startswith("http://"):
            self.pass_on(urllib.parse.urlsplit(self.path), body)
        elif self.headers.get("Content-Encoding") != "gzip" or "gzip" not in self.headers.get("Accept-Encoding", ""):
            self.answer(415, b"gzip only")
        else:
            rows = json.loads(gzip.decompress(body))["data"]
            numbers = gzip.compress(json.dumps(list(range(len(rows)))).encode())
            self.answer(200, numbers, {"Content-Encoding": "gzip"})

    def pass_on(self, target, body):
        global passed
        passed += 1
        headers = {name: value for name, value in self.headers.items() if name.lower() != "proxy-connection"}
        peer = http.client.HTTPConnection(target.hostname, target.port)
        peer.request("POST", target.path, body, headers)
        reply = peer.getresponse()
        self.answer(reply.status, reply.read())


if __name__ == "__main__":
    serve(Passage)
