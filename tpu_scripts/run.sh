#!/usr/bin/env bash
# Start the same command on every worker of a slice; it goes on when this shell ends.
set -euo pipefail

USAGE="usage: run.sh --project P --zone Z --name N [--dry-run] -- COMMAND…

Starts COMMAND in ~/perc_jax of all workers with the Python of setup.sh, appending to ~/perc_jax/run.log, for example
  run.sh --project P --zone Z --name N -- python -m perc_jax.train --config configs/C.py --workdir gs://BUCKET/RUN
The same command resumes the run, also on a new slice. A worker on which a command still runs is left alone.
~/perc_jax/run.pid has its process, and once it has ended run.code its exit code, if the disk has room for it.
  --dry-run  print every command instead of running it"
# shellcheck disable=SC2034  # options.sh reads it
NEEDS="PROJECT ZONE NAME"
# shellcheck source-path=SCRIPTDIR source=options.sh
source "$(dirname "$0")/options.sh"
# shellcheck source-path=SCRIPTDIR source=slice.sh
source "$(dirname "$0")/slice.sh"

((${#COMMAND[@]})) || fail "a command must be given after --"

on_workers all "cd perc_jax || exit 1
if $LIVES; then
  echo \"\$(hostname): process \$(cat run.pid) still runs\" >&2
  exit 1
fi
export PATH=\"\$PWD/.venv/bin:\$PATH\"
rm -f run.pid run.code
cat /proc/sys/kernel/random/boot_id >run.boot
nohup bash -c '\"\$@\" & echo \$! >run.pid || kill \$!; { wait \$!; } 2>/dev/null; echo \$? >run.code' \\
  run $(printf '%q ' "${COMMAND[@]}") >>run.log 2>&1 </dev/null &
for _ in \$(seq 100); do [ -s run.pid ] && break; sleep 0.1; done
[ -s run.pid ] || { echo \"\$(hostname): run.pid cannot be written\" >&2; exit 1; }
echo \"\$(hostname): process \$(cat run.pid) started\""
