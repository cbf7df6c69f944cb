#!/usr/bin/env bash
# Records a rehearsal and checks every message of it against the published schemas: EWS requests and replies against the XSD, Graph
# requests against the published metadata. The schemas live in ../shared, which users do not have: without it this is skipped aloud.
set -euo pipefail
cd "$(dirname "$0")/.."
shared=${MAILFERRY_SHARED:-$PWD/../shared}
if [ ! -e "$shared/tools/check_record.py" ]; then
  echo "skipped: conformance needs the published schemas in $shared, which are not here"
  exit 0
fi
if ! command -v python3 >/dev/null; then
  echo "conformance: python3 is missing, but the schemas are here; install it"
  [ -z "${CI:-}" ] || exit 1
  exit 0
fi
venv=${CARGO_TARGET_DIR:-target}/conformance-venv
if ! "$venv/bin/python" -c 'import lxml, openapi_core, yaml' 2>/dev/null; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check lxml openapi-core pyyaml
fi
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
cargo build --quiet
bin=${CARGO_TARGET_DIR:-target}/debug/mailferry
"$bin" rehearse --quiet --dir "$work/lab" --record "$work/record" --mailboxes 4 --items 40 >/dev/null
# The same for a cloud without mailbox import: all of it by the Mail, Calendar and Contacts APIs.
"$bin" lab --dir "$work/cloud" --mailboxes 2 --items 60 --misconfigured no_import_api --record "$work/cloud-record" >"$work/cloud.log" 2>&1 &
lab=$!
trap 'kill "$lab" 2>/dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 100); do [ -e "$work/cloud/plan.toml" ] && break; sleep 0.1; done
sed 's/^\[target\]$/[target]\nroute = "typed"\nimport_api = false/' "$work/cloud/plan.toml" >"$work/cloud/typed.toml"
# 4, 5: something is open, namely what cannot be carried by its class.
for verb in preflight run "verify --level content"; do
  # shellcheck disable=SC2086
  code=0; "$bin" $verb --quiet "$work/cloud/typed.toml" >>"$work/cloud.out" 2>&1 || code=$?
  case $code in 0|4|5|6) ;; *) echo "conformance: $verb ended with $code"; cat "$work/cloud.out"; exit 1 ;; esac
done
kill "$lab"
ended=0
for record in "$work/record" "$work/cloud-record"; do
  echo "recorded $(find "$record" -type f | wc -l) messages"
  { "$venv/bin/python" "$shared/tools/check_record.py" "$record" || true; } | "$venv/bin/python" scripts/conformance.py "$record" || ended=1
done
exit "$ended"
