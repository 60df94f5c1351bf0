"""Compiles the part of the published OCSF schema that events of the audit are mapped to.

    git clone https://github.com/ocsf/ocsf-schema && python3 compile.py ocsf-schema/.git v1.8.0 > schema-1.8.0.json

Resolves `extends`, `$include` and profiles as the OCSF server does, merges each attribute with the dictionary, and keeps what a
validator needs: types, requirements, profiles, enums with their captions, constraints. The schema is Apache-2.0, (c) its contributors.
"""

import functools
import json
import subprocess
import sys

REPOSITORY, VERSION = sys.argv[1:]
CLASSES = ["base_event", "network_activity", "http_activity", "dns_activity", "authentication", "entity_management",
           "application_lifecycle", "detection_finding"]


def git(*words):
    return subprocess.run(["git", "--git-dir", REPOSITORY, *words], check=True, capture_output=True, text=True).stdout


@functools.cache
def source(path):
    return json.loads(git("show", f"{VERSION}:{path}"))


PATHS = git("ls-tree", "-r", "--name-only", VERSION).splitlines()
CLASS_PATHS = {source(path)["name"]: path for path in PATHS if path.startswith("events/")}
OBJECT_PATHS = {source(path)["name"]: path for path in PATHS if path.startswith("objects/")}
DICTIONARY = source("dictionary.json")
TYPES = DICTIONARY["types"]["attributes"]
CATEGORIES = source("categories.json")["attributes"]


def merged(below, above):
    """`above` wins; tables are merged."""
    result = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def attributes(written):
    """With what is included. What a profile brings is marked with its name, unless the class says that it is its own."""
    own = dict(written.get("attributes", {}))
    result = {}
    for path in own.pop("$include", []):
        profile = source(path)
        for name, attribute in profile["attributes"].items():
            result[name] = merged({"profile": profile["name"]}, attribute)
    for name, attribute in own.items():
        result[name] = merged(result.get(name, {}), attribute)
    return result


def resolved(paths, name):
    written = source(paths[name])
    item = {"attributes": attributes(written), "constraints": written.get("constraints", {}), "caption": written["caption"],
            "category": written.get("category"), "uid": written.get("uid"), "extends": [name]}
    if "extends" in written:
        above = resolved(paths, written["extends"])
        item["extends"] += above["extends"]
        item["attributes"] = merged(above["attributes"], item["attributes"])
        item["constraints"] = merged(above["constraints"], item["constraints"])
        item["category"] = item["category"] or above["category"]
    return item


def finished(attributes_, wanted):
    """Each attribute with its type, by the dictionary."""
    result = {}
    for name, attribute in sorted(attributes_.items()):
        full = merged(DICTIONARY["attributes"].get(name, {}), attribute)
        out = {"type": full["type"], "requirement": full.get("requirement", "optional")}
        if full.get("is_array"):
            out["is_array"] = True
        if full.get("profile"):
            out["profile"] = full["profile"]
        if full.get("sibling"):
            out["sibling"] = full["sibling"]
        if full.get("enum"):
            out["enum"] = {key: value["caption"] for key, value in full["enum"].items()}
        if full["type"] not in TYPES:
            out["object"] = True
            wanted.append(full["type"])
        result[name] = out
    return result


def observable_types():
    """The numbers of things that may be observed are written beside them, all over the schema."""
    enum = {"0": "Unknown", "99": "Other"}
    for table in [TYPES, DICTIONARY["attributes"], *[{name: source(path)} for name, path in OBJECT_PATHS.items()]]:
        for item in table.values():
            if isinstance(item.get("observable"), int):
                enum[str(item["observable"])] = item["caption"]
    return enum


def compiled():
    classes, objects, wanted = {}, {}, []
    for name in CLASSES:
        item = resolved(CLASS_PATHS, name)
        category = CATEGORIES.get(item["category"], {"uid": 0, "caption": "Uncategorized"})
        uid = category["uid"] * 1000 + (item["uid"] or 0)
        attributes_ = finished(item["attributes"], wanted)
        attributes_["class_uid"]["enum"] = {str(uid): item["caption"]}
        attributes_["category_uid"]["enum"] = {str(category["uid"]): category["caption"]}
        activities = attributes_["activity_id"]["enum"]
        attributes_["type_uid"]["enum"] = {str(uid * 100 + int(key)): f"{item['caption']}: {value}" for key, value in activities.items()}
        classes[uid] = {"name": name, "attributes": attributes_, "constraints": item["constraints"]}
    while wanted:
        name = wanted.pop()
        if name not in objects:
            item = resolved(OBJECT_PATHS, name)
            objects[name] = {}  # before its attributes: some lead back to it
            objects[name] = {"attributes": finished(item["attributes"], wanted), "constraints": item["constraints"]}
    objects["observable"]["attributes"]["type_id"]["enum"] = observable_types()
    types = {name: {key: item[key] for key in ("type", "regex", "max_len", "range") if key in item} for name, item in TYPES.items()}
    return {"version": VERSION.removeprefix("v"), "licence": "Apache-2.0, https://github.com/ocsf/ocsf-schema", "classes": classes,
            "objects": objects, "types": types}


def main():
    """One class or object a line, so that a newer schema shows as a difference that can be read."""
    schema = compiled()
    parts = []
    for key, value in schema.items():
        if isinstance(value, dict):
            lines = ",\n".join(f"{json.dumps(str(name))}:{json.dumps(item, separators=(',', ':'))}" for name, item in sorted(value.items(), key=lambda pair: str(pair[0])))
            parts.append(f"{json.dumps(key)}:{{\n{lines}\n}}")
        else:
            parts.append(f"{json.dumps(key)}:{json.dumps(value)}")
    print("{" + ",\n".join(parts) + "}")


main()
