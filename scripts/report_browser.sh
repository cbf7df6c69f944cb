#!/usr/bin/env bash
# Opens the reports of a rehearsal in headless Chromium: nothing is loaded, nothing complains, it fits a phone and A4, and every text can be read.
#   scripts/report_browser.sh [MAILFERRY]     keeps pictures in target/report-browser
# Needs Chromium and Python 3. Where Chromium is missing it is installed (Debian, as root); where it cannot be, the script says so and ends
# with 0, or with 1 when MAILFERRY_BROWSER=required is set.
set -euo pipefail
cd "$(dirname "$0")/.."

# Not named after the program: `command -v` would find the function.
find_browser() { command -v chromium || command -v chromium-browser || command -v google-chrome || true; }

if [ -z "$(find_browser)" ] && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  echo "installing chromium"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; } >/dev/null 2>&1 || true
fi
browser=$(find_browser)
if [ -z "$browser" ] || ! command -v python3 >/dev/null; then
  echo "SKIPPED: no Chromium or no Python 3 here; the report was not opened in a browser"
  if [ "${MAILFERRY_BROWSER:-}" = required ]; then exit 1; fi
  exit 0
fi

mailferry=${1:-}
if [ -z "$mailferry" ]; then
  cargo build --quiet
  mailferry=${CARGO_TARGET_DIR:-target}/debug/mailferry
fi
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT

# A few items that cannot be carried, so that the page has exceptions; the rehearsal ends with 5 then.
"$mailferry" rehearse --dir "$room/lab" --mailboxes 5 --items 60 --corrupt 1 --refused 2 --level content >/dev/null 2>"$room/talk" || {
  code=$?
  [ "$code" -eq 5 ] || { cat "$room/talk"; exit "$code"; }
}
"$mailferry" report "$room/lab/plan.toml" --external >/dev/null
pictures=target/report-browser
mkdir -p "$pictures"
reports="$room/lab/state/reports"
python3 scripts/report_browser.py "$browser" "$pictures" "$reports/report.html" "$reports/report-external.html"
