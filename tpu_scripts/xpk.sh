#!/usr/bin/env bash
# Run a command on a TPU slice of a GKE cluster, through XPK (pip install xpk).
set -euo pipefail

USAGE="usage: xpk.sh --project P --zone Z --cluster C --name N --type TYPE --image IMAGE --tries 20 [--dry-run]
         -- COMMAND…

Lays this tree over IMAGE, which must have Python 3.11 or newer (python:3.12, for example), and starts COMMAND on every
host of a slice of the cluster after installing the tree there with the extras tpu and gcs. For example
  xpk.sh … -- python -m perc_jax.train --config configs/C.py --workdir gs://BUCKET/RUN
The cluster starts it again where a node is lost or the run fails, --tries starts in all; the command resumes.
  --name     of the workload
  --type     TPU type of the cluster's node pool, for example v6e-16
  --dry-run  print every command instead of running it"
# shellcheck disable=SC2034  # options.sh reads it
NEEDS="PROJECT ZONE CLUSTER NAME TYPE IMAGE TRIES"
# shellcheck source-path=SCRIPTDIR source=options.sh
source "$(dirname "$0")/options.sh"
((${#COMMAND[@]})) || fail "a command must be given after --"

root=$(cd "$(dirname "$0")/.." && pwd)
words=$(printf '%q ' "${COMMAND[@]}")
run xpk workload create --project="$PROJECT" --zone="$ZONE" --cluster="$CLUSTER" --workload="$NAME" \
  --tpu-type="$TYPE" --base-docker-image="$IMAGE" --script-dir="$root" --max-restarts="$((TRIES - 1))" \
  --command="pip install --quiet -e '.[tpu,gcs]' && exec ${words% }"
