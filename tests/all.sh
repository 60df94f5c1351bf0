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

say "the long stories: deaths of gates, a GiB each way"
cargo test --locked --package outwall --test it -- --ignored --skip clients:: --skip suggesting::registries --skip attacks:: --skip protocols:: --skip agents:: --skip ui::
cargo test --locked --package outwall-proxy --test it -- --ignored

say "the list of attacks, and its table"
cargo test --locked --package outwall --test it -- --ignored attacks::

say "the real clients (skipped loudly where the registries cannot be reached)"
bash tests/clients/install.sh
cargo test --locked --package outwall --test it -- --ignored clients:: suggesting::registries --test-threads 2

say "receivers of the audit's events that are not ours (skipped loudly where they are not there)"
cargo test --locked --package outwall-shipping --test real_receivers -- --ignored --nocapture

say "every protocol, by clients and servers that are not ours"
cargo test --locked --package outwall --test it -- --ignored protocols::

say "coding agents, unpatched, against a stand-in for their models"
cargo test --locked --package outwall --test it -- --ignored agents::

say "the pages of outwall ui, in Chromium"
cargo test --locked --package outwall --test it -- --ignored ui::
