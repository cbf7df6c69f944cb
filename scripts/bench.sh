#!/usr/bin/env bash
# Measures `mailferry run` against a bare client that posts the same number of bytes to the same lab, limits off.
#   scripts/bench.sh            20,000 items of 10 KB and 50 items of 20 MB (some minutes)
#   scripts/bench.sh quick      a tenth of that
#   scripts/bench.sh plan       the planner, from 1,000 to 50,000 mailboxes
#   scripts/bench.sh pace       how near to the published limits, in virtual time, beside two simpler policies
#   scripts/bench.sh memory     peak memory while items of 150 MB are carried
#   scripts/bench.sh verify [N] verification of N items (1,000,000) at level identity against the bare listing of both sides
#   scripts/bench.sh engine     100 mailboxes at once over TLS
#   scripts/bench.sh ledger     resuming on a ledger of 1,000,000 items
#   scripts/bench.sh screening  what static rules and hash lists cost
# Needs python3 (for peak memory); builds in release mode.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v python3 >/dev/null || { echo "skipped: bench.sh needs python3 to read peak memory"; exit 0; }
[ "${1:-}" = plan ] && exec scripts/bench_plan.sh
[ "${1:-}" = engine ] && exec scripts/bench_engine.sh "${@:2}"
[ "${1:-}" = ledger ] && exec scripts/bench_ledger.sh "${@:2}"
[ "${1:-}" = screening ] && exec scripts/bench_screening.sh "${@:2}"
[ "${1:-}" = pace ] && exec cargo bench --bench pace --quiet -- "${@:2}"
[ "${1:-}" = memory ] && exec scripts/bench_memory.sh
[ "${1:-}" = verify ] && exec cargo bench --bench verify --quiet -- "${2:-1000000}"
factor=1; [ "${1:-}" = quick ] && factor=10
cargo build --release --quiet
cargo bench --bench floor --quiet --no-run
bin=${CARGO_TARGET_DIR:-target}/release/mailferry
work=$(mktemp -d); lab=
trap '[ -z "$lab" ] || kill "$lab" 2>/dev/null; rm -rf "$work"' EXIT

case_of() { # items, bytes
  local dir=$work/$1x$2
  mkdir -p "$dir"
  "$bin" lab --dir "$dir" --mailboxes 1 --items "$1" --item-size "$2 B" --limits off >"$dir/lab.log" 2>&1 &
  lab=$!
  for _ in $(seq 600); do [ -e "$dir/lab.json" ] && break; kill -0 "$lab" || { cat "$dir/lab.log"; exit 1; }; sleep 0.1; done
  python3 - "$bin" "$dir" "$1" <<'PY' >"$dir/run.json"
import json, resource, subprocess, sys, time
binary, folder, items = sys.argv[1:]
began = time.monotonic()
out = subprocess.run([binary, "run", f"{folder}/plan.toml", "--json", "--quiet"], capture_output=True, text=True)
seconds = time.monotonic() - began
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
if out.returncode != 0:
    sys.exit(f"run ended with {out.returncode}: {out.stderr}")
summary = json.loads(out.stdout.splitlines()[-1])
assert summary["items"]["confirmed"] == int(items), summary
print(json.dumps({"items": int(items), "seconds": seconds, "peak": peak}))
PY
  cargo bench --bench floor --quiet -- "$dir/lab.json" "$1" "$2" >"$dir/floor.json"
  kill "$lab"; wait "$lab" 2>/dev/null || true; lab=
  python3 - "$dir/run.json" "$dir/floor.json" "$2" <<'PY'
import json, sys
run, floor, size = json.load(open(sys.argv[1])), json.load(open(sys.argv[2])), int(sys.argv[3])
total = floor["stream_bytes"]
line = lambda name, seconds, more="": print(
    f"  {name:<14}{run['items'] / seconds:>10,.0f} items/s {total / seconds / 1e6:>9,.1f} MB/s {seconds:>8,.1f} s{more}")
print(f"{run['items']:,} items of {size:,} bytes, limits off, one mailbox")
line("mailferry run", run["seconds"], f"   peak memory {run['peak'] / 1e6:,.0f} MB")
line("bare client", floor["seconds"])
print(f"  {'ratio':<14}{floor['seconds'] / run['seconds']:>10.2f} of the bare client's rate (target: at least 0.50)")
PY
  rm -rf "$dir"
}

case_of $((20000 / factor)) 10000
case_of $((50 / factor)) 20000000
