#!/usr/bin/env bash
# Measures what a large ledger costs: bytes per item, time until `mailferry run` creates its first item, peak memory of that run.
#   scripts/bench_ledger.sh              10,000 and 1,000,000 items, half of them carried already; each run works to its end
#   scripts/bench_ledger.sh 20 s         the same, each run stops after 20 s
# Needs python3 and Linux (/proc), 3 GB of memory for the lab, and builds in release mode.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v python3 >/dev/null || { echo "skipped: bench_ledger.sh needs python3"; exit 0; }
stop="$*"
cargo build --release --quiet
cargo bench --bench ledger --quiet --no-run
bin=$(realpath "${CARGO_TARGET_DIR:-target}")/release/mailferry
work=$(mktemp -d -p "${TMPDIR:-/tmp}")
trap 'rm -rf "$work"' EXIT
for items in 10000 1000000; do
  cargo bench --bench ledger --quiet -- "$bin" "$work/$items" "$items" ${stop:+"$stop"} >"$work/$items.json"
  rm -rf "${work:?}/$items"
done
python3 - "$work" <<'PY'
import json, os, sys
small, large = (json.load(open(f"{sys.argv[1]}/{n}.json")) for n in (10000, 1000000))
print(f"half of the items carried already, 20 folders, items of 1 KB, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
for of in (small, large):
    run = of["run"]
    print(f"  {of['items']:>9,} items  {of['bytes_per_item']:>6,} bytes each on disk  first create after {of['first_create_seconds']:.2f} s"
          f" (one count of the folders by the lab: {of['lab_listing_seconds']:.2f} s)"
          f"  peak memory {run['peak_bytes'] / 1e6:,.0f} MB ({run['peak_bytes_at_first_create'] / 1e6:,.0f} MB until then)"
          f"  {run['created']:,} created in {run['seconds']:,.0f} s, exit {run['exit']}")
print(f"  memory: {large['run']['peak_bytes'] / small['run']['peak_bytes'] - 1:+.0%} (at most +20 %), resume: at most 5 s")
PY
