#!/usr/bin/env python3
"""How long `outwall run -- true` takes, beside bwrap doing the same isolation, in one run.

    cargo build --release && tests/bench/start.py [RUNS]

The two take turns, so that a busy machine slows both. Prints median, minimum and the median ratio. bwrap makes the same
namespaces and a comparable file system, and no network, gate, CA or audit: it is the floor, not a rival.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUTWALL = os.path.join(ROOT, "target", "release", "outwall")
BWRAP = (
    "bwrap --unshare-all --die-with-parent --new-session --cap-drop ALL --ro-bind /usr /usr --ro-bind /etc /etc "
    "--symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 --symlink usr/sbin /sbin "
    "--proc /proc --dev /dev --tmpfs /tmp --tmpfs /home --tmpfs /run true"
).split()


def seconds(command, **options):
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    return time.perf_counter() - started


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory() as work:
        environment = os.environ | {"OUTWALL_STATE_DIR": os.path.join(work, "state")}
        project = os.path.join(work, "project")
        os.mkdir(project)
        outwall = [OUTWALL, "run", "--quiet", "--", "true"]
        for command in (outwall, BWRAP):  # the first start makes the CA and warms the page cache
            seconds(command, cwd=project, env=environment)
        times = {"outwall": [], "bwrap": []}
        for _ in range(runs):
            times["outwall"].append(seconds(outwall, cwd=project, env=environment))
            times["bwrap"].append(seconds(BWRAP, cwd=project, env=environment))
        for name, taken in times.items():
            print(f"{name:8} median {statistics.median(taken) * 1000:6.1f} ms   min {min(taken) * 1000:6.1f} ms   of {runs}")
        ratios = [ours / floor for ours, floor in zip(times["outwall"], times["bwrap"])]
        print(f"ratio    median {statistics.median(ratios):6.2f}")
        parts = subprocess.run(outwall, cwd=project, env=environment | {"OUTWALL_LOG": "debug"}, capture_output=True, text=True)
        for line in parts.stderr.splitlines():
            if "timing" in line or "took" in line:
                print(line)


main()
