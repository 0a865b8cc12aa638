"""An Azure ML batch endpoint, played: the wire format is the service's, the jobs are real (batch_job.py).

    batch_endpoint.py --port N --tls-port N --cert FILE --key FILE --storage URL --job-python FILE --score-python FILE --model DIR
        --log-dir DIR

It speaks HTTP on the one port and HTTPS on the other. URL is the storage account's (Azurite), its key is in BLOB_KEY. Endpoint "price-batch" of workspace "tests" has the deployments
mlflow (the default), script, script-id and pipeline: see batch_job.py for what they write.

  POST /jobs                                       invoke; header azureml-model-deployment
  GET  /jobs/NAME                                  status
  GET  MFE/ARM/batchEndpoints/price-batch/jobs     list, newest first, PAGE a page, ?deployment= and $skiptoken=
  GET  ARM, ARM/batchEndpoints/price-batch, ARM/jobs/NAME; POST ARM/jobs/NAME/cancel
  GET  /history/v1.0/ARM/experiments/E/runs/NAME and .../details, .../children     run history: error and log files
       where ARM is /subscriptions/S/resourceGroups/G/providers/Microsoft.MachineLearningServices/workspaces/tests, MFE
       /mferp/managementfrontend. /discovery names this server as the workspace's.

Bearer tokens are checked for audience (ml.azure.com for /jobs, MFE and history, management.azure.com for ARM) and expiry, not
for their signature. Names of settings are accepted in PascalCase and camelCase. A folder's nested folders are not looked at.
Outputs lie in a registered datastore only, never at a blob's URL, as with the service. It is not idempotent, as the service.

For tests, without credentials:

  POST /admin/datastores {"NAME": "CONTAINER"}     which container a datastore is; of another account: its URL
  POST /admin/tokens ["TOKEN"]                     accept these as well
  POST /admin/pace SECONDS                         how long a job stays in each state
  POST /admin/faults {...}                         one more fault; DELETE forgets them all
  POST /admin/release                              let held jobs go on
  GET  /admin/jobs                                 every job: request, headers, states so far
  GET  /admin/requests                             how many of each: {"invoke": n, "status": n, "list": n, "cancel": n}

A fault is for the next "times" (1) requests or jobs that are not for another "on" or "deployment":

  {"on": "invoke|status|list|cancel", "status": 503, "retry_after": 1, "body": {...}}     answer this
  {"on": ..., "drop": true}                        end the connection without an answer
  {"on": "invoke", "after": true, ...}             and do what was asked nevertheless
  {"on": "job", "state": "Failed|Canceled|..."}    end so while running, without output; "error": {"code", "message"}
  {"on": "job", "hold": "Running"}                 stay in this state until released; "report": "Anything" is what it says then
  {"on": "job", "seconds": N}                      run so much longer
  {"on": "job", "output": "none|truncated|empty|zero byte"}    complete without output, with half of it, with one of no bytes, or with one that no text can hold
  {"on": "job", "skip_files": N}                   the first N files fail, and are absent from the output
  {"on": "job", "hide_error": true}                the status does not tell the error
  {"on": "job", "no_logs": true}                   it leaves no log files
  {"on": "job", "step_logs": true}                 the log files are those of the job's step
"""

import argparse
import base64
import datetime
import http.server
import json
import os
import re
import ssl
import subprocess
import threading
import time
import urllib.parse
import uuid

ARM = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/tests/providers/Microsoft.MachineLearningServices/workspaces/tests"
ENDPOINT = "price-batch"
DEPLOYMENTS = ("mlflow", "script", "script-id", "pipeline")
DATA_PLANE, MANAGEMENT = ("https://ml.azure.com",), ("https://management.azure.com", "https://management.core.windows.net")
PAGE = 3
OVER = ("Completed", "Failed", "Canceled")
DATASTORE_URIS = (
    r"azureml://subscriptions/[^/]+/resourcegroups/[^/]+/workspaces/[^/]+/datastores/([^/]+)/paths/(.*)",
    r"azureml://datastores/([^/]+)/paths/(.*)",
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.MachineLearningServices/workspaces/[^/]+/datastores/([^/]+)/paths/(.*)",
)
BLOB_URL = r"(https?://(?:127\.0\.0\.1|localhost):[0-9]+/[^/?]+)/([^/?]+)/([^?]*)(?:\?(.*))?"

LOCK = threading.RLock()
NODES = threading.Semaphore(2)
JOBS = {}
FAULTS = []
TOKENS = set()
DATASTORES = {"workspaceblobstore": "workspaceblobstore"}
COUNTS = {"invoke": 0, "status": 0, "list": 0, "cancel": 0}
RELEASED = threading.Condition()
SETTINGS = {"pace": 0.1}
OPTIONS = None


