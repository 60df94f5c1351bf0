"""Signs requests with botocore, each with a placeholder and with real keys, and prints both as JSON lines.

The gate has to come from the first to the second.
"""

import json
import random
import sys

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

PLACEHOLDER = Credentials("AKIAPLACEHOLDER22222", "the-gate-signs-again-with-the-real-key")
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
REAL = Credentials("AKIAIOSFODNN7EXAMPLE", SECRET)
WITH_TOKEN = Credentials("ASIAIOSFODNN7EXAMPLE", SECRET, "FwoGZXIvYXdzE/Session+Token==")

# Unreserved, what SDKs escape, and what they may leave as it is.
PIECES = ["a", "Z", "0", "-", "_", ".", "~", "%20", "%2B", "%C3%A9", "%25", "@", ":", "=", "+", ",", "!", "(", "'", "%2F", "%7E"]


def text(pieces, most):
    return "".join(random.choice(pieces) for _ in range(random.randint(1, most)))


def case(number):
    storage = number % 2 == 0
    # What a client of storage sends is escaped once and entirely.
    pieces = PIECES[:11] if storage else PIECES
    path = "/" + "/".join(text(pieces, 6).strip(".") or "x" for _ in range(random.randint(0, 4)))
    values = [p for p in PIECES if p not in ("+", "%2F", "'", "(", "!", ",", ":", "@", "=", "%7E")]
    query = "&".join(f"{text(['k', 'K', '-', '%20'], 3)}={text(values, 4)}" for _ in range(random.randint(0, 4)))
    region = random.choice(["us-east-1", "eu-central-2"])
    service = "s3" if storage else random.choice(["sts", "dynamodb", "bedrock", "execute-api"])
    host = f"s3.{region}.amazonaws.com" if storage else f"{service}.{region}.amazonaws.com"
    method = random.choice(["GET", "PUT", "POST", "DELETE"])
    presigned = number % 3 == 0  # without a body, which botocore would move into the query
    body = random.randbytes(random.randint(0, 200)) if method in ("PUT", "POST") and not presigned else b""
    headers = {"Host": host, "Content-Type": "application/x-amz-json-1.0", "X-Amz-Meta-A": " a   b ", "User-Agent": "test"}
    header_auth, query_auth = (S3SigV4Auth, S3SigV4QueryAuth) if storage else (SigV4Auth, SigV4QueryAuth)
    auth = query_auth if presigned else header_auth
    url = f"https://{host}{path}" + (f"?{query}" if query else "")

    def signed(credentials):
        request = AWSRequest(method=method, url=url, headers=dict(headers), data=body)
        if storage:
            request.context["payload_signing_enabled"] = True
        auth(credentials, service, region).add_auth(request)
        return {"url": request.url, "headers": [[name, value] for name, value in request.headers.items()]}

    real = random.choice([REAL, WITH_TOKEN])
    while True:  # both within one second
        came, expected = signed(PLACEHOLDER), signed(real)
        dates = [dict(one["headers"]).get("X-Amz-Date") or one["url"].split("X-Amz-Date=")[1][:16] for one in (came, expected)]
        if dates[0] == dates[1]:
            break
    keys = ":".join(filter(None, [real.access_key, real.secret_key, real.token]))
    return {"method": method, "host": host, "body": body.hex(), "keys": keys, "came": came, "expected": expected}


random.seed(int(sys.argv[1]))
for number in range(int(sys.argv[2])):
    print(json.dumps(case(number)))
