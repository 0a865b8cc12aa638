"""Azure's identity services, played: what ml_score asks for tokens, keys and secrets, and endpoints that want them.

    identity_server.py --port N      RUN names the directory of the test run

Plain HTTP on 127.0.0.1:N, and the same over https on another port, with a certificate of its own authority: GET /setup
tells {"tls_port", "ca_file", "client_pem", ...}. Everything asked is recorded.

  POST /TENANT/oauth2/v2.0/token       Entra's token endpoint; the tenant says how it behaves:
      ok  life-SECONDS  refresh-SECONDS (refresh_in)  refuse (invalid_client, and repeats the form)  status-NNN
      jwt (signed by this run's key, for the audience that is asked for, as kafka.sh, azurite.sh and batch.sh want it)
      nobody (no such tenant)  redirect (307)  clock (the assertion must be good by our clock: /set?ahead=SECONDS)
      unsigned-once (then jwt)  then-503 (a token of 40 s, then that)  then-hang  stale-once (a jwt that has expired, then jwt)
      stale-hang (the same, then hang)  once-NNN (the first time)  hang...  slow  garbage  expired  no-expiry
      long (a token of 12 kB)  huge (of 20 kB)
  GET  /metadata/identity/oauth2/token IMDS; /imds-MODE before it: as above, or imds-404-N (the first N times)
  GET  /msi/token                      App Service 2019 (X-IDENTITY-HEADER) and 2017 (secret); POST: Cloud Shell
  GET  /aml/token                      the same on Azure ML compute
  GET  /arc/token                      Azure Arc; KEY names its challenge's file
  GET  /fabric/token                   Service Fabric
  GET  /subscriptions/...              the control plane: an online endpoint, its listkeys and token
  GET  /secrets/NAME                   a key vault's secret: keys-NAME's value, set by /set
  POST /...?comp=userdelegationkey     a blob service whose identities lack the role
  PUT  /...                            a blob service that finds the request's date wrong
  POST /score                          an endpoint that takes tokens it knows and keys that /set set; one number a row

Of this process: GET /count?path=P, /last?path=P, /log; POST /reset, /revoke?claims=1 (all tokens end),
/set?NAME=VALUE.
"""

import argparse
import base64
import json
import os
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt_key

LOCK = threading.Lock()
LOG = []
TOKENS = {}
SETTINGS = {"primary": "primary-key", "secondary": "secondary-key", "authMode": "Key", "challenge": "", "ahead": "0"}
SEEN = {}
SETUP = {}


def openssl(*arguments, data=None):
    subprocess.run(["openssl", *arguments], check=True, input=data, capture_output=True)


def make_certificates(directory):
    """An authority, a server's certificate for 127.0.0.1 and localhost, and certificates of clients."""
    os.makedirs(directory, exist_ok=True)
    path = lambda name: os.path.join(directory, name)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=ml_score test authority",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", path("ca.key"), "-out", path("ca.pem"))
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", path("server.key"), "-out", path("server.csr"))
    with open(path("ext"), "w") as f:
        f.write("subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=critical,CA:FALSE\n"
                "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
    openssl("x509", "-req", "-days", "30", "-in", path("server.csr"), "-CA", path("ca.pem"), "-CAkey", path("ca.key"),
            "-CAcreateserial", "-extfile", path("ext"), "-out", path("server.pem"))
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=client",
            "-keyout", path("client.key"), "-out", path("client.crt"))
    # one that was good for a day in 2020
    for name in ("index.txt", "serial"):
        with open(path(name), "w") as f:
            f.write("" if name == "index.txt" else "01\n")
    with open(path("ca.cnf"), "w") as f:
        f.write("[ca]\ndefault_ca=d\n[d]\nnew_certs_dir=%s\ndatabase=%s\nserial=%s\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n" %
                (directory, path("index.txt"), path("serial")))
    openssl("req", "-new", "-key", path("client.key"), "-subj", "/CN=expired", "-out", path("expired.csr"))
    openssl("ca", "-batch", "-config", path("ca.cnf"), "-cert", path("ca.pem"), "-keyfile", path("ca.key"), "-in", path("expired.csr"),
            "-out", path("expired.crt"), "-notext", "-startdate", "200101000000Z", "-enddate", "200102000000Z")
    openssl("rsa", "-aes256", "-passout", "pass:open sesame", "-in", path("client.key"), "-out", path("locked.key"))
    for name, certificate, key in [("client.pem", "client.crt", "client.key"), ("locked.pem", "client.crt", "locked.key"),
                                   ("expired.pem", "expired.crt", "client.key")]:
        with open(path(name), "wb") as out:
            out.write(open(path(certificate), "rb").read() + open(path(key), "rb").read())
    SETUP.update(ca_file=path("ca.pem"), client_pem=path("client.pem"), locked_pem=path("locked.pem"), expired_pem=path("expired.pem"))
    for name in ["ca.pem", "client.pem", "locked.pem", "expired.pem"]:
        os.chmod(path(name), 0o644)
    return path("server.pem"), path("server.key")


