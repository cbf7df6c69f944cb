#!/usr/bin/env bash
# Measures `mailferry run` with 100 mailboxes at once, TLS on, limits off: items/s, MB/s, processor time and memory of the run.
#   scripts/bench_engine.sh          100 x 200 items of 10 KB, then 100 x 3 items of 5 MB
#   scripts/bench_engine.sh quick    100 x 20 items of 10 KB, then 100 x 1 item of 5 MB
# With PROFILE=DIR in the environment, each run is recorded there by perf, as CASE.perf (perf report -i DIR/CASE.perf --no-children).
# With BIN=FILE in the environment, that mailferry is measured and nothing is built.
# Lab and run share the machine: the figures are of both together. Needs python3; builds in release mode.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v python3 >/dev/null || { echo "skipped: bench_engine.sh needs python3"; exit 0; }
small=200 large=3; [ "${1:-}" = quick ] && { small=20; large=1; }
bin=${BIN:-}
if [ -z "$bin" ]; then
  cargo build --release --quiet
  bin=${CARGO_TARGET_DIR:-target}/release/mailferry
fi
work=$(mktemp -d); lab=
trap '[ -z "$lab" ] || kill "$lab" 2>/dev/null; rm -rf "$work"' EXIT

case_of() { # items per mailbox, bytes
  local dir=$work/$1x$2
  mkdir -p "$dir"
  "$bin" lab --dir "$dir" --tls --mailboxes 100 --items "$1" --item-size "$2 B" --limits off >"$dir/lab.log" 2>&1 &
  lab=$!
  for _ in $(seq 600); do [ -e "$dir/lab.json" ] && break; kill -0 "$lab" || { cat "$dir/lab.log"; exit 1; }; sleep 0.1; done
  # The lab's plan works on 20 mailboxes at once; this measures all of them.
  sed -i '/^source_mailboxes_at_once = /d; s/^\[limits\]$/[limits]\nsource_mailboxes_at_once = 100/' "$dir/plan.toml"
  grep -q '^source_mailboxes_at_once = 100$' "$dir/plan.toml"
  python3 - "$bin" "$dir" "$1" "$2" "$lab" "${PROFILE:-}" <<'PY'
import json, os, resource, subprocess, sys, time
binary, folder, items, size, lab, profile = sys.argv[1:]
items, size = 100 * int(items), int(size)
run = [binary, "run", f"{folder}/plan.toml", "--json", "--quiet"]
if profile:
    os.makedirs(profile, exist_ok=True)
    run = ["perf", "record", "--quiet", "--call-graph", "fp", "-F", "499", "-o", f"{profile}/{items}x{size}.perf", "--"] + run
def processor_of(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
lab_before, began = processor_of(lab), time.monotonic()
out = subprocess.run(run, capture_output=True, text=True, env={**os.environ, "SSL_CERT_FILE": f"{folder}/ca.pem"})
seconds, used = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
if out.returncode != 0:
    sys.exit(f"run ended with {out.returncode}: {out.stderr}")
summary = json.loads(out.stdout.splitlines()[-1])
assert summary["items"]["confirmed"] == items, summary["items"]
carried = summary["bytes"]["carried"]
print(f"100 mailboxes at once, {items:,} items of {size:,} bytes, TLS, limits off, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
print(f"  {items / seconds:>10,.0f} items/s {carried / seconds / 1e6:>9,.1f} MB/s {seconds:>8,.1f} s"
      f"   peak memory {used.ru_maxrss * 1024 / 1e6:,.0f} MB")
print(f"  processor: run {used.ru_utime + used.ru_stime:,.1f} s ({used.ru_utime:,.1f} user, {used.ru_stime:,.1f} system),"
      f" lab {processor_of(lab) - lab_before:,.1f} s; per item {(used.ru_utime + used.ru_stime) / items * 1e6:,.0f} us of the run")
PY
  kill "$lab"; wait "$lab" 2>/dev/null || true; lab=
  rm -rf "$dir"
}

case_of "$small" 10000
case_of "$large" 5000000
