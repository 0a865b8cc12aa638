"""A blob service that is up to no good: what it lists cannot be, or never ends.

    hostile_store.py --port N

The container says what GET lists: "unsized" has a blob of no known length beside one of 256 kB, "negative" one of less than
no bytes, "endless" has another page for ever. Blobs are as long as the range that is asked for.
"""

import argparse
import re
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SIZES = {"unsized": [None, 262144], "negative": [-5, 262144], "endless": [1]}


def blob(name, size):
    length = "" if size is None else "<Content-Length>%d</Content-Length>" % size
    return "<Blob><Name>%s</Name><Properties>%s</Properties></Blob>" % (name, length)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        parts = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(parts.query)
        container = parts.path.strip("/").split("/")[1:2]
        status, body = 200, b""
        if "comp" in query:
            prefix = query["prefix"][0]
            blobs = "".join(blob("%s%d.csv" % (prefix, i), size) for i, size in enumerate(SIZES[container[0]]))
            marker = "again" if container == ["endless"] else ""
            body = ("<EnumerationResults><Blobs>%s</Blobs><NextMarker>%s</NextMarker></EnumerationResults>" % (blobs, marker)).encode()
        elif "x-ms-range" in self.headers:
            first, last = re.match(r"bytes=(\d+)-(\d+)", self.headers["x-ms-range"]).groups()
            status, body = 206, b"x" * (int(last) - int(first) + 1)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Handler).serve_forever()


main()
