#!/usr/bin/env bash
# Peak memory of `mailferry run` while it carries items of 149 MB, against the real wire of the lab, with the least memory a plan may give.
#   scripts/bench.sh memory
# A body above 8 MB goes to a file, so peak memory must stay near that of a mailbox of small items.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v python3 >/dev/null || { echo "skipped: bench_memory.sh needs python3 to read peak memory"; exit 0; }
cargo build --release --quiet
bin=${CARGO_TARGET_DIR:-target}/release/mailferry
work=$(mktemp -d); lab=
trap '[ -z "$lab" ] || kill "$lab" 2>/dev/null; rm -rf "$work"' EXIT

case_of() { # items, size as the lab takes it
  local dir=$work/case
  mkdir -p "$dir"
  "$bin" lab --dir "$dir" --mailboxes 1 --items "$1" --item-size "$2" --limits off >"$dir/lab.log" 2>&1 &
  lab=$!
  for _ in $(seq 600); do [ -e "$dir/lab.json" ] && break; kill -0 "$lab" || { cat "$dir/lab.log"; exit 1; }; sleep 0.1; done
  # The least a plan may give: one item of the largest kind, of which 8 MB may be memory.
  sed -i '/^memory = /d; /^spool_memory = /d; s/^\[limits\].*/[limits]\nmemory = "150 MB"\nspool_memory = "8 MB"/' "$dir/plan.toml"
  python3 - "$bin" "$dir" "$1" "$2" <<'PY'
import json, resource, subprocess, sys
binary, folder, items, size = sys.argv[1:]
out = subprocess.run([binary, "run", f"{folder}/plan.toml", "--json", "--quiet"], capture_output=True, text=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
if out.returncode != 0:
    sys.exit(f"run ended with {out.returncode}: {out.stderr}")
summary = json.loads(out.stdout.splitlines()[-1])
assert summary["items"]["confirmed"] == int(items), summary
print(f"  {items:>5} items of {size:>7}: peak memory {peak / 1e6:6.0f} MB, memory = 150 MB, spool_memory = 8 MB")
PY
  kill "$lab"; wait "$lab" 2>/dev/null || true; lab=
  rm -rf "$dir"
}

case_of 500 "10 KB"
case_of 8 "10 MB"
# The store counts some hundred bytes on top, and 150 MB is the largest that is carried.
case_of 2 "149 MB"
