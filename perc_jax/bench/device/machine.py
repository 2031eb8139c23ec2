"""The first two parts: which device this is, and what it can do at best.

Products of square matrices and a copy are measured; MFU is by the published peak where there is one, and the page says
beside it what the measured one is.
"""

import os
import platform
from typing import Any

import jax
import jax.numpy as jnp

from perc_jax.bench import machines
from perc_jax.bench.device import sizes
from perc_jax.bench.device.parts import Given
from perc_jax.bench.machines import Machine

SIDES = {"cpu": 1024, "gpu": 8192, "tpu": 8192}  # of the matrices: large beside what starting a product costs
DTYPES = ("bfloat16", "float32")


def run(given: Given, what: str) -> dict[str, Any]:
    """The device, or its peak."""
    return device() if what == "device" else peak()


def device() -> dict[str, Any]:
    """What it calls itself, its memory, and the size that fits it."""
    first, kind = jax.devices()[0], jax.default_backend()
    stats = first.memory_stats() or {}
    limit = int(stats.get("bytes_limit", 0))
    return {
        "kind": first.device_kind,
        "platform": kind,
        "count": jax.device_count(),
        "memory_bytes": limit,
        "size": sizes.fitting(kind, limit, jax.device_count()),
        "jax": jax.__version__,
        "python": platform.python_version(),
        "processor": platform.processor() or platform.machine(),
        "load": round(os.getloadavg()[0], 1),  # by others: nothing was measured yet
    }


def peak() -> dict[str, Any]:
    """Operations per second of products in each dtype, bytes per second of a copy; measured on one device."""
    backend = jax.default_backend()
    side = SIDES.get(backend, SIDES["cpu"])
    flops = {dtype: _product(side, dtype) for dtype in DTYPES}
    found = machines.look()
    if not machines.published_flops(found.kind):
        sharers = found.count if backend == "cpu" else 1
        found = found._replace(flops=max(flops.values()) / sharers, flops_source="measured")
    return {"machine": found._asdict(), "measured_flops": flops, "side": side}


def of(given: Given) -> Machine:
    """The machine as it was measured, or as it is looked at now."""
    return given.machine or machines.look()


def _product(side: int, dtype: str) -> float:
    matrix = jnp.ones((side, side), dtype)
    return 2 * side**3 / machines.fastest(jax.jit(lambda x: x @ x), matrix)
