#!/usr/bin/env python3
"""The run-history API of an Azure ML workspace, played.

    GET /history/v1.0{ARM id}/experiments/{name}/runs/{id}             Run
    GET .../runs/{id}/details                                          RunDetails
    GET .../runs/{id}/children[?$continuationtoken=N]                  PaginatedRunList
as Microsoft.MachineLearningServices/preview/2019-08-01/runHistory.json describes them; anything unknown is a 404 with
Azure ML's ErrorResponse. The ARM id is not looked at. Tests say what there is, and read what was asked:

    PUT /_runs      {"EXPERIMENT/RUN": {"run": {...}, "details": {...}, "children": [[Run, ...], ...]}}, children by page;
                    "key" at the top: the bearer token that is wanted
    PUT /_faults    [status, ...]: what the next requests are answered with, one each; 0 hangs up, -1 never
                    answers
    GET /_requests  the paths asked for, a line each; DELETE forgets them
"""
import json
import re
import threading
from urllib.parse import parse_qs, unquote, urlsplit

from peer import Peer, serve

RESOURCE = re.compile(r"/history/v1\.0/subscriptions/[^/]+/resourceGroups/[^/]+/providers/"
                      r"Microsoft\.MachineLearningServices/workspaces/[^/]+/experiments/([^/]+)/runs/([^/]+)(/details|/children)?$")
lock = threading.Lock()
runs, faults, requests, wanted_key = {}, [], [], None


class Handler(Peer):
    def tell(self, status, document):
        self.answer(status, json.dumps(document).encode(), {"Content-Type": "application/json; charset=utf-8"})

    def error(self, status, code, message):
        self.tell(status, {"error": {"code": code, "message": message}, "correlation": {}})

    def do_PUT(self):
        global runs, faults, wanted_key
        document = json.loads(self.body())
        with lock:
            if self.path == "/_runs":
                wanted_key = document.pop("key", None)
                runs = document
            else:
                faults = document
        self.answer(200)

    def do_DELETE(self):
        with lock:
            requests.clear()
        self.answer(200)

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/_requests":
            with lock:
                self.answer(200, "".join(line + "\n" for line in requests).encode())
            return
        match = RESOURCE.match(url.path)
        if match is None:
            self.error(404, "UserError", "no such resource")
            return
        with lock:
            requests.append(self.path[self.path.index("/experiments/"):])
            fault = faults.pop(0) if faults else None
            run = runs.get(unquote(match[1]) + "/" + unquote(match[2]))
        if fault == 0:
            self.close_connection = True
        elif fault == -1:
            threading.Event().wait()
        elif fault is not None:
            self.error(fault, "ServiceError", "on request")
        elif wanted_key is not None and self.headers.get("Authorization") != "Bearer " + wanted_key:
            self.error(401, "UserError", "not authorized")
        elif run is None:
            self.error(404, "UserError", "Run " + match[2] + " not found")
        elif match[3] == "/children":
            self.children(run.get("children", [[]]), int(parse_qs(url.query).get("$continuationtoken", ["0"])[0]))
        else:
            self.tell(200, run["details" if match[3] else "run"])

    def children(self, pages, page):
        more = page + 1 < len(pages)
        self.tell(200, {"value": pages[page], "continuationToken": str(page + 1) if more else None, "nextLink": None})


if __name__ == "__main__":
    serve(Handler)
