"""Every way of attention on this device beside the dense one in float32 on the CPU, forward and backward.

Three times: in float32 with products of full precision, which shows whether the rule is the same; in float32 as the
device multiplies by itself, and in bfloat16, which show what its rounding costs. bfloat16's reference has the same
rounded inputs. A difference is the largest one, over the largest number of the reference.
"""

import functools
import typing
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from perc_jax.bench.device.parts import Given
from perc_jax.model import attention, dense
from perc_jax.processes import ends

EXACT, BY_ITSELF = "float32 exact", "float32"
LIMITS = {EXACT: (1e-5, 1e-4), BY_ITSELF: (3e-2, 3e-2), "bfloat16": (3e-2, 6e-2)}  # forward, backward
FOR_TPU = "splash"
COMPLETIONS = 3


class Lengths(NamedTuple):
    """Of what is attended to: prompt, completion; heads of keys, query heads to each, their width; patches."""

    prompt: int
    completion: int
    heads: int
    repeats: int
    width: int
    patches: int


LENGTHS = {"tiny": Lengths(24, 12, 2, 2, 16, 48)}
LARGE = Lengths(512, 256, 2, 8, 128, 1024)


class Rule(NamedTuple):
    """One rule of attention with its inputs."""

    name: str
    ways: dict[str, Callable[..., jax.Array]]
    reference: Callable[..., jax.Array]
    inputs: tuple[np.ndarray, ...]
    shown: np.ndarray  # of the result, what real tokens see


def run(given: Given) -> dict[str, Any]:
    """Differences by rule, way and precision, and whether all are within their limits."""
    lengths, cpu = LENGTHS.get(given.size.name, LARGE), jax.devices("cpu")[0]
    # A CPU multiplies float32 numbers as they are.
    precisions = [one for one in LIMITS if one != BY_ITSELF or jax.default_backend() != "cpu"]
    found = []
    for rule in _rules(lengths, given.seed):
        wanted = {}
        for precision in precisions:
            dtype = "bfloat16" if precision == "bfloat16" else "float32"
            inputs = tuple(np.asarray(jnp.asarray(x, dtype).astype("float32")) for x in rule.inputs)
            if dtype not in wanted:
                wanted[dtype] = _both(rule.reference, inputs, rule.shown, "float32", "highest", cpu)
            for way, function in rule.ways.items():
                matmul = "highest" if precision == EXACT else None
                one = {"rule": rule.name, "way": way, "precision": precision}
                got = _difference(function, inputs, rule.shown, dtype, matmul, wanted[dtype], LIMITS[precision])
                found.append(one | got)
    return {"lengths": lengths._asdict(), "ways": found, "ok": all(one["ok"] for one in found)}


def _difference(
    function: Callable[..., jax.Array],
    inputs: tuple[np.ndarray, ...],
    shown: np.ndarray,
    dtype: str,
    matmul: str | None,
    wanted: tuple[np.ndarray, ...],
    limits: tuple[float, float],
) -> dict[str, Any]:
    """How far one way is from the reference; where it does not run, why."""
    try:
        got = _both(function, inputs, shown, dtype, matmul, jax.devices()[0])
    except ends.KINDS as error:
        return {"error": ends.reason(error).splitlines()[0][:200], "ok": False}
    forward, *backward = (
        float(np.max(np.abs(one - other)) / np.max(np.abs(other))) for one, other in zip(got, wanted, strict=True)
    )
    worst = max(backward)
    return {"forward": forward, "backward": worst, "ok": forward <= limits[0] and worst <= limits[1]}


def _both(
    function: Callable[..., jax.Array],
    inputs: tuple[np.ndarray, ...],
    shown: np.ndarray,
    dtype: str,
    matmul: str | None,
    device: jax.Device,
) -> tuple[np.ndarray, ...]:
    """The result where it is shown, and the gradients of its sum with fixed weights; float32."""
    weights = np.where(shown, np.random.default_rng(7).normal(size=shown.shape), 0).astype(np.float32)

    def whole(inputs: tuple[jax.Array, ...], weights: jax.Array) -> tuple[jax.Array, ...]:
        out, pull_back = jax.vjp(function, *inputs)
        return out, *pull_back(weights.astype(out.dtype))

    with jax.default_device(device), jax.default_matmul_precision(matmul):
        given = jax.device_put(tuple(x.astype(jnp.dtype(dtype)) for x in inputs), device)
        out, *gradients = jax.jit(whole)(given, jax.device_put(weights, device))
    result = np.where(shown, np.asarray(out, np.float32), 0)
    return result, *(np.asarray(gradient, np.float32) for gradient in gradients)


def _rules(lengths: Lengths, seed: int) -> Iterator[Rule]:
    """The rules: group rows, pictures, and decoding's one step."""
    rng = np.random.default_rng(seed)
    prompt, completion, heads, repeats, width, patches = lengths
    ways = [way for way in typing.get_args(attention.Way) if way != FOR_TPU or jax.default_backend() == "tpu"]

    def drawn(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    row = prompt + COMPLETIONS * completion
    mask = np.arange(prompt) >= np.array([[0], [prompt // 3]])
    columns = np.tile(np.arange(completion, dtype=np.int32), (2, COMPLETIONS))
    rows = dense.Rows(mask, columns, completion)
    real = np.concatenate([mask, np.ones((2, row - prompt), bool)], axis=1)[..., None, None, None]
    inputs = drawn(2, row, heads, repeats, width), drawn(2, row, heads, width), drawn(2, row, heads, width)
    by_way = {way: functools.partial(attention.group_row, way, rows=rows) for way in ways}
    shown = np.broadcast_to(real, inputs[0].shape)
    yield Rule("group row", by_way, functools.partial(dense.group_row, rows=rows), inputs, shown)

    segment = np.where(np.arange(patches) < patches // 2, 0, 1)
    segment = np.stack([segment, np.where(np.arange(patches) < patches - 8, 0, -1)]).astype(np.int32)
    inputs = tuple(drawn(2, patches, heads * repeats, width) for _ in range(3))
    by_way = {way: functools.partial(attention.same_segment, way, segment=segment) for way in ways}
    shown = np.broadcast_to((segment >= 0)[..., None, None], inputs[0].shape)
    yield Rule("pictures", by_way, functools.partial(dense.same_segment, segment=segment), inputs, shown)

    ring = drawn(2, heads, COMPLETIONS, completion, width), drawn(2, heads, COMPLETIONS, completion, width)
    seen = np.arange(completion) < np.array([[1, completion // 2, completion]] * 2)[..., None]

    def step(q: jax.Array, k: jax.Array, v: jax.Array, *caches: jax.Array) -> jax.Array:
        return dense.decode_step(q, k, v, caches[:2], jnp.asarray(mask), caches[2:], jnp.asarray(seen))

    caches = drawn(2, heads, prompt, width), drawn(2, heads, prompt, width), *ring
    inputs = drawn(2, COMPLETIONS, heads, repeats, width), *(drawn(2, COMPLETIONS, heads, width) for _ in range(2))
    yield Rule("decode step", {"dense": step}, step, (*inputs, *caches), np.ones(inputs[0].shape, bool))
