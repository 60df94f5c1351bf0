"""Sends each request of a file of JSON lines to api.github.com, as gh does, and counts what came of them."""

import collections
import http.client
import json
import os
import ssl
import sys

TOKEN = os.environ["GH_TOKEN"]
counted = collections.Counter()
connection = None
for line in open(sys.argv[1], encoding="utf-8"):
    request = json.loads(line)
    headers = {"Authorization": "token " + TOKEN, "User-Agent": "sweep", "Content-Type": "application/json"}
    body = request["body"].encode() if request["body"] else None
    for attempt in range(2):
        try:
            if connection is None:
                connection = http.client.HTTPSConnection("api.github.com", context=ssl.create_default_context(), timeout=60)
            connection.request(request["method"], request["path"], body=body, headers=headers)
            response = connection.getresponse()
            answer = response.read()
            reason = response.headers.get("x-outwall-reason") or ""
            counted["refused" if reason or b'"errors"' in answer and b"Outwall" in answer else response.status // 100] += 1
            break
        except (http.client.HTTPException, OSError) as error:
            connection = None
            if attempt:
                counted[type(error).__name__] += 1
        except ValueError:  # what no client writes
            counted["unsent"] += 1
            connection = None
            break
print(json.dumps(counted))
