"""One device program before it is compiled: what it computes, on which arrays, laid out how."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh


class Blueprint(NamedTuple):
    """A program to compile. Arguments and outputs are trees of `jax.ShapeDtypeStruct` that carry their layout."""

    name: str
    function: Callable[..., Any]
    arguments: dict[str, Any]  # in order; the names say what each one is
    outputs: Any
    mesh: Mesh
    donated: tuple[int, ...] = ()

    @property
    def kind(self) -> str:
        """What it does, in whichever stage and bucket."""
        return kind_of(self.name)

    def lower(self) -> jax.stages.Lowered:
        """Trace it for the mesh; with the mesh set, so that the model can place activations on it."""
        layout = jax.tree.map(lambda leaf: leaf.sharding, self.outputs)
        jitted = jax.jit(self.function, out_shardings=layout, donate_argnums=self.donated)
        with jax.set_mesh(self.mesh):
            return jitted.lower(*self.arguments.values())

    def compile(self) -> jax.stages.Compiled:
        """Lower and compile it."""
        return self.lower().compile()


def kind_of(name: str) -> str:
    """What the program of a name does: `update` of `rl: update within 256x512`."""
    return name.rpartition(": ")[2].partition(" within ")[0]


def named_within(name: str, bucket: tuple[int, int]) -> str:
    """The name of a program for prompts in a smaller bucket (tokens, patch slots)."""
    return f"{name} within {bucket[0]}x{bucket[1]}"


def laid_out(tree: Any, shardings: Any, dtype: Any = None) -> Any:
    """Abstract arrays with a layout, and a dtype if given; a sharding may stand for a whole branch of the tree."""

    def one(where: jax.sharding.Sharding, branch: Any) -> Any:
        return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, dtype or leaf.dtype, sharding=where), branch)

    return jax.tree.map(one, shardings, tree)
