"""An online endpoint with several deployments, as Azure's front deals requests out: a router by header.

    POST /NAME/URL/NAME/URL.../score     to the URL (percent-encoded) of the deployment that azureml-model-deployment names,
                                         to the first one without that header; of a name that is not there: 404
    GET  /NAME/URL.../swagger.json       what the first deployment says, beside its URL
    GET  /                               Healthy

The deployments are other peers. The reply tells with azureml-model-deployment which one answered.
"""

import http.client
import json
import threading
import urllib.parse

from peer import Peer, serve

LOCAL = threading.local()


def connection_to(netloc):
    """This thread's connection to netloc, kept alive."""
    known = LOCAL.__dict__.setdefault("connections", {})
    if netloc not in known:
        known[netloc] = http.client.HTTPConnection(netloc, timeout=60)
    return known[netloc]


def forward(method, url, body, headers):
    parts = urllib.parse.urlsplit(url)
    for last in (False, True):
        connection = connection_to(parts.netloc)
        try:
            connection.request(method, parts.path, body=body, headers=headers)
            reply = connection.getresponse()
            return reply.status, reply.getheader("Content-Type", "application/json"), reply.read()
        except (http.client.HTTPException, OSError):
            connection.close()
            if last:
                return 502, "application/json", b'{"message": "the deployment does not answer"}'


class Router(Peer):
    def deployments(self):
        words = self.path.strip("/").split("/")[:-1]
        return {name: urllib.parse.unquote(url) for name, url in zip(words[::2], words[1::2])}

    def do_GET(self):
        deployments = self.deployments()
        if not deployments:
            return self.tell(200, "text/plain", b"Healthy")
        url = urllib.parse.urljoin(next(iter(deployments.values())), "swagger.json")
        return self.tell(*forward("GET", url, None, {}))

    def do_POST(self):
        body = self.body()
        deployments = self.deployments()
        name = self.headers.get("azureml-model-deployment", next(iter(deployments)))
        if name not in deployments:
            message = json.dumps({"error": {"code": "NotFound", "message": f"no deployment {name}"}})
            return self.tell(404, "application/json", message.encode())
        kept = ("content-type", "content-encoding", "x-ms-client-request-id", "authorization")
        headers = {key: value for key, value in self.headers.items() if key.lower() in kept}
        return self.tell(*forward("POST", deployments[name], body, headers), name)

    def tell(self, status, kind, body, deployment=None):
        headers = {"Content-Type": kind, "x-ms-request-id": self.headers.get("x-ms-client-request-id", "none")}
        if deployment:
            headers["azureml-model-deployment"] = deployment
        self.answer(status, body, headers)


if __name__ == "__main__":
    serve(Router)
