#!/usr/bin/env bash
# cargo-deny: bans, licences and sources always; advisories where their database can be had, else a loud skip.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v cargo-deny >/dev/null; then
  echo "installing cargo-deny from crates.io (some minutes, once)"
  cargo install --locked --quiet cargo-deny --version '^0.20'
fi
cargo deny --locked check bans licenses sources

# The advisory database is a git repository. Only a failure to fetch it may skip; a finding must fail.
if cargo deny --locked fetch db >/tmp/outwall-advisories.$$ 2>&1; then
  cargo deny --locked check --disable-fetch advisories
else
  echo "SKIPPED: advisories were NOT checked: their database could not be fetched:"
  sed 's/^/  /' /tmp/outwall-advisories.$$ | tail -5
fi
rm -f /tmp/outwall-advisories.$$
