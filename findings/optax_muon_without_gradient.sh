#!/usr/bin/env bash
# optax 0.2.8 (jax 0.10.2): contrib.muon goes on at full rate where the gradient is exactly zero, and what is no matrix
# is moved by NAdam, not by AdamW.
#
# Muon makes the *momentum* orthogonal, so its size is lost: after one real gradient, twenty steps of zeros move a matrix
# by as much each as the real one did, in its direction, until the momentum underflows; Adam's updates shrink at once. In
# GRPO gradients of exact zero are common (groups whose completions all earn the same), and there a run drifts. And the
# default nesterov=True, meant for Muon, reaches the Adam leg too: its first update is 1.47 times the learning rate.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet optax==0.2.8 jax==0.10.2 jaxlib==0.10.2 numpy==2.2.6
cd "$folder"
JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'PYTHON'
import jax.numpy as jnp
import numpy as np
import optax

RATE = 1e-3
params = {"matrix": jnp.ones((8, 8)), "vector": jnp.ones(8)}
first = {"matrix": jnp.asarray(np.random.default_rng(0).normal(size=(8, 8)), jnp.float32), "vector": jnp.ones(8)}
zeros = {"matrix": jnp.zeros((8, 8)), "vector": jnp.zeros(8)}


def sizes(optimizer: optax.GradientTransformation) -> list[dict[str, float]]:
    """Root mean square of each update: of one real gradient, then of twenty that are exactly zero."""
    state, found = optimizer.init(params), []
    for gradient in (first, *[zeros] * 20):
        updates, state = optimizer.update(gradient, state, params)
        found.append({name: float(jnp.sqrt(jnp.mean(value**2))) for name, value in updates.items()})
    return found


muon, adamw = sizes(optax.contrib.muon(RATE)), sizes(optax.adamw(RATE, weight_decay=0.0))
share = [[one["matrix"] / each[0]["matrix"] for one in (each[1], each[20])] for each in (muon, adamw)]
print(f"zero gradients, 1st and 20th update over the real one: muon {share[0][0]:.2f} {share[0][1]:.2f}, "
      f"adamw {share[1][0]:.2f} {share[1][1]:.2f}; first update of a vector over the rate: "
      f"muon's Adam {muon[0]['vector'] / RATE:.2f}, adamw {adamw[0]['vector'] / RATE:.2f}")
assert min(share[0]) > 0.9 and share[1][1] < 0.3, share
assert muon[0]["vector"] / RATE > 1.4 and adamw[0]["vector"] / RATE < 1.01
PYTHON
# zero gradients, 1st and 20th update over the real one: muon 1.00 1.00, adamw 0.67 0.06; first update of a vector over
# the rate: muon's Adam 1.47, adamw 1.00
