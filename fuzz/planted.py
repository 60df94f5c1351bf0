#!/usr/bin/env python3
"""Plants each bug of planted.toml in a copy of the sources and lets its fuzz target look for it.

    fuzz/planted.py [TARGET...]

A target that does not find its bug within two minutes from its corpus has failed, and so has this. Bugs of one group are planted
together: none is in code that another target of the group runs. The sources are never touched; the copy keeps its build, in
fuzz/target/planted, so that a second run is quicker.
"""

import filecmp
import os
import re
import shutil
import subprocess
import sys
import tomllib

FUZZ = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(FUZZ)
COPY = os.path.join(FUZZ, "target", "planted")
SECONDS = 120


def copy_sources():
    """Every file as it is now. What is unchanged keeps its time, so that little is built again; what differs gets a new one."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines():
        source, copy = os.path.join(ROOT, name), os.path.join(COPY, name)
        if not os.path.isfile(source) or os.path.isfile(copy) and filecmp.cmp(source, copy, shallow=False):
            continue
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        shutil.copyfile(source, copy)


def plant(bug):
    path = os.path.join(COPY, bug["file"])
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if text.count(bug["old"]) != 1:
        sys.exit(f"{bug['file']}: the text to replace stands there {text.count(bug['old'])} times, not once; mend planted.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(bug["old"], bug["new"]))


def look(bug):
    """How many executions it took, or None."""
    command = ["bash", "run.sh", bug["target"], str(SECONDS)]
    ran = subprocess.run(command, cwd=os.path.join(COPY, "fuzz"), capture_output=True, text=True)
    if "FAILED" not in ran.stdout:
        print(ran.stdout[-2000:], ran.stderr[-2000:])
        return None
    with open(os.path.join(COPY, "fuzz", "artifacts", bug["target"], "log"), encoding="utf-8", errors="replace") as log:
        text = log.read()
    counts = re.findall(r"stat::number_of_executed_units:\s*(\d+)", text) or re.findall(r"^#(\d+)", text, re.MULTILINE)
    return int(counts[-1]) if counts else 0


def main():
    with open(os.path.join(FUZZ, "planted.toml"), "rb") as file:
        bugs = [bug for bug in tomllib.load(file)["bug"] if not sys.argv[1:] or bug["target"] in sys.argv[1:]]
    lost = 0
    for group in dict.fromkeys(bug["group"] for bug in bugs):
        together = [bug for bug in bugs if bug["group"] == group]
        copy_sources()
        for bug in together:
            plant(bug)
        for bug in together:
            executions = look(bug)
            lost += executions is None
            outcome = "NOT FOUND" if executions is None else f"found after {executions} executions"
            print(f"{bug['target']:20} {bug['what']}: {outcome}", flush=True)
    print(f"{len(bugs)} bugs planted, {len(bugs) - lost} found")
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
