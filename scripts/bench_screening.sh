#!/usr/bin/env bash
# Measures what `[screening]` costs a run: static rules and a list of 100,000 hashes, against the same run without, limits off, one mailbox.
#   scripts/bench_screening.sh [ROUNDS]     3 rounds unless said otherwise; with and without by turns, the best of each counts
# With BIN=FILE in the environment, that mailferry is measured and nothing is built.
# Cases: 10 KB in a body, 10 KB and 5 MB in an attachment, and made-up mail with its usual attachments. Lab and run share the machine. Needs python3;
# builds in release mode.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v python3 >/dev/null || { echo "skipped: bench_screening.sh needs python3"; exit 0; }
rounds=${1:-3}
bin=${BIN:-}
if [ -z "$bin" ]; then
  cargo build --release --quiet
  bin=${CARGO_TARGET_DIR:-target}/release/mailferry
fi
work=$(mktemp -d); lab=
trap '[ -z "$lab" ] || kill "$lab" 2>/dev/null; rm -rf "$work"' EXIT
python3 -c 'import hashlib; [print(hashlib.sha256(b"%d" % n).hexdigest()) for n in range(100000)]' >"$work/hashes.sha256"

round() { # screened or plain, items, lab flags...
  local how=$1 items=$2 dir=$work/lab; shift 2
  rm -rf "$dir"; mkdir -p "$dir"
  "$bin" lab --dir "$dir" --mailboxes 1 --items "$items" --limits off "$@" >"$dir/lab.log" 2>&1 &
  lab=$!
  for _ in $(seq 600); do [ -e "$dir/lab.json" ] && break; kill -0 "$lab" || { cat "$dir/lab.log"; exit 1; }; sleep 0.1; done
  if [ "$how" = screened ]; then
    cp "$work/hashes.sha256" "$dir/"
    sed -i 's/^\[\[wave\]\]$/[screening]\nsha256_lists = ["hashes.sha256"]\n\n[[wave]]/' "$dir/plan.toml"
    grep -q '^\[screening\]$' "$dir/plan.toml"
  fi
  python3 - "$bin" "$dir" "$items" <<'PY'
import json, resource, subprocess, sys, time
binary, folder, items = sys.argv[1:]
began = time.monotonic()
out = subprocess.run([binary, "run", f"{folder}/plan.toml", "--json", "--quiet"], capture_output=True, text=True)
seconds, used = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
if out.returncode != 0:
    sys.exit(f"run ended with {out.returncode}: {out.stderr}")
summary = json.loads(out.stdout.splitlines()[-1])
assert summary["items"]["confirmed"] == int(items), summary["items"]
print(json.dumps([seconds, used.ru_utime + used.ru_stime, summary["bytes"]["carried"], used.ru_maxrss * 1024]))
PY
  kill "$lab"; wait "$lab" 2>/dev/null || true; lab=
}

case_of() { # name, items, lab flags...
  local name=$1; shift
  for _ in $(seq "$rounds"); do
    round plain "$@" >>"$work/plain"
    round screened "$@" >>"$work/screened"
  done
  python3 - "$name" "$1" "$work/plain" "$work/screened" <<'PY'
import json, os, sys
name, items = sys.argv[1], int(sys.argv[2])
plain, screened = ([json.loads(line) for line in open(path)] for path in sys.argv[3:])
best = lambda rows, at: min(row[at] for row in rows)
line = lambda what, rows: print(f"  {what:<10}{items / best(rows, 0):>9,.0f} items/s {rows[0][2] / best(rows, 0) / 1e6:>8,.1f} MB/s"
    f" {best(rows, 1):>7,.2f} s of processor   peak memory {max(row[3] for row in rows) / 1e6:,.0f} MB")
print(f"{name}, {len(plain)} rounds, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
line("without", plain); line("with", screened)
print(f"  screening takes {100 * (1 - best(plain, 0) / best(screened, 0)):.1f} % of throughput, {100 * (best(screened, 1) / best(plain, 1) - 1):.1f} % more processor time (target: at most 15 % of throughput)")
PY
  rm -f "$work/plain" "$work/screened"
}

case_of "10,000 items of 10 KB, in the body" 10000 --item-size "10 KB"
case_of "10,000 items of 10 KB, attached" 10000 --item-size "10 KB" --attached
case_of "200 items of 5 MB, attached" 200 --item-size "5 MB" --attached
case_of "10,000 made-up items with their attachments" 10000
