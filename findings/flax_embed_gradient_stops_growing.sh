#!/usr/bin/env bash
# flax 0.12.8 with jax 0.10.2: the gradient of an embedding that computes in bfloat16 stops growing, though it is float32.
#
# `nnx.Embed(…, dtype=bfloat16, param_dtype=float32)`, linen's Embed and any `table.astype(bfloat16)[tokens]` look up
# in the cast table. The transpose is a scatter-add in bfloat16, and the sum becomes float32 only afterwards. A product
# adds up in float32 inside, so one expects the same here; but once the sum is 512 times an addend, the next one is
# rounded away. Tokens that stand in every prompt (template, instruction, punctuation) get gradients that are too small,
# the more so the larger the micro-batch: 8,192 equal addends of 0.01 make 4 and not 82.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet jax==0.10.2 jaxlib==0.10.2 flax==0.12.8 numpy==2.2.6
cd "$folder"
cat > embed.py <<'PYTHON'
import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import nnx

tokens, addend = jnp.zeros(8192, jnp.int32), jnp.bfloat16(0.01)
table = nnx.Embed(4, 1, dtype=jnp.bfloat16, param_dtype=jnp.float32, rngs=nnx.Rngs(0))
of_nnx = nnx.grad(lambda table: jnp.sum(table(tokens) * addend, dtype=jnp.float32))(table)["embedding"][...]
linen = nn.Embed(4, 1, dtype=jnp.bfloat16)
params = linen.init(jax.random.key(0), tokens)
loss = jax.jit(jax.grad(lambda params: jnp.sum(linen.apply(params, tokens) * addend, dtype=jnp.float32)))
of_linen = loss(params)["params"]["embedding"]
hot = jax.nn.one_hot(tokens, 4, dtype=jnp.bfloat16)
of_product = jax.grad(lambda kernel: jnp.sum(hot @ kernel.astype(jnp.bfloat16) * addend, dtype=jnp.float32))(params["params"]["embedding"])
print(of_nnx.dtype, *(f"{float(one[0, 0]):g}" for one in (of_nnx, of_linen, of_product)))
PYTHON
seen=$(JAX_PLATFORMS=cpu venv/bin/python embed.py)
echo "nnx, linen, as a product: $seen"
[[ $seen == "float32 4 4 82" ]]
# nnx, linen, as a product: float32 4 4 82
