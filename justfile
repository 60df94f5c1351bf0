# What CI runs, by name. `just` alone lists.

default:
    @just --list

# Everything CI checks
ci:
    bash .ci/run

# The main job, end to end, with a real registry
try:
    bash tests/try.sh

# All tests, the real clients included
test:
    bash tests/all.sh

# The quick tests only: no internet, no root
quick:
    cargo test --workspace

lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items

deny:
    bash .ci/deny.sh

# One fuzz target for some seconds
fuzz target seconds="60":
    bash fuzz/run.sh {{target}} {{seconds}}
