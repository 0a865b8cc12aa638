"""Check the client assertion in a recorded token request (JSON on standard input) against the client's certificate.

    check_assertion.py CLIENT_PEM AUDIENCE CLIENT_ID ALGORITHM     prints "good", or what is not

Signatures are verified by the openssl program, with nothing of what made them.
"""

import base64
import hashlib
import json
import subprocess
import sys
import tempfile
import time


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def main():
    pem, audience, client_id, algorithm = sys.argv[1:]
    form = json.load(sys.stdin)["form"]
    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", form
    head, body, signature = form["client_assertion"].split(".")
    header, claims = json.loads(decode(head)), json.loads(decode(body))
    der = subprocess.run(["openssl", "x509", "-in", pem, "-outform", "DER"], check=True, capture_output=True).stdout
    name, digest = ("x5t", hashlib.sha1) if algorithm == "RS256" else ("x5t#S256", hashlib.sha256)
    assert header["alg"] == algorithm and header["typ"] == "JWT", header
    assert decode(header[name]) == digest(der).digest(), "thumbprint"
    if algorithm == "PS256":
        assert base64.b64decode(header["x5c"][0]) == der, "x5c"
    else:
        assert "x5c" not in header, "x5c"
    assert claims["aud"] == audience and claims["iss"] == claims["sub"] == client_id, claims
    assert claims["nbf"] <= time.time() < claims["exp"] <= time.time() + 900 and len(claims["jti"]) == 36, claims
    with tempfile.NamedTemporaryFile() as key, tempfile.NamedTemporaryFile() as sig:
        key.write(subprocess.run(["openssl", "x509", "-in", pem, "-noout", "-pubkey"], check=True, capture_output=True).stdout)
        sig.write(decode(signature))
        key.flush()
        sig.flush()
        options = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"] if algorithm == "PS256" else []
        subprocess.run(["openssl", "dgst", "-sha256", "-verify", key.name, "-signature", sig.name, *options],
                       check=True, capture_output=True, input=f"{head}.{body}".encode())
    print("good")


main()
