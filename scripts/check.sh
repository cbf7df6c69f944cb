#!/usr/bin/env bash
# Everything a change must pass; what CI runs. Needs nothing but a Rust toolchain, and says aloud what it skips without more. The last line says how it ended.
#   scripts/check.sh
set -euo pipefail
cd "$(dirname "$0")/.."
trap 'code=$?; [ "$code" -eq 0 ] || echo "check: FAILED in: ${step:-start}"' EXIT

begin() { step=$1; echo "== $step"; }

# A machine that builds once gains nothing from increments, and their files take more disk than the build itself.
[ -z "${CI:-}" ] || export CARGO_INCREMENTAL=0

begin "formatting"
cargo fmt --check

begin "lints"
cargo clippy --quiet --all-targets -- -D warnings

begin "tests"
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run
  cargo test --doc --quiet
else
  # The runner's own closing lines, and every failure in full.
  cargo test --no-fail-fast 2>&1 | grep -vE '^(test .* \.\.\. ok|running [0-9]+ tests?|)$'
fi

begin "conformance"
scripts/conformance.sh

begin "report in a browser"
scripts/report_browser.sh

begin "screening with clamd"
scripts/clamd.sh

begin "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps --document-private-items

begin "dependencies"
if cargo deny --version >/dev/null 2>&1; then
  cargo deny --config .deny.toml check
else
  echo "skipped: cargo deny is not installed, licences and advisories were not checked"
fi

echo "check: passed"
