#!/usr/bin/env bash
# Heavy sweeps that the default tests leave out: fresh seeds of the simulation and of the tamperings for as long as you like.
#   scripts/soak.sh [MINUTES]     default 10; a failing seed prints the one command that replays it
#   scripts/soak.sh acts          a setback and a crash at every pair of places between the acts of a create; about 10 minutes
#   scripts/soak.sh drill         kills the real binary fifty times over loopback, under weather
set -euo pipefail
cd "$(dirname "$0")/.."
[ "${1:-}" = drill ] && exec cargo test --release --test all rehearsal::fifty_kills -- --ignored --nocapture
[ "${1:-}" = acts ] && exec cargo test --release --test all crash_sweep::every_setback -- --ignored --nocapture
minutes=${1:-10}
end=$(( $(date +%s) + minutes * 60 ))
total=0
cargo test --release --quiet --test all --no-run
while [ "$(date +%s)" -lt "$end" ]; do
  # Fresh seeds of 31 random bits; 200 in one go.
  seed=$(( (RANDOM << 16) ^ (RANDOM << 1) ^ RANDOM ))
  MAILFERRY_SEED=$seed MAILFERRY_SEEDS=200 cargo test --release --quiet --test all simulation::fresh_seeds -- --ignored
  MAILFERRY_SEED=$seed MAILFERRY_SEEDS=50 cargo test --release --quiet --test all tampering::fresh_seeds -- --ignored
  total=$((total + 200))
  echo "$total fresh seeds, no loss, no duplicate; $((total / 4)) tamperings found, no false alarm"
done
