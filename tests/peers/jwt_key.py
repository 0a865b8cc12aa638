"""A key for signed tokens (RS256), by openssl.

    jwt_key.py make KEY.PEM JWKS.JSON           a new key, and its public half as a key set
    jwt_key.py sign KEY.PEM CLAIM=VALUE ...     print a token: sub, iat and exp (in an hour) are there by themselves;
                                                digits are a number; exp, iat and nbf below 10^9 are seconds from now
"""

import base64
import json
import subprocess
import sys
import time

KEY_ID = "tests"


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def make(key, key_set):
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", key)
    modulus = openssl("rsa", "-in", key, "-noout", "-modulus").decode().strip().removeprefix("Modulus=")
    public = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, "n": encode(bytes.fromhex(modulus)), "e": "AQAB"}
    with open(key_set, "w") as out:
        json.dump({"keys": [public]}, out)


def claim(name, value):
    if not value.lstrip("-").isdigit():
        return value
    number = int(value)
    return number + int(time.time()) if name in ("exp", "iat", "nbf") and number < 10**9 else number


def signed(key, *claims):
    now = int(time.time())
    body = {"sub": "tests", "iat": now, "nbf": now - 5, "exp": now + 3600}
    body.update((name, claim(name, value)) for name, _, value in (word.partition("=") for word in claims))
    head = {"alg": "RS256", "typ": "JWT", "kid": KEY_ID}
    content = ".".join(encode(json.dumps(part, separators=(",", ":")).encode()) for part in (head, body))
    return content + "." + encode(openssl("dgst", "-sha256", "-sign", key, data=content.encode()))


def sign(key, *claims):
    print(signed(key, *claims))


if __name__ == "__main__":
    {"make": make, "sign": sign}[sys.argv[1]](*sys.argv[2:])
