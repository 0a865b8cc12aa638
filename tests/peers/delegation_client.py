"""What azure-storage-blob makes of a user delegation key, beside a SAS of ours: "same", or both.

Its own version of the service, and with that the signature, is a newer one: test_blob_sign.c has one of the same version.

    delegation_client.py URL CONTAINER TOKEN SAS      SAS with its question mark; the authority is in BLOB_CA

The client asks for a key with the times that the SAS says its own has, and signs what the SAS says.
"""

import datetime
import os
import sys
import urllib.parse

from azure.core.credentials import AccessToken
from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas

VERSION = "2021-12-02"


class Known:
    def __init__(self, token):
        self.token = token

    def get_token(self, *scopes, **options):
        return AccessToken(self.token, 2**31)


def time_of(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)


def main(url, container, token, query):
    ours = dict(urllib.parse.parse_qsl(query.lstrip("?")))
    service = BlobServiceClient(url, credential=Known(token), api_version=VERSION, connection_verify=os.environ["BLOB_CA"], retry_total=1)
    key = service.get_user_delegation_key(time_of(ours["skt"]), time_of(ours["ske"]))
    theirs = dict(urllib.parse.parse_qsl(generate_container_sas(
        service.account_name, container, user_delegation_key=key, permission=ContainerSasPermissions.from_string(ours["sp"]),
        expiry=time_of(ours["se"]), protocol=ours["spr"])))
    for sas in (ours, theirs):
        del sas["sv"], sas["sig"]
    print("same" if ours == theirs else f"ours: {ours}\ntheirs: {theirs}")


main(*sys.argv[1:])
