"""A CLIP or FG-CLIP from its Hugging Face folder: sizes from its tensors, weights straight into the mesh's layout.

Names and shapes are read first; the tensors only once all of them are those of the config's model, and of each only
what this process's devices hold. Everything that is wrong with a folder is one line.
"""

import contextlib
import dataclasses
from importlib import resources
from pathlib import Path

import jax

from perc_jax.clip import params
from perc_jax.clip.model import Params
from perc_jax.config import TINY_CLIP, ClipConfig, check
from perc_jax.model.params import get, put
from perc_jax.prompt import clip_inputs, pretrained
from perc_jax.weights.safetensors import Bar, Tensors, load_leaf, no_bar

FIELD = "clip.folder"  # of the config, for messages


def folder_of(config: ClipConfig, *, weights: bool = True) -> Path:
    """The folder, or that of a hub id once it is downloaded; without `weights` only its small files.

    `TINY_CLIP`'s name stands for the package's own. Raises `FileNotFoundError` or `ValueError` for any other name.
    """
    if config.folder == TINY_CLIP.folder:
        return Path(str(resources.files("perc_jax") / "assets" / "clip"))
    return pretrained.folder_of(config.folder, weights=weights, field=FIELD)


def config_of(folder: Path, **settings: object) -> ClipConfig:
    """The model that a folder holds, by its tensors' shapes; `settings` are fields that no file tells, such as dtype.

    Raises `FileNotFoundError` without weights, `ValueError` for what is no CLIP.
    """
    with contextlib.closing(Tensors(folder, params.IGNORED)) as tensors:
        return _described(folder, tensors, ClipConfig(folder=str(folder), **settings))


def verify(folder: Path, config: ClipConfig) -> None:
    """Compare a folder's names, shapes and files with the config without reading weights. Raises what `load` does."""
    with contextlib.closing(_matched(folder, config)):
        pass


def load(folder: Path, config: ClipConfig, target: Params, *, bar: Bar | None = None) -> Params:
    """Read a folder's weights onto the mesh.

    Args:
        folder: holds `model.safetensors`, or shards and their index.
        config: the model that it must hold.
        target: pytree of `jax.ShapeDtypeStruct` with shardings; weights are cast to its dtypes.
        bar: shows progress, for instance `Progress.bar`.

    Raises:
        FileNotFoundError: there are no weights.
        ValueError: one line of all names that are missing, unexpected or of another shape, and of damaged files; or
            of the first weight that is not finite.
    """
    leaves, loaded = params.table(config), {}
    total = sum(max(1, leaf.layers) for leaf in leaves)
    with contextlib.closing(_matched(folder, config)) as tensors, (bar or no_bar)("reading CLIP", total) as advance:
        for leaf in leaves:
            wanted: jax.ShapeDtypeStruct = get(target, leaf.path)
            put(loaded, leaf.path, load_leaf(folder, leaf, wanted, tensors.read, advance))
    return loaded


def _described(folder: Path, tensors: Tensors, config: ClipConfig) -> ClipConfig:
    """The config with the sizes of the folder's model."""
    heads = clip_inputs.heads(folder)
    if tensors.problems:
        raise ValueError(f"{FIELD} {folder} must hold sound weights: {'; '.join(tensors.problems)}")
    try:
        found = dataclasses.replace(config, **params.sizes(tensors.shapes, heads))
        check(found)
    except ValueError as error:
        raise ValueError(f"{FIELD} {folder}: {error}") from error
    return found


def _matched(folder: Path, config: ClipConfig) -> Tensors:
    """The folder's tensors, once they are those of the config's model."""
    tensors = Tensors(folder, params.IGNORED)
    found = _described(folder, tensors, config)
    told = params.differences({field.name: getattr(found, field.name) for field in dataclasses.fields(found)}, config)
    # Names are compared with the model that the folder seems to hold: else one other width would be hundreds of lines.
    told = [*told, *params.problems(found, tensors.shapes)]
    if told:
        tensors.close()
        raise ValueError(f"{FIELD} {folder} must hold the model of the config: {'; '.join(told)}")
    return tensors
