#!/usr/bin/env bash
# Builds and runs the fuzz targets with libFuzzer's coverage on the stable toolchain (no cargo-fuzz, no nightly).
#   fuzz/run.sh smoke             every target for 10 s (what CI runs)
#   fuzz/run.sh TARGET [SECONDS]  one target, 60 s unless told; the corpus grows in fuzz/corpus/TARGET
set -euo pipefail
cd "$(dirname "$0")"

coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
coverage="$coverage -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
coverage="$coverage -Cllvm-args=-sanitizer-coverage-trace-compares"
wanted=(--bins)
case "${1:-}" in smoke | "") ;; *) wanted=(--bin "$1") ;; esac
# --target keeps build scripts and macros free of the instrumentation.
triple=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS="--cfg fuzzing $coverage -Cdebug-assertions -Coverflow-checks" \
  cargo build --release --locked --target "$triple" "${wanted[@]}"

run() { # target seconds corpus...
  local target=$1 seconds=$2; shift 2
  mkdir -p "artifacts/$target"
  "target/$triple/release/$target" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 \
    -artifact_prefix="artifacts/$target/" -print_final_stats=1 "$@" 2>"artifacts/$target/log" \
    || { tail -40 "artifacts/$target/log"; echo "fuzz target $target FAILED; the input is in fuzz/artifacts/$target"; return 1; }
  awk -v t="$target" '/stat::number_of_executed_units/ {n=$2} / cov: / {for (i=1;i<=NF;i++) if ($i=="cov:") c=$(i+1)}
    END {printf "%-20s %10d executions, %5d edges covered, no finding\n", t, n, c}' "artifacts/$target/log"
}

case "${1:-}" in
  smoke)
    for source in fuzz_targets/*.rs; do
      target=$(basename "$source" .rs)
      scratch=$(mktemp -d)
      seeds=(); [ -d "corpus/$target" ] && seeds=("corpus/$target")
      run "$target" "${2:-10}" "$scratch" "${seeds[@]}"
      rm -rf "$scratch"
    done ;;
  "") sed -n '2,4p' run.sh; exit 2 ;;
  *) mkdir -p "corpus/$1"; run "$1" "${2:-60}" "corpus/$1" ;;
esac
