#!/usr/bin/env bash
# Measures `mailferry plan` (reading the inventory included) on invented hospitals of 1,000 to 50,000 mailboxes with ten rights each.
#   scripts/bench_plan.sh           1,000, 5,000, 10,000, 25,000 and 50,000 mailboxes
#   scripts/bench_plan.sh quick     1,000 and 5,000
# Fails when 50,000 mailboxes with 500,000 rights take 5 s or more, or 1 GB or more. Needs python3 (for the input and for peak memory).
set -euo pipefail
cd "$(dirname "$0")/.."
command -v python3 >/dev/null || { echo "skipped: bench_plan.sh needs python3"; exit 0; }
sizes="1000 5000 10000 25000 50000"; [ "${1:-}" = quick ] && sizes="1000 5000"
cargo build --release --quiet
bin=${CARGO_TARGET_DIR:-target}/release/mailferry
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
for size in $sizes; do
  python3 scripts/make_inventory.py "$work/$size" --mailboxes "$size" --grants $((size * 10)) >/dev/null
  python3 - "$bin" "$work/$size" "$size" <<'PY'
import glob, json, os, resource, subprocess, sys, time
binary, folder, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
files = sorted(glob.glob(f"{folder}/*.csv"))
bytes_read = sum(os.path.getsize(name) for name in files)
def timed(command):
    began = time.monotonic()
    out = subprocess.run([binary, command, *files, "--json", "--quiet", *extra(command)], capture_output=True, text=True)
    if out.returncode != 0:
        sys.exit(f"{command} ended with {out.returncode}: {out.stderr[:2000]}")
    return time.monotonic() - began, json.loads(out.stdout)
def extra(command):
    if command != "plan":
        return []
    return ["--wave-size", "200", "--at-once", "20", "--start", "2026-12-01", "--time-zone", "Europe/Guernsey", "--window", "daily 20:00-06:00"]
inventory, read = timed("inventory")
plan, made = timed("plan")
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
placed = sum(len(wave["mailboxes"]) for wave in made["waves"])
if placed + len(made["excluded"]) != size:
    sys.exit(f"{placed} mailboxes are in waves and {len(made['excluded'])} stay, of {size}")
print(f"{size:>7,} mailboxes {read['grants']:>8,} rights {bytes_read / 1e6:>6.1f} MB: inventory {inventory:>5.2f} s, inventory and plan "
      f"{plan:>5.2f} s, peak {peak / 1e6:>4.0f} MB, {len(made['waves']):>4,} waves, {len(made['cuts']):>8,} rights cut")
if size == 50_000 and (plan >= 5 or peak >= 1e9):
    sys.exit("over the target: 5 s and 1 GB")
PY
  rm -rf "${work:?}/$size"
done
