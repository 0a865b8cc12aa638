"""Azure's own library for identities, asking the services that identity_server.py plays.

    identity_client.py token KIND URL CA PEM     get a token as KIND: client_secret, client_certificate, workload_identity,
                                                 managed_identity; prints "token", or the error's class
    identity_client.py compare THEIRS OURS       compare two recorded requests field by field; prints "same", or what differs

Left out of the comparison: what only says which library asks, and the assertion's signature and unique parts.
"""

import base64
import json
import sys

# What the library adds for its own sake.
LIBRARYS_OWN = {"client_info"}
HEADERS = ("metadata", "secret", "x-identity-header", "content-type", "authorization")


def get_token(kind, url, ca, pem):
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import CertificateCredential, ClientSecretCredential, CredentialUnavailableError, ManagedIdentityCredential, WorkloadIdentityCredential

    tenant, _, client_id = kind.partition("@")[2].partition("/")
    options = {"authority": url, "disable_instance_discovery": True, "connection_verify": ca, "retry_total": 0}
    name = kind.partition("@")[0]
    if name == "client_secret":
        credential = ClientSecretCredential(tenant, client_id, "a+b ~/c%d", **options)
    elif name == "client_certificate":
        credential = CertificateCredential(tenant, client_id, pem, send_certificate_chain=True, **options)
    elif name == "workload_identity":
        credential = WorkloadIdentityCredential(**options)
    else:
        credential = ManagedIdentityCredential(client_id=client_id or None)
    try:
        return "token" if credential.get_token("https://ml.azure.com/.default").token else "none"
    except CredentialUnavailableError:
        return "unavailable"
    except ClientAuthenticationError:
        return "refused"


def decode(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def assertion(token):
    """What an assertion says: all of the header, the claims but for times and the unique id, its life."""
    if token.count(".") != 2:
        return token
    header, claims = (decode(part) for part in token.split(".")[:2])
    life = 500 < claims["exp"] - claims["iat"] < 700
    header["x5t"] = header.get("x5t", "").rstrip("=")  # theirs is padded, which RFC 7515 does not want
    return {"header": {name: header.get(name) for name in ("alg", "typ", "x5t", "x5c")},
            "claims": {name: claims[name] for name in ("aud", "iss", "sub")}, "life": life, "jti": len(claims["jti"])}


def essence(request):
    form = {name: value for name, value in request["form"].items() if name not in LIBRARYS_OWN}
    if "client_assertion" in form:
        form["client_assertion"] = assertion(form["client_assertion"])
    headers = {name: request["headers"].get(name) for name in HEADERS}
    if request["method"] == "GET":
        del headers["content-type"]
    return {"method": request["method"], "path": request["path"], "query": request["query"], "form": form, "headers": headers}


def compare(theirs, ours):
    theirs, ours = essence(json.loads(theirs)), essence(json.loads(ours))
    differences = [f"{name}: theirs {theirs[name]}, ours {ours[name]}" for name in theirs if theirs[name] != ours[name]]
    return "\n".join(differences) or "same"


print({"token": get_token, "compare": compare}[sys.argv[1]](*sys.argv[2:]))
