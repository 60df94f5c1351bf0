#!/usr/bin/env python3
"""Takes the defences of mutations.toml out of a copy of the source, one by one, and shows that an attack's row fails.

    python3 tests/mutations/run.py [NAME ...]      the mutations whose name holds one of these words; else all

Works in a copy with a target directory of its own ($OUTWALL_MUTATIONS, else a directory beside the system's temporary files), so
nothing here is ever changed. Ends with 1 when a row held although its defence was gone, or when a change no longer applies.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACE = Path(os.environ.get("OUTWALL_MUTATIONS", Path(tempfile.gettempdir()) / "outwall-mutations"))
SOURCE = PLACE / "source"


def copy():
    """A fresh copy of what git has and of what is changed, with the times of files that are the same left as they are."""
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\n")
    for name in filter(None, names):
        old, new = ROOT / name, SOURCE / name
        if not old.is_file():
            continue
        if not new.exists() or new.read_bytes() != old.read_bytes():
            new.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(old, new)


def build():
    environment = dict(os.environ, CARGO_TARGET_DIR=str(PLACE / "target"))
    done = subprocess.run(["cargo", "build", "--locked", "--package", "outwall"], cwd=SOURCE, env=environment, capture_output=True, text=True)
    return done.returncode == 0, done.stderr


def attack():
    """The rows of one run, by class."""
    with tempfile.TemporaryDirectory(prefix="outwall-mutated-") as empty:
        environment = dict(os.environ, OUTWALL_STATE_DIR=f"{empty}/state", XDG_CONFIG_HOME=f"{empty}/config")
        command = [str(PLACE / "target/debug/outwall"), "doctor", "--attack", "--format", "json"]
        done = subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True, timeout=180)
    try:
        return {row["class"]: row for row in json.loads(done.stdout)["attacks"]}
    except (json.JSONDecodeError, KeyError):
        return {"-": {"outcome": "no report", "why": done.stderr.strip()[-300:]}}


def failed(rows):
    return sorted(name for name, row in rows.items() if row["outcome"] not in ("held", "allowed"))


def tell(mutation):
    """One mutation: what came of it, and whether that is as it must be."""
    path = SOURCE / mutation["file"]
    text = path.read_text()
    if text.count(mutation["from"]) != 1:
        return False, f"does not apply: found {text.count(mutation['from'])} times"
    path.write_text(text.replace(mutation["from"], mutation["to"]))
    try:
        built, errors = build()
        if not built:
            return False, "does not compile:\n" + "\n".join(line for line in errors.split("\n") if "error" in line)[:600]
        through = failed(attack())
    finally:
        path.write_text(text)
    missing = [name for name in mutation["fails"] if name not in through]
    if missing:
        return False, f"held all the same: {', '.join(missing)}; failed: {', '.join(through) or 'none'}"
    return True, ", ".join(through)


def main():
    wanted = sys.argv[1:]
    mutations = tomllib.loads((Path(__file__).parent / "mutations.toml").read_text())["mutation"]
    chosen = [one for one in mutations if not wanted or any(word in one["name"] for word in wanted)]
    copy()
    built, errors = build()
    if not built:
        sys.exit(errors)
    before = failed(attack())
    if before:
        sys.exit(f"without any change these fail already: {', '.join(before)}")
    print("unchanged: every row is held", flush=True)
    caught = 0
    for mutation in chosen:
        started = time.monotonic()
        good, what = tell(mutation)
        caught += good
        print(f"{'caught' if good else 'MISSED'}  {mutation['name']} ({time.monotonic() - started:.0f} s): {what}", flush=True)
    print(f"{len(chosen)} defences taken out, {caught} noticed")
    sys.exit(0 if caught == len(chosen) else 1)


main()
