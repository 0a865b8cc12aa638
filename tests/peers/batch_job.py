"""The process of one batch job: download the input, run the model, upload the output. Started by batch_endpoint.py.

The order is JSON on standard input, the report JSON on standard output: {"error": {"code", "message"}, "logs": {name: url}}.
The storage account's key, which stands for the cluster's identity and the workspace's datastores, is in BLOB_KEY, an authority
for https in BLOB_CA.

Deployments: mlflow takes .csv files with a header and writes lines "row,prediction,file_name"; script takes .csv and .jsonl
and writes "row prediction file_name"; script-id the first column of the input and the prediction. Without a header, as the
service does. pipeline writes what it was given, as JSON, to each output.
"""

import datetime
import json
import os
import subprocess
import sys
import tempfile

from azure.core.exceptions import AzureError
from azure.storage.blob import BlobSasPermissions, ContainerClient, generate_blob_sas

KEY = os.environ["BLOB_KEY"]
VERSION = "2025-01-05"


class JobFailed(Exception):
    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


def container(order, place):
    """With the URI's own SAS, or the key."""
    return ContainerClient(place["storage"], place["container"], credential=place["sas"] or KEY, api_version=VERSION, retry_total=1,
                           connection_verify=os.environ["BLOB_CA"])


def download(order, source, folder):
    """The input's files into a folder, by their base names. Nested folders are not looked at."""
    place = source["place"]
    client = container(order, place)
    if source["type"] == "UriFile":
        names = [place["path"]]
    else:
        prefix = place["path"].rstrip("/") + "/"
        names = [blob.name for blob in client.list_blobs(name_starts_with=prefix) if "/" not in blob.name[len(prefix):]]
    if not names:
        raise JobFailed("UserError", f"no input files were found in {source['uri'].partition('?')[0]}")
    for name in names:
        suffix = os.path.splitext(name)[1]
        if suffix not in ((".csv",) if order["deployment"] == "mlflow" else (".csv", ".jsonl")):
            raise JobFailed("UserError", f"file type {suffix or name} is not supported")
        with open(os.path.join(folder, os.path.basename(name)), "wb") as file:
            client.download_blob(name).readinto(file)


def output_path(order, target):
    place = target["place"]
    return place["path"] if target["type"] == "UriFile" else place["path"].rstrip("/") + "/" + order["output_file"]


def refuse_existing(order, target):
    path = output_path(order, target)
    if container(order, target["place"]).get_blob_client(path).exists():
        raise JobFailed("UserError", f"the output file {path} exists already")


def upload(order, target, data):
    container(order, target["place"]).upload_blob(output_path(order, target), data)


def score(order, folder, result):
    """Run the model on every file, in its own environment."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "batch_score.py")
    scoring = subprocess.run(
        [order["score_python"], script, order["model"], order["deployment"], str(order["error_threshold"]),
         str(order["fault"].get("skip_files", 0)), folder, result], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"})
    sys.stderr.write(scoring.stdout)
    if scoring.returncode != 0:
        raise JobFailed("UserError", "the scoring script failed: " + scoring.stdout.strip().rpartition("\n")[2])


def run_model(order):
    (source,), (target,) = order["inputs"].values(), order["outputs"].values()
    with tempfile.TemporaryDirectory() as folder:
        result = os.path.join(folder, "result")
        files = os.path.join(folder, "files")
        os.mkdir(files)
        download(order, source, files)
        refuse_existing(order, target)
        score(order, files, result)
        with open(result, "rb") as file:
            data = file.read()
    wanted = order["fault"].get("output")
    if wanted == "truncated":
        data = data[:len(data) // 2]
    if wanted == "empty":
        data = b""
    if wanted == "zero byte":
        data = data[:-2] + b"\0" + data[-2:]
    if wanted != "none":
        upload(order, target, data)


def run_pipeline(order):
    given = {name: one.get("value", one.get("uri")) for name, one in order["inputs"].items()}
    for target in order["outputs"].values():
        refuse_existing(order, target)
        upload(order, target, json.dumps(given).encode())


def upload_log(order, text):
    """As the service leaves logs: a blob of the workspace's store, with a URL that carries its own SAS."""
    name = f"azureml/{order['name']}/logs/user/error/10.0.0.4/000000/errors.txt"
    client = container(order, {"storage": order["storage"], "container": order["log_container"], "sas": None})
    client.upload_blob(name, text.encode())
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    sas = generate_blob_sas(client.account_name, order["log_container"], name, account_key=KEY, permission=BlobSasPermissions(read=True), expiry=end)
    return {"logs/user/error/10.0.0.4/000000/errors.txt": f"{order['storage']}/{order['log_container']}/{name}?{sas}"}


def run(order):
    told = order["fault"].get("state")
    if told == "Failed":
        error = order["fault"].get("error", {"code": "UserError", "message": "the job was told to fail"})
        raise JobFailed(error["code"], error["message"])
    if told:
        return {"state": told}
    if order["deployment"] == "pipeline":
        run_pipeline(order)
    else:
        run_model(order)
    return {}


def main():
    order = json.load(sys.stdin)
    try:
        report = run(order)
    except AzureError as error:
        text = f"{getattr(error, 'error_code', None) or type(error).__name__}: {str(error).splitlines()[0]}"
        report = {"error": {"code": "UserError", "message": text}}
    except JobFailed as error:
        report = {"error": {"code": error.code, "message": str(error)}}
    if "error" in report and not order["fault"].get("no_logs"):
        report["logs"] = upload_log(order, "Traceback (most recent call last):\n" + report["error"]["message"] + "\n")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
