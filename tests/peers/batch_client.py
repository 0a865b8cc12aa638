"""Azure's own client for a batch endpoint, to keep batch_endpoint.py honest.

    batch_client.py URL invoke INPUT_URI OUTPUT_URI     print the job's name
    batch_client.py URL show NAME                       its status
    batch_client.py URL list                            every job's name and status
    batch_client.py URL cancel NAME

URL is the server's, https, without a path; REQUESTS_CA_BUNDLE names its authority. Bearer tokens are in BATCH_TOKEN and BATCH_ARM_TOKEN.
"""

import os
import sys
import time
import warnings

os.environ["AZUREML_DEV_URL_MFE"] = sys.argv[1]
warnings.simplefilter("ignore")

from azure.ai.ml import Input, MLClient, Output  # noqa: E402
from azure.core.credentials import AccessToken  # noqa: E402

ENDPOINT = "price-batch"


class Credential:
    def get_token(self, *scopes, **_):
        name = "BATCH_TOKEN" if scopes[0].startswith("https://ml.azure.com") else "BATCH_ARM_TOKEN"
        return AccessToken(os.environ[name], int(time.time()) + 3600)


client = MLClient(Credential(), "00000000-0000-0000-0000-000000000001", "tests", "tests", enable_telemetry=False)


def invoke(source, target):
    job = client.batch_endpoints.invoke(
        ENDPOINT, inputs={"rows": Input(type="uri_folder", path=source)}, outputs={"score": Output(type="uri_file", path=target)})
    print(job.name)


def show(name):
    print(client.jobs.get(name).status)


def list_():
    for job in client.batch_endpoints.list_jobs(ENDPOINT):
        print(job.name, job.status)


def cancel(name):
    client.jobs.begin_cancel(name).result()


if __name__ == "__main__":
    {"invoke": invoke, "show": show, "list": list_, "cancel": cancel}[sys.argv[2]](*sys.argv[3:])
