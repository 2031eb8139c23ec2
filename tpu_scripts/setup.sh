#!/usr/bin/env bash
# Make every worker of a slice ready: wait for the slice, copy this tree, install it.
set -euo pipefail

USAGE="usage: setup.sh --project P --zone Z --name N [--dry-run]

Waits until the slice is there, copies perc_jax/, engines/ and configs/ to ~/perc_jax of all workers and installs them
with the extras tpu and gcs into ~/perc_jax/.venv. Run it again after any change of the code.
  --dry-run  print every command instead of running it"
# shellcheck disable=SC2034  # options.sh reads it
NEEDS="PROJECT ZONE NAME"
# shellcheck source-path=SCRIPTDIR source=options.sh
source "$(dirname "$0")/options.sh"
# shellcheck source-path=SCRIPTDIR source=slice.sh
source "$(dirname "$0")/slice.sh"

POLL_S=${POLL_S:-30}
root=$(cd "$(dirname "$0")/.." && pwd)
archive=${TMPDIR:-/tmp}/perc_jax_$NAME.tar.gz

unheard=0
while true; do
  found=$(state)
  echo "${found:-no answer}"
  case $found in
    ACTIVE) break ;;
    NONE | FAILED | SUSPEND*) fail "the slice is $found; see delete.sh, then create.sh" ;;
    '') ((++unheard < 10)) || fail "gcloud does not tell the slice's state" ;; # the network, perhaps
    *) unheard=0 ;;
  esac
  if [[ $DRY_RUN == yes ]]; then break; fi
  sleep "$POLL_S"
done

run tar --exclude=__pycache__ -czf "$archive" -C "$root" pyproject.toml README.md LICENSE perc_jax engines configs
run gcloud compute tpus tpu-vm scp "$archive" "$NAME:perc_jax.tar.gz" \
  --project="$PROJECT" --zone="$ZONE" --worker=all
# The old code goes first, so that a file deleted here is deleted there. uv brings a Python of its own: that of the TPU
# images can be older than the package needs.
# shellcheck disable=SC2016  # expanded on the workers
on_workers all 'set -e
mkdir -p perc_jax && cd perc_jax
rm -rf perc_jax engines configs
tar -xzf ../perc_jax.tar.gz
command -v ~/.local/bin/uv >/dev/null || curl -LsSf https://astral.sh/uv/install.sh | sh
[ -x .venv/bin/python ] || ~/.local/bin/uv venv --python 3.12 .venv
~/.local/bin/uv pip install --python .venv/bin/python -e ".[tpu,gcs]"
.venv/bin/python -m perc_jax.train --help >/dev/null && echo "$(hostname): ready"'
run rm -f "$archive"
