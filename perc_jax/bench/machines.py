"""What this machine can do at best: operations and bytes per second, and what its devices say of their memory.

Accelerators have published peaks for bfloat16 products; a CPU's is measured here by one. Bandwidth is always measured,
by a copy, because nobody reaches the published one.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from perc_jax.plan.topologies import CHIPS

# device_kind as JAX says it, or a part of it -> the chip whose published figures `plan` has
GPU_CHIPS = {"H100": "h100", "H200": "h200", "A100": "a100", "L40S": "l40s"}
TPU_CHIPS = {
    "TPU v4": "v4",
    "TPU v5 lite": "v5e",
    "TPU v5e": "v5e",
    "TPU v5": "v5p",
    "TPU v5p": "v5p",
    "TPU v6 lite": "v6e",
    "TPU v6e": "v6e",
    "TPU7x": "tpu7x",
}
MATMUL_SIDE = 2048
COPY_BYTES = {"cpu": 2**28, "gpu": 2**31, "tpu": 2**30}  # far above every cache
TRIES = 7


class Machine(NamedTuple):
    """One device of this machine."""

    kind: str
    count: int
    flops: float  # peak operations per second of one device
    flops_source: str  # "published" or "measured"
    bandwidth: float  # bytes per second of one device, read and written, measured


def look() -> Machine:
    """Look published figures up and measure the others; a second or two."""
    device = jax.devices()[0]
    published = published_flops(device.device_kind)
    sharers = jax.device_count() if device.platform == "cpu" else 1  # of what was measured: the same cores and memory
    flops = published or _matmul_flops() / sharers
    source = "published" if published else "measured"
    bandwidth = _copy_bandwidth(device.platform) / sharers
    return Machine(device.device_kind, jax.device_count(), flops, source, bandwidth)


def published_flops(kind: str) -> float:
    """Peak bfloat16 operations per second of a device kind, 0 if it is not known."""
    if kind in TPU_CHIPS:
        return CHIPS[TPU_CHIPS[kind]].flops
    return next((CHIPS[chip].flops for name, chip in GPU_CHIPS.items() if name in kind), 0.0)


def device_peak_bytes() -> int:
    """The most memory that was ever in use on a device of this process; 0 where devices do not say."""
    stats = [device.memory_stats() for device in jax.local_devices()]
    return max((found.get("peak_bytes_in_use", 0) for found in stats if found), default=0)


def _matmul_flops() -> float:
    matrix = jnp.ones((MATMUL_SIDE, MATMUL_SIDE), jnp.float32)
    return 2 * MATMUL_SIDE**3 / fastest(jax.jit(lambda x: x @ x), matrix)


def _copy_bandwidth(platform: str) -> float:
    size = COPY_BYTES.get(platform, COPY_BYTES["cpu"])
    return 2 * size / fastest(jax.jit(lambda x: x + 1), jnp.zeros(size // 4, jnp.float32))


def fastest(run: Callable[..., Any], value: jax.Array) -> float:
    """Seconds of the fastest of several runs of a compiled function on a value, warmed up once."""
    jax.block_until_ready(run(value))
    seconds = []
    for _ in range(TRIES):
        start = time.perf_counter()
        jax.block_until_ready(run(value))
        seconds.append(time.perf_counter() - start)
    return min(seconds)
