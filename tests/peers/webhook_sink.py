#!/usr/bin/env python3
"""A receiver of webhooks that checks signatures with Standard Webhooks' own library.

    POST /hook         an alert; 401 and kept under /_bad when its signature is not by SECRET
    PUT /_answers      [status, ...]: for the next requests, one each; 0: take it, and cut the connection without an answer;
                       a list [status, seconds]: after so long
    GET /_taken        what was taken (answered 200, or cut), a JSON line each: {"id", "authorization", "body"}
    GET /_seen         ids of all that came, in order
    GET /_bad          what was wrong, a line each
"""
import json
import threading
import time

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from peer import Peer, serve

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
lock = threading.Lock()
answers, taken, seen, bad = [], [], [], []


class Handler(Peer):
    def do_PUT(self):
        with lock:
            answers[:] = json.loads(self.body())
        self.answer(200)

    def do_GET(self):
        with lock:
            lines = {"/_taken": taken, "/_seen": seen, "/_bad": bad}.get(self.path, [])
            self.answer(200, "".join(line + "\n" for line in lines).encode())

    def do_POST(self):
        body = self.body()
        try:
            if self.headers["Content-Type"] != "application/json":
                raise ValueError("content type")
            document = Webhook(SECRET).verify(body, dict(self.headers.items()))
            if document["id"] != self.headers["webhook-id"]:
                raise ValueError("id")
        except (WebhookVerificationError, ValueError, KeyError) as problem:
            with lock:
                bad.append(repr(problem))
            self.answer(401)
            return
        with lock:
            seen.append(self.headers["webhook-id"])
            status = answers.pop(0) if answers else 200
        if isinstance(status, list):
            status, seconds = status
            time.sleep(seconds)
        if status in (0, 200):
            with lock:
                taken.append(json.dumps({"id": self.headers["webhook-id"], "authorization": self.headers.get("Authorization"),
                                         "body": document}))
        if status == 0:
            self.close_connection = True
            return
        self.answer(status)


if __name__ == "__main__":
    serve(Handler)
