"""A scoring endpoint that misbehaves as its URL says, for tests of every fault.

    fault_server.py --port N [--cert FILE --key FILE]

POST /fault/MODE/score?ARGUMENTS with {"data": [row, ...]} is answered with one number a row (its place in the request)
unless MODE says otherwise. With times=N only the first N requests to that URL fail, with every=N each N-th, then it is
as good as "ok". Nothing is there for GET (no swagger) but /stats, which tells what was seen:
{"PATH?QUERY": {"requests": n, "connections": n, "last": {headers}}}.

  ok                       well-behaved; ms=, row_us= take time, workers= serve so many at once
  status-NNN               that status; retry_after=, retry_after_ms=, x_ms_retry_after_ms=, date=SECONDS (an HTTP date
                           from now), body=, request_id=, run_failed=true
  wrapped-NNN              424 as Azure's gateway wraps a model's status NNN; reason=
  redirect                 307 to the URL in to=
  too-large                413 for more rows than rows=
  throttle                 429 for more than limit= requests at once; takes ms=
  html garbage not-json invalid-utf8 nan empty      bodies (or, garbage, bytes) that are not an answer
  few many wrong-type      one result too few, too many, of the wrong type
  huge                     a body of mb= megabytes         endless         a body without an end
  endless-headers          headers without an end          endless-line    a header line without an end
  bad-gzip                 a body that says gzip and is not
  cut-headers cut-body     the connection ends there       no-answer reset it ends before anything (FIN, RST)
  slow                     a byte every 0.2 s              sleep           answers after ms=
  close                    "Connection: close" each time   stale           closes after each answer without saying so
  echo                     400 with the request's headers in the body
"""

import argparse
import collections
import email.utils
import gzip
import json
import socket
import ssl
import struct
import threading
import time
import urllib.parse

LOCK = threading.Lock()
SEEN = collections.defaultdict(lambda: {"requests": 0, "connections": 0, "last": {}})
LAST_CONNECTION = {}
UNDER_WAY = collections.Counter()
WORKERS = {}


class Hangup(Exception):
    """The fault wants the connection to end."""


class Request:
    def __init__(self, method, target, headers, body):
        self.method = method
        self.target = target
        parts = urllib.parse.urlsplit(target)
        self.path = parts.path
        self.arguments = dict(urllib.parse.parse_qsl(parts.query))
        self.headers = headers
        self.body = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body

    def number(self, name, default):
        return float(self.arguments.get(name, default))

    def rows(self):
        try:
            return len(json.loads(self.body)["data"])
        except (ValueError, KeyError, TypeError):
            return 1


def read_request(stream):
    """The next request of a connection, or None at its end."""
    line = stream.readline(65536)
    if not line:
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers = {}
    while (line := stream.readline(65536)) not in (b"\r\n", b"\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0)))
    return Request(method, target, headers, body)


def message(status, body, headers=()):
    if isinstance(body, str):
        body = body.encode()
    lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(body)}"]
    if not any(name.lower() == "content-type" for name, _ in headers):
        lines.append("Content-Type: application/json")
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def answer(request):
    return json.dumps(list(range(request.rows())))


def ok(request, _connection):
    workers = int(request.number("workers", 0))
    seconds = request.number("ms", 0) / 1e3 + request.number("row_us", 0) * request.rows() / 1e6
    if workers:
        with LOCK:
            gate = WORKERS.setdefault(request.target, threading.Semaphore(workers))
        with gate:
            time.sleep(seconds)
    elif seconds:
        time.sleep(seconds)
    return message(200, answer(request), [("x-ms-request-id", "fault-server")])


def status(code):
    def reply(request, _connection):
        headers = [("x-ms-request-id", request.arguments.get("request_id", "fault-server"))]
        for argument, name in [
            ("retry_after", "Retry-After"),
            ("retry_after_ms", "retry-after-ms"),
            ("x_ms_retry_after_ms", "x-ms-retry-after-ms"),
            ("run_failed", "x-ms-run-function-failed"),
        ]:
            if argument in request.arguments:
                headers.append((name, request.arguments[argument]))
        if "date" in request.arguments:
            headers.append(("Retry-After", email.utils.formatdate(time.time() + request.number("date", 0), usegmt=True)))
        return message(code, request.arguments.get("body", '{"message": "the fault server says no"}'), headers)

    return reply


def wrapped(code):
    def reply(request, _connection):
        headers = [
            ("ms-azureml-model-error-statuscode", code),
            ("ms-azureml-model-error-reason", request.arguments.get("reason", "model_error")),
            ("x-ms-request-id", "fault-server"),
        ]
        return message(424, '{"error": {"message": "An unexpected error occurred in scoring script."}}', headers)

    return reply


def too_large(request, connection):
    if request.rows() > request.number("rows", 100):
        return message(413, "too large", [("Content-Type", "text/plain")])
    return ok(request, connection)


