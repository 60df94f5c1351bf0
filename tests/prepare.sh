# Sourced by try.sh and all.sh: says what it does, and installs the Debian packages that are missing.

say() { printf '\n\033[1m== %s\033[0m\n' "$*" | if [ -t 1 ]; then cat; else sed 's/\x1b\[[0-9;]*m//g'; fi; }

# prepare_packages NAME...: installs those that are not there, as root or through sudo; else says what to type.
prepare_packages() {
  command -v cargo >/dev/null || { echo "error: no cargo here. hint: install Rust 1.95 or newer (https://rustup.rs)" >&2; exit 1; }
  command -v dpkg-query >/dev/null || { echo "not a Debian machine: these must be here already: $*"; return 0; }
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing with apt: ${missing[*]}"
  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "error: missing packages. hint: as root, apt-get install ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
