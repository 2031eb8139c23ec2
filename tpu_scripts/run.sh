#!/usr/bin/env bash
# Start the same command on every worker of a slice; it goes on when this shell ends.
set -euo pipefail

USAGE="usage: run.sh --project P --zone Z --name N [--dry-run] -- COMMAND…

Starts COMMAND in ~/perc_jax of all workers with the Python of setup.sh, appending to ~/perc_jax/run.log, for example
  run.sh --project P --zone Z --name N -- python -m perc_jax.train --config configs/C.py --workdir gs://BUCKET/RUN
The same command resumes the run, also on a new slice. A worker on which a command still runs is left alone.
~/perc_jax/run.pid has its process, and once it has ended run.code its exit code.
  --dry-run  print every command instead of running it"
# shellcheck disable=SC2034  # options.sh reads it
NEEDS="PROJECT ZONE NAME"
# shellcheck source-path=SCRIPTDIR source=options.sh
source "$(dirname "$0")/options.sh"

((${#COMMAND[@]})) || fail "a command must be given after --"

on_workers all "cd perc_jax || exit 1
if [ -f run.pid ] && kill -0 \"\$(cat run.pid)\" 2>/dev/null; then
  echo \"\$(hostname): process \$(cat run.pid) still runs\" >&2
  exit 1
fi
export PATH=\"\$PWD/.venv/bin:\$PATH\"
rm -f run.pid run.code
nohup bash -c '\"\$@\" & echo \$! >run.pid; { wait \$!; } 2>/dev/null; echo \$? >run.code' \\
  run $(printf '%q ' "${COMMAND[@]}") >>run.log 2>&1 </dev/null &
until [ -s run.pid ]; do sleep 0.1; done
echo \"\$(hostname): process \$(cat run.pid) started\""
