#!/usr/bin/env python3
"""Makes `schema.graphql` and `operations.tsv` from GitHub's own descriptions.

    npm pack @octokit/graphql-schema @octokit/openapi     (each unpacks to `package/`)
    python3 refresh.py SCHEMA.graphql api.github.com.json

The schema loses its descriptions and the second definition of a field that is defined twice; nothing else.
Of the operations only what a server needs is kept: method, path, name, the status of success, the shape of its answer.
"""

import json
import re
import sys
from pathlib import Path

here = Path(__file__).parent


def schema(text):
    text = re.sub(r'[ ]*"""(?:.|\n)*?"""\n?', "", text)
    lines, seen, skipping = [], set(), 0
    for line in text.split("\n"):
        if not line.strip():
            continue
        if not line.startswith(" "):
            seen, skipping = set(), 0
        field = re.match(r"^  (\w+)\s*([(:])", line)
        if field and not skipping:
            if field[1] in seen:
                skipping = 1 if field[2] == "(" else 2
            seen.add(field[1])
        if skipping:
            if skipping == 2 or re.match(r"^  \)", line):
                skipping = 0
            continue
        lines.append(line)
    return "\n".join(lines) + "\n"


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
    (here / "schema.graphql").write_text(schema(Path(sys.argv[1]).read_text()))
    (here / "operations.tsv").write_text("\n".join(operations(json.loads(Path(sys.argv[2]).read_text()))) + "\n")