def throttle(request, _connection):
    with LOCK:
        UNDER_WAY[request.target] += 1
        crowded = UNDER_WAY[request.target] > request.number("limit", 1)
    try:
        if crowded:
            return message(429, '{"message": "too many"}')
        time.sleep(request.number("ms", 20) / 1e3)
        return message(200, answer(request))
    finally:
        with LOCK:
            UNDER_WAY[request.target] -= 1


def fixed(body, kind="application/json"):
    return lambda request, connection: message(200, body, [("Content-Type", kind)])


def wrong_results(change):
    return lambda request, connection: message(200, json.dumps(change(list(range(request.rows())))))


def huge(request, connection):
    size = int(request.number("mb", 300))
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (size << 20))
    for _ in range(size):
        connection.sendall(b" " * (1 << 20))
    raise Hangup


def endless(request, connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"400\r\n" + b" " * 1024 + b"\r\n")
        time.sleep(0.001)


def endless_headers(request, connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"x-filler: " + b"x" * 1000 + b"\r\n")


def endless_line(request, connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nx-filler: ")
    while True:
        connection.sendall(b"x" * 1000)


def slow(request, connection):
    for byte in message(200, answer(request) + " " * 1000):
        connection.sendall(bytes([byte]))
        time.sleep(0.2)
    raise Hangup


def part(count):
    def reply(request, connection):
        whole = message(200, answer(request) + " " * 1000)
        connection.sendall(whole[:20] if count == "headers" else whole[:-900])
        raise Hangup

    return reply


def hang_up(request, connection):
    raise Hangup


def reset(request, connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise Hangup


def garbage(request, connection):
    connection.sendall(b"\x00\x01\x02 this is no HTTP at all \xff\xfe\r\n\r\n")
    raise Hangup


def redirect(request, _connection):
    return message(307, "", [("Location", request.arguments["to"])])


def close(request, connection):
    connection.sendall(message(200, answer(request), [("Connection", "close")]))
    raise Hangup


def stale(request, connection):
    connection.sendall(message(200, answer(request)))
    raise Hangup


def echo(request, _connection):
    return message(400, json.dumps(request.headers), [("x-ms-request-id", "fault-server")])


MODES = {
    "ok": ok,
    "sleep": ok,
    "redirect": redirect,
    "too-large": too_large,
    "throttle": throttle,
    "html": fixed("<html><body>Sign in to <b>the portal</b></body></html>", "text/html"),
    "not-json": fixed("neither here nor there"),
    "invalid-utf8": fixed(b'["\xff\xfe\xc3\x28"]'),
    "nan": fixed("[NaN]"),
    "empty": fixed(""),
    "bad-gzip": lambda request, connection: message(200, b"not gzip", [("Content-Encoding", "gzip")]),
    "few": wrong_results(lambda results: results[:-1]),
    "many": wrong_results(lambda results: results + [0]),
    "wrong-type": wrong_results(lambda results: [{"unexpected": [result]} for result in results]),
    "huge": huge,
    "endless": endless,
    "endless-headers": endless_headers,
    "endless-line": endless_line,
    "cut-headers": part("headers"),
    "cut-body": part("body"),
    "no-answer": hang_up,
    "reset": reset,
    "garbage": garbage,
    "slow": slow,
    "close": close,
    "stale": stale,
    "echo": echo,
}


def find_mode(name):
    if name.startswith("status-"):
        return status(int(name[7:]))
    if name.startswith("wrapped-"):
        return wrapped(int(name[8:]))
    return MODES.get(name, status(404))


def respond(request, connection):
    """What to send back; Hangup when the connection is to end."""
    if request.path == "/stats":
        with LOCK:
            return message(200, json.dumps(SEEN))
    if request.method == "GET":
        return message(404, "no document here", [("Content-Type", "text/plain")])
    with LOCK:
        seen = SEEN[request.target]
        seen["requests"] += 1
        seen["connections"] += LAST_CONNECTION.get(request.target) is not connection
        LAST_CONNECTION[request.target] = connection
        seen["last"] = request.headers
        number = seen["requests"]
    segments = request.path.split("/")
    mode = find_mode(segments[2] if len(segments) > 2 and segments[1] == "fault" else "")
    if number > request.number("times", number) or number % int(request.number("every", 1)) != 0:
        mode = ok
    return mode(request, connection)


def serve(connection, tls):
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            connection = tls.wrap_socket(connection, server_side=True)
        stream = connection.makefile("rb")
        while (request := read_request(stream)) is not None:
            connection.sendall(respond(request, connection))
    except (Hangup, OSError, ValueError):
        pass
    finally:
        try:
            stream.close()
        except (NameError, OSError):
            pass
        connection.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    options = parser.parse_args()
    tls = None
    if options.cert:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.cert, options.key)
    listener = socket.create_server(("127.0.0.1", options.port), backlog=256)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection, tls), daemon=True).start()


if __name__ == "__main__":
    main()
