#!/usr/bin/env python3
"""Makes graphql-schema.graphqls: GitHub's GraphQL schema without descriptions and directives, a field or a value to a line.

    npm pack @octokit/graphql-schema && tar xf octokit-graphql-schema-*.tgz
    git-proxy/data/schema.py package > git-proxy/data/graphql-schema.graphqls

The schema is GitHub's, under the MIT license. What has come since the package was made is in graphql-newer.graphqls, by hand.
"""

import json
import pathlib
import re
import sys


def bare(text):
    """Without comments, descriptions and directives."""
    text = re.sub(r'"""(?:[^"]|"(?!""))*"""', "", text)
    text = re.sub(r"(?m)^\s*#.*$", "", text)
    text = re.sub(r'(?m)^\s*"(?:[^"\\]|\\.)*"\s*$', "", text)
    text = re.sub(r'\s@\w+(\((?:[^()"]|"(?:[^"\\]|\\.)*")*\))?', "", text)
    text = re.sub(r"(?m)^directive .*?(?=^\S)", "", text, flags=re.S)
    text = re.sub(r"\n\s*\n+", "\n", text)
    return re.sub(r"\n\s*\)", ")", re.sub(r"\(\s*\n\s*", "(", text))


def joined(text):
    """Arguments on the line of their field."""
    open_line, depth = "", 0
    for line in text.split("\n"):
        if depth or line.count("(") > line.count(")"):
            open_line += (", " + line.strip()) if depth else line.rstrip()
            depth += line.count("(") - line.count(")")
            if depth == 0:
                yield open_line
                open_line = ""
        else:
            yield line.rstrip()


def once(lines):
    """GitHub's schema of today has two fields twice."""
    seen = set()
    for line in lines:
        if re.match(r"(type|interface|input|enum|union|scalar)\b", line):
            seen = set()
        field = re.match(r"\s+(\w+)\s*[(:]", line)
        if field is None or field.group(1) not in seen:
            yield line
        if field:
            seen.add(field.group(1))


def main():
    package = pathlib.Path(sys.argv[1])
    version = json.loads((package / "package.json").read_text())["version"]
    print(f"# GitHub's GraphQL schema of @octokit/graphql-schema {version} (MIT), without descriptions and directives: schema.py makes it.")
    print("\n".join(once(joined(bare((package / "schema.graphql").read_text())))).strip())


main()
