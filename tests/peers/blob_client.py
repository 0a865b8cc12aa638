"""Azure's own client for blobs, for tests/lib/azurite.sh. The account key is in BLOB_KEY, an authority in BLOB_CA.

    blob_client.py URL container NAME
    blob_client.py URL put CONTAINER/BLOB [KEY=VALUE...]      standard input, with metadata
    blob_client.py URL get CONTAINER/BLOB                     standard output
    blob_client.py URL list CONTAINER[/PREFIX]                lines "size path"
    blob_client.py URL show CONTAINER/BLOB                    properties and metadata, as JSON
    blob_client.py URL delete CONTAINER[/PREFIX]              every blob below it
    blob_client.py URL sas CONTAINER [LETTERS] [SECONDS]      a token, without the question mark
"""

import datetime
import json
import os
import sys

from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas

KEY = os.environ["BLOB_KEY"]
VERSION = "2025-01-05"


def connect(url):
    return BlobServiceClient(url, credential=KEY, api_version=VERSION, connection_verify=os.environ.get("BLOB_CA"), retry_total=1)


def blob(service, path):
    container, _, name = path.partition("/")
    return service.get_blob_client(container, name)


def blobs(service, path):
    container, _, prefix = path.partition("/")
    for found in service.get_container_client(container).list_blobs(name_starts_with=prefix or None):
        yield container, found


def container(service, name):
    service.create_container(name)


def put(service, path, *metadata):
    blob(service, path).upload_blob(sys.stdin.buffer, metadata=dict(word.split("=", 1) for word in metadata))


def get(service, path):
    blob(service, path).download_blob().readinto(sys.stdout.buffer)


def list_(service, path):
    for name, found in sorted(blobs(service, path), key=lambda one: one[1].name):
        print(found.size, f"{name}/{found.name}")


def show(service, path):
    found = blob(service, path).get_blob_properties()
    content = found.content_settings
    print(json.dumps({
        "size": found.size, "type": content.content_type, "encoding": content.content_encoding,
        "md5": content.content_md5 and bytes(content.content_md5).hex(), "etag": found.etag, "metadata": found.metadata,
    }))


def delete(service, path):
    for name, found in list(blobs(service, path)):
        service.get_blob_client(name, found.name).delete_blob()


def sas(service, name, letters="racwdl", seconds="3600"):
    now = datetime.datetime.now(datetime.timezone.utc)
    end = now + datetime.timedelta(seconds=int(seconds))
    start = min(now, end) - datetime.timedelta(minutes=5)
    print(generate_container_sas(service.account_name, name, account_key=KEY, permission=ContainerSasPermissions.from_string(letters),
                                 start=start, expiry=end))


if __name__ == "__main__":
    command = {"list": list_}.get(sys.argv[2]) or globals()[sys.argv[2]]
    command(connect(sys.argv[1]), *sys.argv[3:])
