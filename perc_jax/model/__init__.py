"""Qwen2.5-VL in Flax nnx: pure functions of `params`, exact against Hugging Face. Knows nothing of training."""

from perc_jax.model.qwen2_5_vl import Params, Qwen2_5_VL, abstract_params, bind, init_params

__all__ = ["Params", "Qwen2_5_VL", "abstract_params", "bind", "init_params"]
