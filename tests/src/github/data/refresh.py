#!/usr/bin/env python3
"""Makes `operations.tsv` from GitHub's own descriptions.

    npm pack @octokit/openapi     (it unpacks to `package/`)
    cd package/generated && python3 .../refresh.py api.github.com.json ghec.json ghes-3.19.json

Only what a server needs is kept: method, path, name, the status of success, the shape of its answer. The first file that has an
operation says what it is.
"""

import json
import sys
from pathlib import Path

here = Path(__file__).parent


def operations(description):
    def whole(node):
        while "$ref" in node:
            path, node = node["$ref"], description
            for key in path[2:].split("/"):
                node = node[key]
        return node

    def shape(answer):
        content = whole(answer).get("content")
        if not content:
            return "nothing"
        json_type = next((kind for kind in content if "json" in kind), None)
        if not json_type:
            return "text"
        described = whole(content[json_type].get("schema", {}))
        return "list" if described.get("type") == "array" else "object"

    for path, methods in sorted(description["paths"].items()):
        for method, operation in methods.items():
            answers = operation["responses"]
            good = [code for code in answers if code[0] == "2"] or [code for code in answers if code[0] == "3"]
            yield "\t".join((method.upper(), path, operation["operationId"], good[0] if good else "200", shape(answers[good[0]]) if good else "nothing"))


if __name__ == "__main__":
    known = {}
    for path in sys.argv[1:]:
        for line in operations(json.loads(Path(path).read_text())):
            known.setdefault(tuple(line.split("\t")[:2]), line)
    lines = sorted(known.values(), key=lambda line: line.split("\t")[1::-1])
    (here / "operations.tsv").write_text("\n".join(lines) + "\n")