class Refusal(Exception):
    def __init__(self, status, code, text):
        super().__init__(text)
        self.status = status
        self.body = {"error": {"code": code, "message": text, "details": []}}


def bad_request(text):
    return Refusal(400, "UserError", text)


def take_fault(*, on, deployment=None, wants=lambda fault: True):
    """The first fault for this, which has one time less then; an empty one when there is none."""
    with LOCK:
        for fault in FAULTS:
            if fault["on"] == on and fault.get("deployment", deployment) == deployment and wants(fault):
                fault["times"] = fault.get("times", 1) - 1
                if fault["times"] <= 0:
                    FAULTS.remove(fault)
                return dict(fault)
    return {}


def lower(entry):
    """Names as the Python client writes them: InputData and inputData are the same."""
    return {name[:1].lower() + name[1:]: value for name, value in entry.items()}


def place_of(uri, output):
    """Where a URI points: {"storage", "container", "path", "sas"}; Refusal when the service does not take such a one."""
    for form in DATASTORE_URIS:
        if found := re.fullmatch(form, uri):
            if found[1] not in DATASTORES:
                raise bad_request(f"datastore {found[1]} is not registered in the workspace")
            storage, _, container = DATASTORES[found[1]].rpartition("/")
            return {"storage": storage or OPTIONS.storage, "container": container, "path": urllib.parse.unquote(found[2]), "sas": None}
    if (found := re.fullmatch(BLOB_URL, uri)) and not output:
        return {"storage": found[1], "container": found[2], "path": urllib.parse.unquote(found[3]), "sas": found[4]}
    raise bad_request(f"{'output' if output else 'input'} uri {uri.partition('?')[0]} is not supported")


def data_of(entries, kind, output):
    """The inputs or outputs of a request by their names: {"type", "uri", "place"} or {"type", "value"}."""
    parsed = {}
    for name, entry in (entries or {}).items():
        entry = lower(entry)
        if not re.fullmatch(r"\w+", name):
            raise bad_request(f"{kind} name {name} may hold only letters, digits and underscores")
        sort = entry.get(f"job{kind}Type")
        if sort == "Literal" and not output:
            parsed[name] = {"type": sort, "value": entry["value"]}
        elif sort in ("UriFile", "UriFolder") and entry.get("uri"):
            parsed[name] = {"type": sort, "uri": entry["uri"], "place": place_of(entry["uri"], output)}
        else:
            raise bad_request(f"{kind} {name} has no uri, or an unknown type {sort}")
    return parsed


