"""Steps beside the peer in torch, on the same device, in turns: `bench step --against transformers` in small."""

from typing import Any

from perc_jax.bench import measure, peers
from perc_jax.bench.device.parts import Given
from perc_jax.bench.measure import Settings

PARTS = ("rollout", "update", "step")


def run(given: Given) -> dict[str, Any]:
    """Seconds of both and their ratios. Raises `ValueError` where torch or transformers is not installed."""
    peers.check_installed("transformers")
    config = given.size.peer
    peers.check_comparable(config)
    (found,) = measure.run([config], Settings("step", given.repeats, "transformers", (), given.seed))
    parts = {
        part: {
            "seconds": found["parts"][part]["seconds"],
            "peer_seconds": found["parts"][part]["peer_seconds"],
            "ratio": found["parts"][part]["ratio_to_peer"],
        }
        for part in PARTS
    }
    layers = config.model.text.num_hidden_layers
    return {"model": config.name, "layers": layers, "shape": found["shape"], "parts": parts, "peer": found["peer"]}
