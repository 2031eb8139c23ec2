#!/usr/bin/env bash
# etils 1.15.0: absolute() and resolve() of a gs:// path give a folder of this machine.
#
# epath.Path("gs://bucket/run") is the type that Orbax, TFDS and Flax's examples take for paths on Google Cloud Storage,
# and code that serves local and remote workdirs alike calls .absolute() or .resolve() on it, as Orbax asks for absolute
# paths. Both put the current folder in front: /here/gs:/bucket/run. Nothing fails: checkpoints are written there, on the
# disk of a machine that goes away. str(), expanduser() and `/` keep the address. Seen: see the last line.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'etils[epath]==1.15.0'
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import os

from etils import epath

path = epath.Path("gs://bucket/run")
found = [str(each).replace(os.getcwd(), "HERE") for each in (path, path.expanduser(), path / "a")]
changed = [str(each).replace(os.getcwd(), "HERE") for each in (path.absolute(), path.resolve())]
print("kept:", found, "made local:", changed)
assert found == ["gs://bucket/run", "gs://bucket/run", "gs://bucket/run/a"], found
assert changed == ["HERE/gs:/bucket/run"] * 2, changed
PYTHON
# kept: ['gs://bucket/run', 'gs://bucket/run', 'gs://bucket/run/a'] made local: ['HERE/gs:/bucket/run', 'HERE/gs:/bucket/run']