class Job:
    def __init__(self, deployment, properties, headers):
        self.name = "batchjob-" + str(uuid.uuid4())
        self.deployment = deployment
        self.properties = properties
        self.headers = headers
        self.created = datetime.datetime.now(datetime.timezone.utc)
        self.inputs = data_of(properties.get("inputData"), "Input", False)
        self.outputs = data_of(properties.get("outputData"), "Output", True)
        self.check()
        self.fault = take_fault(on="job", deployment=deployment)
        self.states = []
        self.reported = None
        self.error = None
        self.logs = {}
        self.cancelled = threading.Event()

    def check(self):
        if self.deployment == "pipeline":
            return
        if len(self.inputs) != 1 or any(one["type"] == "Literal" for one in self.inputs.values()):
            raise bad_request("a model deployment takes exactly one data input")
        if len(self.outputs) > 1:
            raise bad_request("a model deployment takes at most one data output")
        if not self.outputs:
            file = self.properties.get("outputFileName", "predictions.csv")
            uri = f"azureml://datastores/workspaceblobstore/paths/azureml/{self.name}/score/{file}"
            self.outputs = {"score": {"type": "UriFile", "uri": uri, "place": place_of(uri, True)}}

    def enter(self, state):
        """Go into a state, and stay there for its time."""
        with LOCK:
            self.states.append(state)
            if self.fault.get("hold") == state:
                self.reported = self.fault.get("report")
        if self.fault.get("hold") == state:
            with RELEASED:
                RELEASED.wait_for(lambda: self.fault.get("hold") != state or self.cancelled.is_set())
            self.reported = None
        self.cancelled.wait(SETTINGS["pace"])

    def run(self):
        for state in ("NotStarted", "Queued", "Preparing", "Running"):
            if not self.cancelled.is_set():
                self.enter(state)
        if not self.cancelled.is_set():
            self.cancelled.wait(self.fault.get("seconds", 0))
        end = self.work()
        if self.cancelled.is_set():
            self.enter("CancelRequested")
            end = "Canceled"
        elif end == "Completed":
            self.enter("Finalizing")
        with LOCK:
            self.states.append(end)

    def work(self):
        """Let the job's process do it; the state that it ends in."""
        order = {
            "name": self.name, "storage": OPTIONS.storage, "deployment": self.deployment, "fault": self.fault, "model": OPTIONS.model,
            "score_python": OPTIONS.score_python, "inputs": self.inputs, "outputs": self.outputs,
            "output_file": self.properties.get("outputFileName", "predictions.csv"),
            "error_threshold": self.properties.get("errorThreshold", -1), "log_container": DATASTORES["workspaceblobstore"],
        }
        with NODES:
            return "Canceled" if self.cancelled.is_set() else self.work_on_node(order)

    def work_on_node(self, order):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "batch_job.py")
        with open(os.path.join(OPTIONS.log_dir, self.name + ".log"), "wb") as log:
            process = subprocess.Popen([OPTIONS.job_python, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
            watcher = threading.Thread(target=self.kill_when_cancelled, args=(process,), daemon=True)
            watcher.start()
            out, _ = process.communicate(json.dumps(order).encode())
        try:
            report = json.loads(out)
        except ValueError:
            report = {"error": {"code": "SystemError", "message": "the job's process ended without a report"}}
        self.error, self.logs = report.get("error"), report.get("logs", {})
        return report.get("state", "Failed" if self.error else "Completed")

    def kill_when_cancelled(self, process):
        while process.poll() is None:
            if self.cancelled.wait(0.1):
                process.kill()
                return

    @property
    def state(self):
        return self.reported or (self.states or ["NotStarted"])[-1]

    def document(self):
        """As the data plane tells of it."""
        properties = {
            "status": self.state,
            "inputData": {name: {"jobInputType": one["type"], **({"uri": one["uri"]} if "uri" in one else {"value": one["value"]})}
                          for name, one in self.inputs.items()},
            "outputData": {name: {"jobOutputType": one["type"], "uri": one["uri"]} for name, one in self.outputs.items()},
            "interactionEndpoints": {"Studio": {"endpoint": f"https://ml.azure.com/runs/{self.name}?wsid={ARM}", "port": None, "status": None}},
            "computeConfiguration": {"instanceCount": 1},
            "tags": self.properties.get("tags") or {},
            "properties": self.properties.get("properties") or {},
        }
        if self.error and not self.fault.get("hide_error"):
            properties["error"] = self.error
        return {
            "id": f"{ARM}/batchEndpoints/{ENDPOINT}/deployments/{self.deployment}/jobs/{self.name}", "name": self.name,
            "type": "Microsoft.MachineLearningServices/workspaces/batchEndpoints/deployments/jobs", "properties": properties,
            "systemData": {"createdAt": self.created.isoformat(), "createdByType": "Application"},
        }

    def resource(self):
        """As the control plane tells of it: a pipeline job."""
        return {
            "id": f"{ARM}/jobs/{self.name}", "name": self.name, "type": "Microsoft.MachineLearningServices/workspaces/jobs",
            "properties": {
                "jobType": "Pipeline", "status": self.state, "displayName": self.name, "experimentName": ENDPOINT, "jobs": {}, "settings": {},
                "inputs": {}, "outputs": {}, "tags": self.properties.get("tags") or {}, "properties": {}, "isArchived": False,
                "services": {"Studio": {"jobServiceType": "Studio", "endpoint": f"https://ml.azure.com/runs/{self.name}"}},
            },
            "systemData": {"createdAt": self.created.isoformat(), "createdBy": "tests", "createdByType": "Application"},
        }

    def steps_have_logs(self):
        return bool(self.fault.get("step_logs"))

    def run_details(self, step=False):
        return {
            "runId": self.name + "-step" if step else self.name, "runType": "azureml.StepRun" if step else "azureml.PipelineRun", "target": "cpu-cluster", "status": self.state, "startTimeUtc": self.created.isoformat(),
            "endTimeUtc": None, "error": self.error and {"error": self.error}, "warnings": [], "tags": {}, "properties": {}, "revision": 1,
            "logFiles": self.logs if step == self.steps_have_logs() else {},
        }


def audience_is_good(token, audiences):
    if token in TOKENS:
        return True
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return claims["aud"].rstrip("/") in audiences and claims["exp"] > time.time()
    except (IndexError, KeyError, ValueError, AttributeError):
        return False


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def do_GET(self):
        self.respond("GET")

    def do_POST(self):
        self.respond("POST")

    def do_DELETE(self):
        self.respond("DELETE")

    def respond(self, method):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(parts.query))
        try:
            for verb, pattern, action in ROUTES:
                found = re.fullmatch(pattern, parts.path, re.IGNORECASE)
                if found and verb == method:
                    return action(self, *found.groups(), **({"body": body} if method == "POST" else {}))
            raise Refusal(404, "NotFound", f"no such resource: {parts.path}")
        except Refusal as refusal:
            return self.answer(refusal.status, refusal.body)

    def answer(self, status, document=None, headers=()):
        data = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("x-ms-request-id", str(uuid.uuid4()))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def here(self):
        return f"{self.server.scheme}://{self.headers['Host']}"

    def authorize(self, audiences):
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not audience_is_good(token, audiences):
            raise Refusal(401, "InvalidAuthenticationToken", "the access token is missing, expired or for another audience")

    def misbehave(self, operation, accept=None, deployment=None):
        """Play a fault, if there is one for this: True when there is nothing left to answer."""
        with LOCK:
            COUNTS[operation] += 1
        fault = take_fault(on=operation, deployment=deployment)
        if not fault:
            return False
        if fault.get("after") and accept:
            accept()
        if fault.get("drop"):
            self.close_connection = True
            return True
        headers = [("Retry-After", str(fault["retry_after"]))] if "retry_after" in fault else []
        self.answer(fault["status"], fault.get("body", {"error": {"code": "Fault", "message": "the batch endpoint was told to say this"}}), headers)
        return True

    def job(self, name):
        with LOCK:
            if name not in JOBS:
                raise Refusal(404, "NotFound", f"job {name} was not found")
            return JOBS[name]

    def invoke(self, body):
        self.authorize(DATA_PLANE)
        deployment = self.headers.get("azureml-model-deployment", DEPLOYMENTS[0])
        if deployment not in DEPLOYMENTS:
            raise Refusal(404, "NotFound", f"deployment {deployment} was not found")

        def accept():
            try:
                properties = lower(lower(json.loads(body))["properties"])
                job = Job(deployment, properties, dict(self.headers))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise bad_request(f"the request body is not understood: {error!r}") from error
            with LOCK:
                JOBS[job.name] = job
            threading.Thread(target=job.run, daemon=True).start()
            return job

        if not self.misbehave("invoke", accept, deployment):
            self.answer(200, accept().document())

    def status(self, name):
        self.authorize(DATA_PLANE)
        if not self.misbehave("status"):
            self.answer(200, self.job(name).document())

    def list(self):
        self.authorize(DATA_PLANE)
        if self.misbehave("list"):
            return
        wanted = self.query.get("deployment")
        with LOCK:
            jobs = [job for job in reversed(JOBS.values()) if wanted in (None, job.deployment)]
        start = int(self.query.get("$skiptoken", 0))
        reply = {"value": [job.document() for job in jobs[start:start + PAGE]]}
        if start + PAGE < len(jobs):
            path = urllib.parse.urlsplit(self.path).path
            query = urllib.parse.urlencode({**self.query, "$skiptoken": start + PAGE})
            reply["nextLink"] = f"{self.here()}{path}?{query}"
        self.answer(200, reply)

    def cancel(self, name, body):
        self.authorize(MANAGEMENT)
        job = self.job(name)

        def accept():
            with RELEASED:
                job.cancelled.set()
                RELEASED.notify_all()

        if self.misbehave("cancel", accept):
            return
        if job.state in OVER:
            raise bad_request(f"job {name} is already over")
        accept()
        self.answer(202, None, [("Location", f"{self.here()}{ARM}/operations/{name}"), ("Retry-After", "1")])

    def operation(self, name):
        self.authorize(MANAGEMENT)
        over = self.job(name).state in OVER
        self.answer(200 if over else 202, None, [] if over else [("Location", f"{self.here()}{self.path}"), ("Retry-After", "1")])

    def job_resource(self, name):
        self.authorize(MANAGEMENT)
        self.answer(200, self.job(name).resource())

    def workspace(self):
        self.authorize(MANAGEMENT)
        self.answer(200, {
            "id": ARM, "name": "tests", "type": "Microsoft.MachineLearningServices/workspaces", "location": "westeurope",
            "properties": {"discoveryUrl": f"{self.here()}/discovery", "friendlyName": "tests", "workspaceId": str(uuid.UUID(int=2))},
        })

    def endpoint(self):
        self.authorize(MANAGEMENT)
        self.answer(200, {
            "id": f"{ARM}/batchEndpoints/{ENDPOINT}", "name": ENDPOINT, "location": "westeurope",
            "type": "Microsoft.MachineLearningServices/workspaces/batchEndpoints",
            "properties": {"authMode": "AADToken", "scoringUri": f"{self.here()}/jobs", "provisioningState": "Succeeded",
                           "defaults": {"deploymentName": DEPLOYMENTS[0]}, "properties": {}},
        })

    def discovery(self):
        self.answer(200, {name: self.here() for name in ("api", "history", "experimentation")})

    def run_history(self, name):
        self.authorize(DATA_PLANE)
        self.answer(200, self.job(name.removesuffix("-step")).run_details(name.endswith("-step")))

    def run_children(self, name):
        self.authorize(DATA_PLANE)
        self.answer(200, {"value": [self.job(name).run_details(True)]})

    def set_datastores(self, body):
        DATASTORES.update(json.loads(body))
        self.answer(204)

    def set_tokens(self, body):
        TOKENS.update(json.loads(body))
        self.answer(204)

    def set_pace(self, body):
        SETTINGS["pace"] = float(body)
        self.answer(204)

    def add_fault(self, body):
        with LOCK:
            FAULTS.append(json.loads(body))
        self.answer(204)

    def forget_faults(self):
        with LOCK:
            FAULTS.clear()
        self.answer(204)

    def release(self, body):
        with RELEASED:
            for job in JOBS.values():
                job.fault.pop("hold", None)
            RELEASED.notify_all()
        self.answer(204)

    def all_jobs(self):
        with LOCK:
            self.answer(200, [{
                "name": job.name, "deployment": job.deployment, "states": job.states, "error": job.error, "logs": job.logs,
                "properties": job.properties, "headers": {name: value for name, value in job.headers.items() if name.lower() != "authorization"},
            } for job in JOBS.values()])

    def requests(self):
        with LOCK:
            self.answer(200, COUNTS)

    def healthy(self):
        self.answer(200, "Healthy")


WORKSPACE = r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.MachineLearningServices/workspaces/[^/]+"
ROUTES = [
    ("POST", r"/jobs", Handler.invoke),
    ("GET", r"/jobs/([^/]+)", Handler.status),
    ("GET", r"/mferp/managementfrontend" + WORKSPACE + r"/batchEndpoints/price-batch/jobs", Handler.list),
    ("GET", WORKSPACE, Handler.workspace),
    ("GET", WORKSPACE + r"/batchEndpoints/price-batch", Handler.endpoint),
    ("GET", WORKSPACE + r"/jobs/([^/]+)", Handler.job_resource),
    ("POST", WORKSPACE + r"/jobs/([^/]+)/cancel", Handler.cancel),
    ("GET", WORKSPACE + r"/operations/([^/]+)", Handler.operation),
    ("GET", r"/history/v1\.0" + WORKSPACE + r"/experiments/[^/]+/runs/([^/]+)(?:/details)?", Handler.run_history),
    ("GET", r"/history/v1\.0" + WORKSPACE + r"/experiments/[^/]+/runs/([^/]+)/children", Handler.run_children),
    ("GET", r"/discovery", Handler.discovery),
    ("POST", r"/admin/datastores", Handler.set_datastores),
    ("POST", r"/admin/tokens", Handler.set_tokens),
    ("POST", r"/admin/pace", Handler.set_pace),
    ("POST", r"/admin/faults", Handler.add_fault),
    ("DELETE", r"/admin/faults", Handler.forget_faults),
    ("POST", r"/admin/release", Handler.release),
    ("GET", r"/admin/jobs", Handler.all_jobs),
    ("GET", r"/admin/requests", Handler.requests),
    ("GET", r"/", Handler.healthy),
]


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    scheme = "http"


class TlsServer(Server):
    scheme = "https"

    def __init__(self, address, certificate, key):
        super().__init__(address, Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)


def main():
    global OPTIONS
    parser = argparse.ArgumentParser()
    for name in ("port", "tls-port"):
        parser.add_argument("--" + name, type=int, required=True)
    for name in ("cert", "key", "storage", "job-python", "score-python", "model", "log-dir"):
        parser.add_argument("--" + name, required=True)
    OPTIONS = parser.parse_args()
    secure = TlsServer(("127.0.0.1", OPTIONS.tls_port), OPTIONS.cert, OPTIONS.key)
    threading.Thread(target=secure.serve_forever, daemon=True).start()
    Server(("127.0.0.1", OPTIONS.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
