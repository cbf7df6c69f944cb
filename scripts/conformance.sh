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
echo "recorded $(find "$work/record" -type f | wc -l) messages"
"$venv/bin/python" "$shared/tools/check_record.py" "$work/record"
