"""The optimizer of a stage: AdamW or Muon, gradient clipping, a schedule, frozen parameters.

Parameters are a nested dict of float32 arrays; a parameter's name is its path joined by '/'. An update is left out
whole where its gradient is not sound (`gradient_norm`) or exactly 0: a step that says nothing must not move anything,
neither by momentum, which Muon scales up to full steps however little is left of it, nor by weight decay.
"""

import re
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float
from optax.contrib import MuonDimensionNumbers, scale_by_muon

from perc_jax.config import OptimizerConfig
from perc_jax.model.low_rank import ADAPTERS

MATRICES = ("kernel", *ADAPTERS)  # ends of names: what weight decay shrinks and Muon makes orthogonal
MUON_RMS = 0.2  # root mean square of a matrix' step in units of the rate: AdamW's usual one


def schedule(config: OptimizerConfig, steps: int) -> optax.Schedule:
    """Learning rate per update: linear warm-up from its `warmup_steps`th part, constant or cosine to 0 at `steps`."""
    if config.schedule == "cosine":
        rest = optax.cosine_decay_schedule(config.learning_rate, max(1, steps - config.warmup_steps))
    else:
        rest = optax.constant_schedule(config.learning_rate)
    if config.warmup_steps == 0:
        return rest
    warmup = optax.linear_schedule(
        config.learning_rate / config.warmup_steps, config.learning_rate, config.warmup_steps
    )
    return optax.join_schedules([warmup, rest], [config.warmup_steps])


def path_name(path: tuple[Any, ...]) -> str:
    """A parameter's name: the keys of its path joined by '/'."""
    return "/".join(str(getattr(key, "key", key)) for key in path)


def split_frozen(params: Any, frozen: Sequence[str], whole: Sequence[str] = ()) -> tuple[Any, Any]:
    """Two trees like `params`: one without the frozen parameters (None there), one of those.

    Frozen are those whose names match a pattern and, where there are low-rank adapters, all parameters but adapters and
    those named `whole` (`LoraConfig.whole`).
    """
    names = jax.tree_util.tree_map_with_path(lambda path, _: path_name(path), params)
    adapted = any(name.endswith(ADAPTERS) for name in jax.tree.leaves(names))

    def keep(wanted: bool) -> Any:
        def one(name: str, leaf: Any) -> Any:
            is_base = adapted and not name.endswith(ADAPTERS) and name not in whole
            is_frozen = _matches(name, frozen) or is_base
            return leaf if is_frozen == wanted else None

        return jax.tree.map(one, names, params)

    return keep(False), keep(True)


def join(trained: Any, frozen: Any) -> Any:
    """Undo `split_frozen`."""
    return jax.tree.map(lambda one, other: other if one is None else one, trained, frozen, is_leaf=lambda x: x is None)


def gradient_norm(gradient: Any) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    """The norm of a whole gradient, and whether it is sound: whether its norm is a finite float32.

    A gradient that is finite but too large for that cannot be clipped; it is as bad as one with NaN in it.
    """
    norm = optax.tree.norm(gradient)
    return norm, jnp.isfinite(norm)


