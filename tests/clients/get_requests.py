"""GETs a URL with requests; fails unless the answer is a success."""

import sys

import requests

response = requests.get(sys.argv[1], timeout=30)
print(response.status_code, len(response.content))
if not response.ok:
    sys.exit(response.text)
