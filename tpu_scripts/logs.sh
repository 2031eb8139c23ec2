#!/usr/bin/env bash
# Follow the log of one worker of a slice.
set -euo pipefail

USAGE="usage: logs.sh --project P --zone Z --name N [--worker 0] [--dry-run]

Shows the last lines of ~/perc_jax/run.log of a worker and follows it until Ctrl-C; the run goes on.
  --worker   number of the worker, or all
  --dry-run  print every command instead of running it"
# shellcheck disable=SC2034  # options.sh reads it
NEEDS="PROJECT ZONE NAME"
# shellcheck source-path=SCRIPTDIR source=options.sh
source "$(dirname "$0")/options.sh"
# shellcheck source-path=SCRIPTDIR source=slice.sh
source "$(dirname "$0")/slice.sh"

on_workers "$WORKER" 'tail -n 100 -F perc_jax/run.log'
