"""The VQ-VAE of perception tokens in Flax nnx: a map of numbers in, side x side codes out, and the map back.

    params = init_params(config, key)       nested dicts of float32 arrays
    model = bind(config, params)            cheap: inside jit it only wraps the tracers
    codes = model.codes(maps)               int32 [n, side²], row by row from the top left
    maps = model.restore(codes)             float32 [n, map_px, map_px]
    model.loss(maps).total                  what learning lowers

After van den Oord et al., Neural Discrete Representation Learning (arXiv 1711.00937); Perception Tokens (arXiv
2412.03548) writes depth maps of 320 px with 10 x 10 of 128 such codes. What differs from the networks of both:

1. The encoder is local: stride is kernel in all its convolutions, so a code depends on the pixels of its own cell and
   on no others. A thing that moves within a cell changes one token, and the same cell has the same code wherever it is.
2. A network knows a map by how it differs from the mean of those it learnt from, over the root mean square of such
   differences. What all maps share, a floor that leads away, takes no codes: a code says what stands in its cell.
3. The decoder alone knows neighbours, by a 3 x 3 convolution on the grid of codes; from there up it is local too.

So a host without a device does it in milliseconds: `prompt/codebook.py` reads the same weights with numpy alone.
`perc_jax.teach_codes` teaches and writes them. Nothing here knows tokens, pictures or engines.
"""

from perc_jax.codes.model import Codec, Losses, abstract_params, bind, init_params, nearest
from perc_jax.codes.params import from_tensors, to_tensors

__all__ = [
    "Codec",
    "Losses",
    "abstract_params",
    "bind",
    "from_tensors",
    "init_params",
    "nearest",
    "to_tensors",
]
