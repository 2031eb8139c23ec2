"""A Qwen2.5-VL of 100 million parameters in the published models' proportions, for `perc_jax.bench` on a CPU.

`python -m perc_jax.bench step --size 100m`
"""

from configs import bench_tiny, debug_cpu
from perc_jax.config import Config, ModelConfig, TextConfig, VisionConfig


def get_config() -> Config:
    """The measured case."""
    vision = VisionConfig(
        depth=8, hidden_size=384, num_heads=6, intermediate_size=1024, fullatt_block_indexes=(1, 3, 5, 7)
    )
    text = TextConfig(
        hidden_size=640,
        intermediate_size=2048,
        num_hidden_layers=14,
        num_attention_heads=10,
        num_key_value_heads=2,
        head_dim=64,
        vocab_size=16384,
        mrope_section=(8, 12, 12),
    )
    model = ModelConfig(vision=vision, text=text, dtype="float32")
    return bench_tiny.measured("bench_100m", model, debug_cpu.get_config(), micro_batches=2)
