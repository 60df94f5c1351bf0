"""GETs a URL with the standard library; fails unless the answer is a success."""

import sys
import urllib.error
import urllib.request

try:
    with urllib.request.urlopen(sys.argv[1], timeout=30) as response:
        print(response.status, len(response.read()))
except urllib.error.HTTPError as refused:
    sys.exit(refused.read().decode())