def issue(mode, extra=None):
    """A token reply as the mode wants it, and its HTTP status."""
    with LOCK:
        token = "token-%d-%s" % (len(TOKENS) + 1, base64.urlsafe_b64encode(os.urandom(48)).decode().rstrip("="))
        if mode in ("long", "huge"):
            token += "x" * (12000 if mode == "long" else 20000)
        TOKENS[token] = True
    life = int(mode.split("-")[1]) if mode.startswith("life-") else 3599
    if mode == "garbage":
        return 200, "<html>Sign in</html>"
    reply = {"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token}
    if mode.startswith("refresh-"):
        reply["refresh_in"] = int(mode.split("-")[1])
    if mode == "no-expiry":
        del reply["expires_in"]
    if mode == "expired":
        del reply["expires_in"]
        reply["expires_on"] = int(time.time()) - 10
    if extra:
        extra(reply)
    return 200, reply


def times(key):
    with LOCK:
        SEEN[key] = SEEN.get(key, 0) + 1
        return SEEN[key]


def signed_token(form_text, *claims):
    """A token for the scope of a token request, as other peers of this run check it, with these further claims."""
    scope = urllib.parse.parse_qs(form_text)["scope"][0]
    key = os.path.join(os.environ["RUN"], "tokens", "key.pem")
    return jwt_key.signed(key, "aud=" + scope.removesuffix("/.default"), "iss=https://sts.windows.net/tests/", "ver=1.0", "oid=tests", "tid=tenant", *claims)


def behave(mode, form_text):
    """The answer to a token request."""
    if mode == "jwt":
        return issue(mode, lambda reply: reply.update(access_token=signed_token(form_text)))
    if mode.startswith("hang") or (mode == "stale-hang" and times(mode) > 1):
        time.sleep(60)
    if mode == "slow":
        time.sleep(1)
    if mode == "refuse":
        return 401, {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided. You sent: " + form_text,
                     "error_codes": [7000215], "trace_id": "t", "correlation_id": "c"}
    if mode == "nobody":
        return 400, {"error": "invalid_request", "error_description": "AADSTS90002: Tenant 'nobody' not found.", "error_codes": [90002]}
    if mode == "redirect":
        return 307, {}, [("Location", "https://localhost:%d/ok/oauth2/v2.0/token" % SETUP["tls_port"])]
    if mode == "clock" and not in_time(form_text):
        return 401, {"error": "invalid_client", "error_description": "AADSTS700024: Client assertion is not within its valid time range.",
                     "error_codes": [700024]}
    if mode.startswith("status-"):
        return int(mode[7:]), {"error": "temporarily_unavailable", "error_description": "later"}
    if mode.startswith("once-") and times(mode) == 1:
        return int(mode[5:]), {"error": "temporarily_unavailable", "error_description": "later"}
    if mode == "stale-hang" or (mode == "stale-once" and times(mode) == 1):
        return issue(mode, lambda reply: reply.update(access_token=signed_token(form_text, "exp=-60")))
    if mode == "stale-once":
        return behave("jwt", form_text)
    if mode == "unsigned-once":
        return behave("ok" if times(mode) == 1 else "jwt", form_text)
    if mode == "then-503" and times(mode) > 1:
        return 503, {"error": "temporarily_unavailable"}
    if mode == "then-hang" and times(mode) > 1:
        time.sleep(60)
    return issue("life-40" if mode == "then-503" else mode)


def in_time(form_text):
    """Is the assertion of a token request good now, by this service's clock?"""
    claims = urllib.parse.parse_qs(form_text)["client_assertion"][0].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    return claims["nbf"] <= time.time() + int(SETTINGS["ahead"]) <= claims["exp"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def date_time_string(self, timestamp=None):
        return super().date_time_string((timestamp or time.time()) + int(SETTINGS["ahead"]))

    def reply(self, status, body, headers=()):
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.serve("")

    def do_PUT(self):
        """A blob service that takes nothing from somewhen else."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.reply(403, {"error": {"code": "AuthenticationFailed", "message": "Request date header too old"}})

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        self.serve(self.rfile.read(length).decode("utf-8", "replace"))

    def serve(self, body):
        parts = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        if self.admin(parts.path, query):
            return
        record = {"method": self.command, "path": parts.path, "query": query, "body": body,
                  "headers": {name.lower(): value for name, value in self.headers.items()},
                  "form": dict(urllib.parse.parse_qsl(body)), "tls": isinstance(self.connection, ssl.SSLSocket)}
        with LOCK:
            LOG.append(record)
        self.reply(*self.answer(record))

    def admin(self, path, query):
        with LOCK:
            matching = [r for r in LOG if query.get("path", "") in r["path"]]
            if path == "/setup":
                result = SETUP
            elif path == "/count":
                result = len(matching)
            elif path == "/last":
                result = matching[-1] if matching else {}
            elif path == "/log":
                result = matching
            elif path == "/reset":
                LOG.clear()
                SEEN.clear()
                result = {}
            elif path == "/revoke":
                TOKENS.clear()
                SETTINGS["challenge"] = query.get("claims", "")
                result = {}
            elif path == "/set":
                SETTINGS.update(query)
                result = {}
            elif path == "/":
                result = {}
            else:
                return False
        self.reply(200, result)
        return True

    def answer(self, record):
        path, headers = record["path"], record["headers"]
        steps = path.strip("/").split("/")
        if path.endswith("/oauth2/v2.0/token"):
            return behave(steps[0], record["body"])
        if path.endswith("/.well-known/openid-configuration"):
            here = "https://127.0.0.1:%d/%s" % (SETUP["tls_port"], steps[0])
            return 200, {"issuer": here, "token_endpoint": here + "/oauth2/v2.0/token", "authorization_endpoint": here + "/authorize"}
        if path.endswith("/metadata/identity/oauth2/token"):
            return self.imds(steps[0], record)
        if path in ("/msi/token", "/aml/token"):
            return self.app_service(record)
        if path == "/arc/token":
            return self.arc(headers)
        if path == "/fabric/token":
            good = headers.get("secret") == "fabric-secret"
            return issue("ok", lambda r: r.pop("expires_in") and r.update(expires_on=int(time.time()) + 3600)) if good else (
                401, {"error": {"code": "SecretHeaderNotFound", "message": "no"}})
        if path.startswith("/subscriptions/"):
            return self.control_plane(record)
        if path.startswith("/secrets/"):
            return self.vault(steps[1], headers)
        if record["query"].get("comp") == "userdelegationkey":
            return 403, {"error": {"code": "AuthorizationPermissionMismatch", "message": "no"}}
        if path in ("/score", "/swagger.json"):
            return self.score(record)
        return 404, {"error": "nothing here"}

    def known(self, headers):
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        return bearer in TOKENS or (SETTINGS["authMode"] == "Key" and bearer in (SETTINGS["primary"], SETTINGS["secondary"]) and bearer)

    def unauthorized(self):
        challenge = 'Bearer realm="", authorization_uri="https://login.example/authorize"'
        if SETTINGS["challenge"]:
            claims = base64.b64encode(b'{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}').decode()
            challenge += ', error="insufficient_claims", claims="%s"' % claims
        return 401, {"error": {"code": "Unauthorized", "message": "no"}}, [("WWW-Authenticate", challenge)]

    def imds(self, mode, record):
        if record["headers"].get("metadata") != "true":
            return 400, {"error": "invalid_request", "error_description": "Required metadata header not specified"}
        if mode.startswith("imds-"):
            status, count = mode.split("-")[1:3]
            if times(mode) <= int(count):
                return int(status), {"error": "not_now", "error_description": "updating"}, [("Retry-After", "1")] if status == "429" else ()
        text = lambda r: r.update(expires_in="86399", expires_on=str(int(time.time()) + 86399), not_before="1", resource=record["query"].get("resource"))
        return issue("ok", text)

    def app_service(self, record):
        headers, in_an_hour = record["headers"], time.time() + 3600
        if headers.get("x-identity-header") == "identity-header":
            return issue("ok", lambda r: r.pop("expires_in") and r.update(expires_on=str(int(in_an_hour))))
        if headers.get("secret") == "msi-secret":
            date = time.strftime("%-m/%-d/%Y %-I:%M:%S %p +00:00", time.gmtime(in_an_hour))
            end = str(int(in_an_hour)) if record["path"].startswith("/aml") else date
            return issue("ok", lambda r: r.pop("expires_in") and r.update(expires_on=end))
        if record["method"] == "POST" and headers.get("metadata") == "true":
            return issue("ok", lambda r: r.update(expires_in="3599"))
        return 401, {"statusCode": 401, "message": "no"}

    def arc(self, headers):
        path = SETTINGS.get("arc_key_file", "")
        expected = "Basic " + open(path).read() if os.path.exists(path) else None
        if headers.get("metadata") != "true":
            return 400, {"error": "no header"}
        if expected is None or headers.get("authorization") != expected:
            return 401, {"error": "unauthorized"}, [("WWW-Authenticate", "Basic realm=" + path)]
        return issue("ok")

    def control_plane(self, record):
        if not self.known(record["headers"]):
            return self.unauthorized()
        host = "https://127.0.0.1:%d" % SETUP["tls_port"]
        if record["path"].endswith("/listkeys"):
            return 200, {"primaryKey": SETTINGS["primary"], "secondaryKey": SETTINGS["secondary"]}
        if record["path"].endswith("/token"):
            now = int(time.time())
            return issue("ok", lambda r: (r.update(accessToken=r.pop("access_token"), expiryTimeUtc=now + 7200,
                                                   refreshAfterTimeUtc=now + 3600, tokenType="Bearer"), r.pop("expires_in")))
        return 200, {"properties": {"scoringUri": host + "/score", "swaggerUri": host + "/swagger.json", "authMode": SETTINGS["authMode"]}}

    def vault(self, name, headers):
        if not self.known(headers):
            return self.unauthorized()
        if name not in SETTINGS:
            return 404, {"error": {"code": "SecretNotFound", "message": "not found"}}
        return 200, {"value": SETTINGS[name], "id": name, "attributes": {"enabled": True, "exp": int(time.time()) + 9999}}

    def score(self, record):
        if not self.known(record["headers"]):
            return self.unauthorized()
        if record["method"] == "GET":
            return 404, {}
        return 200, list(range(len(json.loads(record["body"])["data"])))


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, ssl.SSLError)):
            super().handle_error(request, client_address)


class TlsServer(Server):
    context = None

    def finish_request(self, request, client_address):
        """The handshake is the connection's own thread's business."""
        request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)
        request.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    certificate, key = make_certificates(os.path.join(os.environ["RUN"], "peers", "identity"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    TlsServer.context = context
    tls = TlsServer(("127.0.0.1", 0), Handler)
    SETUP.update(tls_port=tls.server_port)
    digest = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-fingerprint", "-sha1"], check=True, capture_output=True, text=True)
    SETUP.update(thumbprint=digest.stdout.split("=")[1].strip().replace(":", ""))
    threading.Thread(target=tls.serve_forever, daemon=True).start()
    Server(("127.0.0.1", arguments.port), Handler).serve_forever()


main()
