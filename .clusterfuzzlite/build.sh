#!/usr/bin/env bash
# Builds every fuzz target into $OUT, as ClusterFuzzLite and OSS-Fuzz want it: the program, its seeds, its dictionary
# and its options. $SRC/echo is this repository.
set -euo pipefail
cd "$SRC/echo/fuzz"

# The image sets cfg(fuzzing), with which smoltcp takes every checksum for right. What is fuzzed is what runs.
export RUSTFLAGS="${RUSTFLAGS:-}"
RUSTFLAGS="${RUSTFLAGS//--cfg fuzzing/}"
cargo fuzz build --no-cfg-fuzzing

host=$(rustc -vV | sed -n 's/^host: //p')
for target in $(cargo fuzz list); do
    cp "target/$host/release/$target" "$OUT/"
    dictionary=wire
    if [ "$target" = scenario_text ]; then dictionary=scenario; fi
    cp "dictionaries/$dictionary.dict" "$OUT/$target.dict"
    rm -f "$OUT/${target}_seed_corpus.zip"
    find corpus regressions -path "*/$target/*" -type f | sort | zip -q -j -@ "$OUT/${target}_seed_corpus.zip"
    # Inputs longer than 4 KiB only take longer. A tenth of this time is a finding; a cluster's machines may be slow.
    printf '[libfuzzer]\nmax_len = 4096\ntimeout = 10\nrss_limit_mb = 2048\nmalloc_limit_mb = 512\n' > "$OUT/$target.options"
done
