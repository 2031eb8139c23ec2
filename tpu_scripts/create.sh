#!/usr/bin/env bash
# Ask for a TPU slice: a queued resource, served when there is capacity.
set -euo pipefail

USAGE="usage: create.sh --project P --zone Z --name N --type TYPE --runtime VERSION [--spot] [--dry-run]

Queues a request for a slice and returns; setup.sh waits until it is there.
  --type     accelerator type, for example v5litepod-64 or v6e-16
  --runtime  TPU software version, for example v2-alpha-tpuv5-lite or v2-alpha-tpuv6e
  --spot     cheaper, and may be taken away, its name not: resume with delete.sh, create.sh, setup.sh, run.sh on the
             same workdir
  --dry-run  print every command instead of running it"
# shellcheck disable=SC2034  # options.sh reads it
NEEDS="PROJECT ZONE NAME TYPE RUNTIME"
# shellcheck source-path=SCRIPTDIR source=options.sh
source "$(dirname "$0")/options.sh"

request=(
  gcloud compute tpus queued-resources create "$NAME" --node-id="$NAME" --project="$PROJECT" --zone="$ZONE"
  --accelerator-type="$TYPE" --runtime-version="$RUNTIME"
)
if [[ $SPOT == yes ]]; then
  request+=(--spot)
fi
run "${request[@]}"
