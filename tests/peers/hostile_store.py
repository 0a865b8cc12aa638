"""A blob service that is up to no good: what it lists cannot be, or never ends.   hostile_store.py --port N

The container says what GET lists: "unsized" has a blob of no known length beside one of 256 kB, "negative" one of less than
no bytes, "endless" has another page for ever. Blobs are as long as the range that is asked for.
"""

import re
import urllib.parse

from peer import Peer, serve

SIZES = {"unsized": [None, 262144], "negative": [-5, 262144], "endless": [1]}


def blob(name, size):
    length = "" if size is None else "<Content-Length>%d</Content-Length>" % size
    return "<Blob><Name>%s</Name><Properties>%s</Properties></Blob>" % (name, length)


def listing(container, prefix):
    blobs = "".join(blob("%s%d.csv" % (prefix, i), size) for i, size in enumerate(SIZES[container]))
    marker = "again" if container == "endless" else ""
    return "<EnumerationResults><Blobs>%s</Blobs><NextMarker>%s</NextMarker></EnumerationResults>" % (blobs, marker)


class HostileStore(Peer):
    def do_GET(self):
        parts = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(parts.query)
        if "comp" in query:
            self.answer(200, listing(parts.path.split("/")[2], query["prefix"][0]).encode())
        elif "x-ms-range" in self.headers:
            first, last = re.match(r"bytes=(\d+)-(\d+)", self.headers["x-ms-range"]).groups()
            self.answer(206, b"x" * (int(last) - int(first) + 1))
        else:
            self.answer(200)


if __name__ == "__main__":
    serve(HostileStore)
