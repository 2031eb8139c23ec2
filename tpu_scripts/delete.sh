#!/usr/bin/env bash
# Give a slice back, with its queued resource. What the run wrote to gs:// stays.
set -euo pipefail

USAGE="usage: delete.sh --project P --zone Z --name N [--dry-run]

Deletes the slice and its request. Files on the workers are lost, a workdir on gs:// is not.
  --dry-run  print every command instead of running it"
# shellcheck disable=SC2034  # options.sh reads it
NEEDS="PROJECT ZONE NAME"
# shellcheck source-path=SCRIPTDIR source=options.sh
source "$(dirname "$0")/options.sh"
# shellcheck source-path=SCRIPTDIR source=slice.sh
source "$(dirname "$0")/slice.sh"

delete
