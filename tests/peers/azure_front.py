"""Plays Azure's managed gateway in front of a scoring server: keys, wrapped model errors, refusals.

    azure_front.py --listen PORT --behind PORT --keys K1,K2 [--deployments blue,green] [--max-concurrent N] [--timeout S]

What it does to a request, in this order (azure-contracts.md 7 has the sources):
  401  no or unknown key in "Authorization: Bearer ..."
  404  "azureml-model-deployment" names a deployment that is not there
  429  more than twice --max-concurrent under way
  408  the server behind took longer than --timeout
  424  the server behind answered something else than 200: ms-azureml-model-error-statuscode and -reason say what
GET /front/stats answers what it has seen, POST /front/keys?K1,K2 replaces the keys, POST /front/fail?STATUS,COUNT[,RETRY_AFTER]
makes the next COUNT scoring requests fail with STATUS by itself (as the platform's own errors do).
"""

import argparse
import asyncio
import collections
import json
import uuid

REASONS = {400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 408: "Request Timeout", 424: "Failed Dependency",
           429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable"}


class Gateway:
    def __init__(self, options):
        self.options = options
        self.keys = options.keys.split(",")
        self.deployments = options.deployments.split(",")
        self.under_way = 0
        self.failures = collections.deque()
        self.stats = collections.Counter()

    async def serve(self, reader, writer):
        """One connection: requests one after another, until the client closes."""
        try:
            while True:
                message = await read_message(reader)
                if message is None:
                    break
                start, headers, body = message
                status, extra, answer = await self.answer(start, headers, body)
                self.stats[f"status_{status}"] += 1
                write_answer(writer, status, extra, answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def answer(self, start, headers, body):
        method, path, _ = start.split(" ", 2)
        if path.startswith("/front/"):
            return self.control(path)
        if method == "POST":
            self.stats["requests"] += 1
        extra = {"x-ms-request-id": str(uuid.uuid4())}
        if "x-ms-client-request-id" in headers:
            extra["x-ms-client-request-id"] = headers["x-ms-client-request-id"]
        refusal = self.refusal(method, headers, extra)
        if refusal:
            return refusal[0], extra, refusal[1]
        return await self.forward(method, path, headers, body, extra)

    def refusal(self, method, headers, extra):
        """The platform's own answer, or None when the request may go on to the model."""
        if headers.get("authorization", "") not in [f"Bearer {key}" for key in self.keys]:
            return 401, b'{"error":{"code":"Unauthorized","message":"The key or token is not valid."}}'
        if self.failures and method == "POST":
            status, retry_after = self.failures.popleft()
            if retry_after:
                extra["Retry-After"] = retry_after
            return status, b""
        deployment = headers.get("azureml-model-deployment")
        if deployment and deployment not in self.deployments:
            return 404, b'{"error":{"code":"NotFound","message":"There is no deployment of that name."}}'
        extra["azureml-model-deployment"] = deployment or self.deployments[0]
        if self.options.max_concurrent and self.under_way >= 2 * self.options.max_concurrent:
            return 429, b'{"error":{"code":"TooManyRequests","message":"Too many requests are under way."}}'
        return None

    async def forward(self, method, path, headers, body, extra):
        self.under_way += 1
        try:
            status, answered, answer = await asyncio.wait_for(
                ask(self.options.behind, method, path, headers, body), self.options.timeout
            )
        except asyncio.TimeoutError:
            return 408, extra, b""
        except OSError:
            return 502, extra, b""
        finally:
            self.under_way -= 1
        if status != 200:
            extra["ms-azureml-model-error-statuscode"] = str(status)
            extra["ms-azureml-model-error-reason"] = "model_error"
            return 424, extra, answer
        extra["Content-Type"] = answered.get("content-type", "application/json")
        return 200, extra, answer

    def control(self, path):
        command, _, arguments = path[len("/front/"):].partition("?")
        if command == "keys":
            self.keys = arguments.split(",")
        elif command == "fail":
            status, count, *retry_after = arguments.split(",")
            self.failures.extend([(int(status), retry_after[0] if retry_after else "")] * int(count))
        return 200, {"Content-Type": "application/json"}, json.dumps(self.stats).encode()


async def read_message(reader):
    """Start line, headers in lower case, body; None at the end of the connection."""
    start = (await reader.readline()).decode("latin-1").strip()
    if not start:
        return None
    headers = {}
    while True:
        line = (await reader.readline()).decode("latin-1").strip()
        if not line:
            break
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return start, headers, body


def write_answer(writer, status, headers, body):
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'OK')}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)


async def ask(port, method, path, headers, body):
    """The same request to the server behind, on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        lines = [f"{method} {path} HTTP/1.1", "Host: model", "Connection: close", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {headers[name]}" for name in ("content-type", "accept") if name in headers]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)
        start, answered, answer = await read_message(reader)
        return int(start.split(" ", 2)[1]), answered, answer
    finally:
        writer.close()


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", type=int, required=True)
    parser.add_argument("--behind", type=int, required=True)
    parser.add_argument("--keys", default="first-key,second-key")
    parser.add_argument("--deployments", default="blue,green")
    parser.add_argument("--max-concurrent", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=5.0)
    gateway = Gateway(parser.parse_args())
    server = await asyncio.start_server(gateway.serve, "127.0.0.1", gateway.options.listen, limit=1 << 20)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
