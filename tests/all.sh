#!/usr/bin/env bash
# All tests: units, stories with the real binary, then the real clients against the real registries.
# On a fresh Debian machine with Rust it installs what it lacks, and says so.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/prepare.sh

prepare_packages gcc g++ libc6-dev curl python3 python3-pip python3-venv git uidmap util-linux iproute2 strace openssl squid-openssl git-lfs gh rsyslog rsyslog-openssl

say "GitHub's clients, for the stories that need them"
bash tests/clients/install.sh github

say "units and stories"
cargo test --workspace --locked

# Always the whole workspace: of a package alone the dependencies have other features, and all would be built again.
stories() { cargo test --workspace --locked --test it -- --ignored "$@"; }

say "the long stories: deaths of gates, a GiB each way"
stories --skip clients:: --skip suggesting::registries --skip attacks:: --skip protocols:: --skip agents:: --skip ui::

say "the list of attacks, and its table"
stories attacks::

say "the real clients (skipped loudly where the registries cannot be reached)"
bash tests/clients/install.sh
stories clients:: suggesting::registries --test-threads 2

say "receivers of the audit's events that are not ours (skipped loudly where they are not there)"
cargo test --workspace --locked --test real_receivers -- --ignored --nocapture

say "every protocol, by clients and servers that are not ours"
stories protocols::

say "coding agents, unpatched, against a stand-in for their models"
stories agents::

say "the pages of outwall ui, in Chromium"
stories ui::
