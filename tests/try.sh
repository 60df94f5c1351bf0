#!/usr/bin/env bash
# The main job, end to end: a package from a real registry under `trusted`, a request to a host that is not
# allowed, and the audit of both. On a fresh Debian machine with Rust it installs what it lacks, and says so.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/prepare.sh

prepare_packages gcc libc6-dev curl python3 python3-pip uidmap
say "building (release; some minutes the first time)"
cargo build --release --locked --package outwall
outwall=$PWD/target/release/outwall

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OUTWALL_STATE_DIR=$work/state
mkdir "$work/project" && cd "$work/project"

say "1. a package from the real registry, in a sandbox whose only way out is the gate"
"$outwall" run -- python3 -m pip install --no-cache-dir --target ./lib six
ls lib

say "2. a request to a host that is not allowed (it must be refused, readably)"
if "$outwall" run -- curl --silent --show-error --fail-with-body https://paste.example.net/upload; then
  echo "this request should have been refused" >&2
  exit 1
fi

say "3. what the audit has of both"
"$outwall" audit
"$outwall" audit verify

say "done: \`$outwall run -- COMMAND\` is yours to try; \`$outwall doctor\` tells what this machine offers"
