"""Parameters as the tensors of a file, and back: a tensor's name is its path in the model, dots between.

Shapes are the model's own, so nothing is turned: kernels are [inputs, outputs], those of 3 x 3 [3, 3, inputs, outputs].
"""

from collections.abc import Mapping

import numpy as np

from perc_jax.codes.model import Params


def to_tensors(params: Params) -> dict[str, np.ndarray]:
    """Name parameters, float32, in the order of their names."""
    found: dict[str, np.ndarray] = {}
    for name, value in params.items():
        if isinstance(value, dict):
            found |= {f"{name}.{rest}": tensor for rest, tensor in to_tensors(value).items()}
        else:
            found[str(name)] = np.asarray(value, np.float32)
    return dict(sorted(found.items()))


def from_tensors(tensors: Mapping[str, np.ndarray]) -> Params:
    """Put tensors where their names say. Their names and shapes are those of the model, as `Codebook.load` sees to."""
    params: Params = {}
    for name, tensor in tensors.items():
        *parents, last = name.split(".")
        place = params
        for parent in parents:
            place = place.setdefault(int(parent) if parent.isdigit() else parent, {})
        place[last] = tensor
    return params
