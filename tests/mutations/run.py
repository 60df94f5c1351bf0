#!/usr/bin/env python3
"""Takes the defences of mutations.toml out of a copy of the source, one by one, and shows that an attack's row fails.

    python3 tests/mutations/run.py [--at-once N] [NAME ...]

Names choose the mutations that hold one of these words; else all. `--at-once 5` takes five out together, which is quicker and a
little less strict: a row may then fail for a neighbour's sake. Only mutations of which no class is another's go together.

Works in a copy with a target directory of its own ($OUTWALL_MUTATIONS, else a directory beside the system's temporary files), so
nothing here is ever changed. Ends with 1 when a row held although its defence was gone, or when a change no longer applies.

Some defences are held by a second one (`held_by`): there the rows must hold, so that the day on which they do not is noticed, and
must fail once the second one is taken out as well (`second`), which proves that it is that one. The gate checks its policy before it
serves, and would not serve with some defences gone: that check is taken out with each, so that it is the rows that notice.
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
SELF_CHECK = {"file": "policy/src/self_check.rs", "from": "self.stand(probe)?;", "to": "let _noticed = self.stand(probe);"}
SHUT = "the gate does not serve"


def copy():
    """A fresh copy of what git has and of what is changed, with the times of files that are the same left as they are."""
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\n")
    names = [name for name in names if name]
    for gone in SOURCE.rglob("*"):
        if gone.is_file() and str(gone.relative_to(SOURCE)) not in names:
            gone.unlink()
    for name in names:
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
        done = subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True, timeout=900)
    try:
        return {row["class"]: row for row in json.loads(done.stdout)["attacks"]}
    except (json.JSONDecodeError, KeyError):
        return {SHUT: {"outcome": "no report", "why": " ".join(done.stderr.split())[-300:]}}


def failed(rows):
    if SHUT in rows:
        return [SHUT, rows[SHUT]["why"]]
    return sorted(name for name, row in rows.items() if row["outcome"] not in ("held", "allowed"))


def apply(mutation):
    """Changes the copy; what undoes it, or why it cannot be done."""
    path = SOURCE / mutation["file"]
    text = path.read_text()
    if text.count(mutation["from"]) != 1:
        return None, f"does not apply: found {text.count(mutation['from'])} times"
    path.write_text(text.replace(mutation["from"], mutation["to"]))
    return (path, text), None


def without(changes):
    """The rows that fail with these changes made; for each that was not made, by its place, why not; and why it was not built."""
    undo, not_made = [], {}
    try:
        for place, change in enumerate([SELF_CHECK, *changes]):
            undone, why = apply(change)
            if why and place == 0:
                sys.exit(f"the self-check {why}")
            if why:
                not_made[place - 1] = why
            else:
                undo.append(undone)
        built, errors = build()
        if built:
            return failed(attack()), not_made, None
        return [], not_made, " | ".join(line for line in errors.split("\n") if line.startswith("error"))[:400]
    finally:
        for path, text in reversed(undo):
            path.write_text(text)


def tell_held(mutation):
    """A mutation that a second defence holds: the rows hold without the first, and fail without both."""
    held_by = mutation["held_by"]
    for changes, must_fail in [([mutation], False), ([mutation, *mutation["second"]], True)]:
        through, not_made, errors = without(changes)
        if not_made or errors:
            return False, "; ".join(not_made.values()) or f"does not compile: {errors}"
        if SHUT in through:
            return False, f"{SHUT}: {through[1]}"
        if not must_fail and any(name in through for name in mutation["fails"]):
            return False, f"{held_by} did not hold it: {', '.join(through)}"
        if must_fail and any(name not in through for name in mutation["fails"]):
            return False, f"held even without {held_by}; failed: {', '.join(through) or 'none'}"
    return True, f"held by {held_by}; without that as well: {', '.join(mutation['fails'])}"


def tell(group):
    """A group of mutations: for each, whether it was noticed and what was seen."""
    if "held_by" in group[0]:
        return [(group[0], *tell_held(group[0]))]
    through, not_made, errors = without(group)
    outcomes = {group[place]["name"]: (False, why) for place, why in not_made.items()}
    for mutation in group:
        missing = [name for name in mutation["fails"] if name not in through]
        if mutation["name"] in outcomes:
            continue
        if errors:
            outcomes[mutation["name"]] = (False, f"does not compile: {errors}")
        elif SHUT in through:
            outcomes[mutation["name"]] = (False, f"{SHUT}: {through[1]}")
        elif missing:
            outcomes[mutation["name"]] = (False, f"held all the same: {', '.join(missing)}; failed: {', '.join(through) or 'none'}")
        else:
            seen = mutation["fails"] if len(group) > 1 else through
            outcomes[mutation["name"]] = (True, ", ".join(seen))
    return [(mutation, *outcomes[mutation["name"]]) for mutation in group]


def groups(mutations, at_once):
    """Greedily, so that no class of one is a class of another; what is `alone` stays so, and so does what another defence holds."""
    waiting = []
    for mutation in mutations:
        classes = set(mutation["fails"])
        fits = (group for group in waiting if len(group) < at_once and not any(is_alone(one) or classes & set(one["fails"]) for one in group))
        group = None if is_alone(mutation) else next(fits, None)
        if group is None:
            waiting.append([mutation])
        else:
            group.append(mutation)
    return waiting


def is_alone(mutation):
    return mutation.get("alone") or "held_by" in mutation


def main():
    words = sys.argv[1:]
    at_once = 1
    if words[:1] == ["--at-once"]:
        at_once, words = int(words[1]), words[2:]
    mutations = tomllib.loads((Path(__file__).parent / "mutations.toml").read_text())["mutation"]
    chosen = [one for one in mutations if not words or any(word in one["name"] for word in words)]
    copy()
    built, errors = build()
    if not built:
        sys.exit(errors)
    before = failed(attack())
    if before:
        sys.exit(f"without any change these fail already: {', '.join(before)}")
    print("unchanged: every row is held", flush=True)
    caught = 0
    # Those that stand alone come last: a run that is cut has seen most.
    for group in sorted(groups(chosen, at_once), key=len, reverse=True):
        started = time.monotonic()
        for mutation, good, what in tell(group):
            caught += good
            print(f"{'caught' if good else 'MISSED'}  {mutation['name']}: {what}", flush=True)
        print(f"        ({len(group)} together, {time.monotonic() - started:.0f} s)", flush=True)
    print(f"{len(chosen)} defences taken out, {caught} noticed")
    sys.exit(0 if caught == len(chosen) else 1)


main()
