"""The programs that score descriptions: CLIP looks at a step's pictures once, and reads a text per completion.

A prompt's score for a text is the mean over its pictures of the cosine between picture and text. (The rule is the mean
of each picture's best text; a completion has one description, which is the best of one.)
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jaxtyping import Bool, Float, Int, UInt8

from perc_jax.batch import Array
from perc_jax.clip import Clip, abstract_params, bind, cosine
from perc_jax.config import ClipConfig, StageConfig
from perc_jax.mesh import sharding
from perc_jax.model import layout
from perc_jax.programs.blueprint import Blueprint, laid_out


class ClipBlueprints(NamedTuple):
    """K pictures per prompt, G texts of T tokens each, S px a side, features of E numbers."""

    pictures: Blueprint  # clip, pictures [P K S S 3] -> features [P K E]
    # By T, from the longest: clip, features, real [P K], tokens [P G T] -> cosines [P G], float32
    texts: dict[int, Blueprint]

    @property
    def largest(self) -> tuple[Blueprint, Blueprint]:
        """Those that need the most."""
        return self.pictures, self.texts[max(self.texts)]


def clip_params(config: ClipConfig, mesh: Mesh) -> Any:
    """The layout of CLIP's parameters: stored in parts like all weights."""
    params = {"clip": abstract_params(config)}
    return laid_out(params, sharding.state_shardings(params, mesh), config.dtype)["clip"]


def clip_blueprints(config: ClipConfig, stage: StageConfig, mesh: Mesh) -> ClipBlueprints:
    """The programs of a stage."""
    prompts, group, count = stage.prompts_per_step, stage.group_size, config.pictures
    side, units = config.image_px, mesh.shape["replica"] * mesh.shape["fsdp"]
    params = clip_params(config, mesh)

    def rows(dtype: Any, *shape: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((prompts, *shape), dtype, sharding=NamedSharding(mesh, sharding.ROWS))

    features = rows(config.dtype, count, config.projection)

    def look(clip: Any, pictures: UInt8[Array, "P K S S 3"]) -> Float[Array, "P K E"]:
        return _encode(bind(config, clip), Clip.pictures, pictures, units, config.at_once)

    def read(
        clip: Any, features: Float[Array, "P K E"], real: Bool[Array, "P K"], tokens: Int[Array, "P G T"]
    ) -> Float[Array, "P G"]:
        texts = _encode(bind(config, clip), Clip.texts, tokens, units, config.at_once)
        shape = (prompts, group, count, config.projection)
        pairs = [jnp.broadcast_to(one, shape) for one in (features[:, None], texts[:, :, None])]
        found = jnp.where(real[:, None], cosine(*pairs), 0)
        return found.sum(axis=2) / jnp.maximum(1, real.sum(axis=1))[:, None]

    name = f"{stage.name}: clip "
    pictures = {"clip": params, "pictures": rows(jnp.uint8, count, side, side, 3)}
    given = {"clip": params, "features": features, "real": rows(jnp.bool_, count)}
    texts = {}
    for length in config.text_lengths:
        which = "" if length == config.text_tokens else f" of {length} tokens"
        arguments = given | {"tokens": rows(jnp.int32, group, length)}
        texts[length] = Blueprint(f"{name}texts{which}", read, arguments, rows(jnp.float32, group), mesh)
    return ClipBlueprints(Blueprint(f"{name}pictures", look, pictures, features, mesh), texts)


def _encode(
    model: Clip, encode: Callable[[Clip, Array], Array], given: Array, units: int, at_once: int
) -> Float[Array, "P M E"]:
    """Encode M things [P, M, …] per prompt, on each of the data-parallel `units` at most `at_once` at a time."""
    count, many = given.shape[:2]
    each = count * many // units
    size = next(size for size in range(min(at_once, each), 0, -1) if each % size == 0)
    parts = given.reshape(units, each // size, size, *given.shape[2:]).swapaxes(0, 1)
    parts = parts.reshape(each // size, units * size, *given.shape[2:])
    found = jax.lax.map(lambda part: encode(model, layout.rows(part)), parts)
    found = found.reshape(each // size, units, size, -1).swapaxes(0, 1)
    return layout.rows(found.reshape(count, many, -1))


class Looked(NamedTuple):
    """The pictures of a step's prompts, as CLIP saw them; on the mesh."""

    features: Float[Array, "P K E"]
    real: Bool[Array, "P K"]


class ClipPrograms:
    """The programs of a stage, compiled. Host rows in; results stay on the mesh until they are asked for."""

    def __init__(self, blueprints: ClipBlueprints, compiled: Callable[[Blueprint], Any]):
        self._mesh = blueprints.pictures.mesh
        self._pictures = compiled(blueprints.pictures)
        self._texts = {length: compiled(one) for length, one in blueprints.texts.items()}
        sharding.max_over_hosts(0.0)  # the hosts' exchange is compiled now

    def look(self, params: Any, pictures: UInt8[np.ndarray, "p K S S 3"], real: Bool[np.ndarray, "p K"]) -> Looked:
        """Begin to look at pictures; those that are not `real` fill the places of prompts that have fewer."""
        pictures, real = sharding.rows_to_mesh((pictures, real), self._mesh)
        return Looked(self._pictures(params, pictures), real)

    def read(self, params: Any, looked: Looked, tokens: Int[np.ndarray, "p G T"], needed: int) -> Float[Array, "P G"]:
        """Begin to read texts, of which the longest here has `needed` tokens, both marks counted; the cosines are there
        when they are asked for. Every host calls it at the same step."""
        most = sharding.max_over_hosts(float(needed))
        length = min(length for length in self._texts if length >= most)
        return self._texts[length](params, *looked, sharding.rows_to_mesh(tokens[..., :length], self._mesh))
