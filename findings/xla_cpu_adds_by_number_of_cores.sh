#!/usr/bin/env bash
# jax 0.10.2 on CPU: the same compiled sum has other bits on one core than on two.
#
# XLA cuts a reduction over rows into as many parts as the process has cores when it compiles, and adds the parts up
# afterwards. So equal inputs, program, seeds and one machine are not enough for equal bits: `taskset`, a container's
# CPU set or another instance type decides with. A test of "resumed = uninterrupted, bit for bit" passes on one machine
# and fails on another. The dot products tried here do not change, nor does a sum of all values; the column sum does.
# With as many cores as before all is equal again.
set -euo pipefail

[[ $(nproc) -ge 2 ]] || { echo "needs two cores, got $(nproc)"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet jax==0.10.2 jaxlib==0.10.2 numpy==2.2.6
cd "$folder"
cat > sums.py <<'PYTHON'
import hashlib

import jax
import jax.numpy as jnp
import numpy as np

rows = np.random.default_rng(0).normal(size=(1000, 1000)).astype(np.float32)
programs = {"columns": lambda x: x.sum(0), "all": jnp.sum, "product": lambda x: x @ x}
found = {name: np.asarray(jax.jit(program)(rows)) for name, program in programs.items()}
print(*(f"{name} {hashlib.sha256(value.tobytes()).hexdigest()[:8]}" for name, value in found.items()))
PYTHON
export JAX_PLATFORMS=cpu
read -r first second < <(python3 -c 'import os; print(*sorted(os.sched_getaffinity(0))[:2])')
one=$(taskset -c "$first" venv/bin/python sums.py)
two=$(taskset -c "$first,$second" venv/bin/python sums.py)
again=$(taskset -c "$first,$second" venv/bin/python sums.py)
echo "one core: $one; two: $two; two again: $again"
[[ $two == "$again" && ${one#* * } == "${two#* * }" && $one != "$two" ]]
# one core: columns 682eb42c all b19ae152 product 2ccb3b53; two: columns e164cc24 all b19ae152 product 2ccb3b53; two again:
# columns e164cc24 all b19ae152 product 2ccb3b53 (an AMD EPYC)
