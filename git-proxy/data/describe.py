#!/usr/bin/env python3
"""Makes rest-description.json: what the tests know of GitHub's published description of its REST API.

    npm pack @octokit/openapi && tar xf octokit-openapi-*.tgz
    git-proxy/data/describe.py package > git-proxy/data/rest-description.json

It has every operation of github.com, of GitHub Enterprise Cloud and of each release of GitHub Enterprise Server that the package
describes: method, path, name, parameters of path and query, members of the body. The description is GitHub's, under the MIT license.
"""

import json
import pathlib
import sys

METHODS = {"get", "put", "post", "patch", "delete", "head", "options"}
DEPTH = 4  # of bodies; what is deeper is "any"


def resolve(document, node):
    while isinstance(node, dict) and "$ref" in node:
        path = node["$ref"].removeprefix("#/").split("/")
        node = document
        for step in path:
            node = node[step.replace("~1", "/").replace("~0", "~")]
    return node


def shape(document, schema, depth=0):
    """What a body may be: a word for a type, values in a list below "enum", [items], {members}, or a list of those below "one_of"."""
    schema = resolve(document, schema)
    if not isinstance(schema, dict) or depth > DEPTH:
        return "any"
    for word in ("oneOf", "anyOf"):
        if word in schema and "properties" not in schema:
            return {"one_of": [shape(document, one, depth + 1) for one in schema[word]]}
    if "allOf" in schema:
        members = {}
        for part in schema["allOf"]:
            found = shape(document, part, depth + 1)
            if isinstance(found, dict):
                members.update(found.get("members", {}))
        return {"members": members}
    if schema.get("type") == "object" or "properties" in schema:
        properties = schema.get("properties", {})
        return {"members": {name: shape(document, one, depth + 1) for name, one in properties.items()}}
    if schema.get("type") == "array":
        return {"items": shape(document, schema.get("items", {}), depth + 1)}
    if "enum" in schema:
        return {"enum": schema["enum"]}
    return schema.get("type", "any")


def body(document, operation):
    content = resolve(document, operation.get("requestBody", {})).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    return None if schema is None else shape(document, schema)


def describe(document, method, path, operation):
    parameters = [resolve(document, one) for one in operation.get("parameters", [])]
    kinds = {one["name"]: resolve(document, one["schema"]).get("type", "any") for one in parameters if one["in"] == "path"}
    described = {
        "method": method.upper(),
        "path": path,
        "id": operation["operationId"],
        "parameters": kinds,
        "query": sorted(one["name"] for one in parameters if one["in"] == "query"),
    }
    found = body(document, operation)
    return described if found is None else described | {"body": found}


def main(package):
    package = pathlib.Path(package)
    version = json.loads((package / "package.json").read_text())["version"]
    operations = {}
    for file in sorted((package / "generated").glob("*.json")):
        if file.name.endswith(".deref.json"):
            continue
        document = json.loads(file.read_text())
        for path, item in document["paths"].items():
            for method in METHODS & item.keys():
                operations.setdefault((path, method), describe(document, method, path, item[method]))
    lines = ",\n".join(json.dumps(operations[key], ensure_ascii=False, separators=(",", ":")) for key in sorted(operations))
    print(f'{{"package":"@octokit/openapi","version":"{version}","operations":[\n{lines}\n]}}')


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