def make_optimizer(
    config: OptimizerConfig, steps: int, params: Any, updates_per_step: int = 1, whole: Sequence[str] = ()
) -> optax.GradientTransformation:
    """Build the optimizer of a stage of `steps` steps for parameters of this structure; the schedule counts updates.

    `init` takes all parameters and keeps state for those that are trained; `update` takes gradients and parameters of
    the trained ones alone (`split_frozen`). Weight decay applies to matrices only (stacked layers have one dimension
    more), adapters among them. An update that is left out changes nothing but the state's outermost counters, which
    say how many gradients were not sound, in a row and in all. Raises `ValueError` if a pattern of `frozen` matches no
    parameter, or all are frozen.
    """
    names = [path_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    for pattern in config.frozen:
        if not any(_matches(name, (pattern,)) for name in names):
            raise ValueError(f"optimizer.frozen must match a parameter, got {pattern!r}; parameters are {names}")
    if not jax.tree.leaves(split_frozen(params, config.frozen, whole)[0]):
        raise ValueError(f"optimizer.frozen must leave something to train, got {config.frozen}")
    method = _adamw if config.method == "adamw" else _muon
    rate = schedule(config, steps * updates_per_step)
    clipped = optax.chain(optax.clip_by_global_norm(config.max_grad_norm), method(config, rate))
    guarded = _left_out_if_void(clipped)
    return optax.GradientTransformation(
        lambda every: guarded.init(split_frozen(every, config.frozen, whole)[0]),
        guarded.update,
    )


def _left_out_if_void(inner: optax.GradientTransformation) -> optax.GradientTransformation:
    """`inner`, asked only for gradients that are sound and not exactly 0; the others change neither parameters nor its
    state. The state around it is that of `optax.apply_if_finite`, which in the end lets a bad gradient through."""

    def init(params: Any) -> optax.ApplyIfFiniteState:
        return optax.ApplyIfFiniteState(jnp.int32(0), jnp.array(True), jnp.int32(0), inner.init(params))

    def update(gradient: Any, state: optax.ApplyIfFiniteState, params: Any) -> tuple[Any, optax.ApplyIfFiniteState]:
        is_sound = gradient_norm(gradient)[1]
        says_something = jnp.any(jnp.array([jnp.any(leaf != 0) for leaf in jax.tree.leaves(gradient)]))
        changes, inner_state = jax.lax.cond(
            is_sound & says_something,
            lambda: inner.update(gradient, state.inner_state, params),
            lambda: (optax.tree.zeros_like(gradient), state.inner_state),
        )
        in_a_row = jnp.where(is_sound, 0, optax.safe_increment(state.notfinite_count))
        in_all = jnp.where(is_sound, state.total_notfinite, optax.safe_increment(state.total_notfinite))
        return changes, optax.ApplyIfFiniteState(in_a_row, is_sound, in_all, inner_state)

    return optax.GradientTransformation(init, update)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(re.search(pattern, name) for pattern in patterns)


def _adamw(config: OptimizerConfig, rate: optax.Schedule) -> optax.GradientTransformation:
    """AdamW (Loshchilov & Hutter, arXiv 1711.05101)."""
    return optax.adamw(
        rate,
        config.b1,
        config.b2,
        config.eps,
        weight_decay=config.weight_decay,
        mask=_is_matrix,
    )


def _muon(config: OptimizerConfig, rate: optax.Schedule) -> optax.GradientTransformation:
    """Muon (Jordan et al. 2024) on the matrices, AdamW on the rest.

    Updates are scaled to AdamW's usual root mean square of 0.2 (Liu et al., arXiv 2502.16982), so that one learning
    rate serves both. A small model that learns from nothing needs about a third of AdamW's steps. Put together here:
    `optax.contrib.muon` gives the rest Nesterov's momentum, whose first step is one and a half times AdamW's.
    """

    def to_rms(updates: Any, params: Any) -> Any:
        return jax.tree.map(lambda leaf: jnp.sqrt(max(leaf.shape[-2:])) * MUON_RMS * leaf, updates)

    matrices = optax.chain(
        scale_by_muon(eps=config.eps, weight_dimension_numbers=_matrix_axes),
        optax.stateless(to_rms),
        optax.add_decayed_weights(config.weight_decay, _is_matrix),
        optax.scale_by_learning_rate(rate),
    )
    rest = optax.adamw(rate, config.b1, config.b2, config.eps, weight_decay=0.0)
    return optax.partition({"muon": matrices, "adam": rest}, _muon_labels)


def _muon_labels(tree: Any) -> Any:
    return jax.tree.map(lambda is_matrix: "muon" if is_matrix else "adam", _is_matrix(tree))


def _is_matrix(tree: Any) -> Any:
    return jax.tree_util.tree_map_with_path(lambda path, _: path_name(path).endswith(MATRICES), tree)


def _matrix_axes(tree: Any) -> Any:
    """For each matrix, which axes are inputs and outputs (a stack's first axis is neither); None for all else."""

    def axes(path: tuple[Any, ...], leaf: Any) -> MuonDimensionNumbers | None:
        return MuonDimensionNumbers(leaf.ndim - 2, leaf.ndim - 1) if path_name(path).endswith(MATRICES) else None

    return jax.tree_util.tree_map_with_path(axes, tree)
