"""GETs a URL with httpx; fails unless the answer is a success."""

import sys

import httpx

response = httpx.get(sys.argv[1], timeout=30, follow_redirects=True)
print(response.status_code, response.http_version, len(response.content))
if not response.is_success:
    sys.exit(response.text)
