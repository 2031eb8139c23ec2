"""Qwen2.5-VL in Flax nnx: pure functions of `params`, exact against Hugging Face, with low-rank adapters beside them.

Arrays in, arrays out. Neither training nor sampling, neither files nor text belong here.
"""

from perc_jax.model.qwen2_5_vl import Params, Placed, Qwen2_5_VL, abstract_params, bind, init_params

__all__ = ["Params", "Placed", "Qwen2_5_VL", "abstract_params", "bind", "init_params"]
