"""One gradient step over group rows: `TrainBatch` in, new `TrainState` and metrics out, compiled once per stage.

A group is one row `[prompt | completion 1 | … | completion G]`, so the prompt and its image are computed once. The
loss is divided by the number of trained tokens of the *global* batch, counted before any micro-batch is cut, so
micro-batches and devices change memory and speed but not the gradient.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, UInt32

from perc_jax import grpo, sft
from perc_jax.batch import PromptBatch, TokenIds, TrainBatch
from perc_jax.config import ModelConfig, StageConfig
from perc_jax.model import bind
from perc_jax.optimizer import join, split_frozen
from perc_jax.policy import completion_logprobs

Metrics = dict[str, Float[Array, ""]]
Update = Callable[["TrainState", TrainBatch], tuple["TrainState", Metrics]]


class TrainState(NamedTuple):
    """Everything that training changes."""

    params: Any  # nested dict of float32 arrays
    opt_state: Any
    step: Int[Array, ""]  # optimizer updates since the run began, over all stages
    key: UInt32[Array, "2"]  # the run's random key; every use folds in its purpose and the step


class _Sums(NamedTuple):
    """Sums over a (micro-)batch's tokens, and one maximum."""

    loss: Float[Array, ""]
    tokens: Float[Array, ""]
    entropy: Float[Array, ""]
    mismatch: Float[Array, ""]
    mismatch_max: Float[Array, ""]


def make_loss(
    config: ModelConfig, ids: TokenIds, *, kind: str, temperature: float, remat: bool = False
) -> Callable[..., tuple[Array, _Sums]]:
    """Build `loss(params, batch, total) -> (loss, sums)`: the stage's loss of a (micro-)batch over `total` tokens."""

    def loss(params: Any, batch: TrainBatch, total: Float[Array, ""]) -> tuple[Float[Array, ""], _Sums]:
        model = bind(config, params)
        logprobs, entropy = completion_logprobs(model, ids, batch.prompts, batch.tokens, temperature, remat=remat)
        if kind == "grpo":
            loss_sum = grpo.policy_loss_sum(logprobs, batch.advantages, batch.mask)
        else:
            loss_sum = sft.nll_sum(logprobs, batch.mask)
        tokens = jnp.sum(batch.mask).astype(jnp.float32)
        entropy_sum = jnp.sum(jnp.where(batch.mask, entropy, 0.0))
        sums = _Sums(loss_sum, tokens, entropy_sum, *grpo.mismatch(logprobs, batch.logprobs, batch.mask))
        return loss_sum / total, jax.tree.map(jax.lax.stop_gradient, sums)

    return loss


def make_score(config: ModelConfig, ids: TokenIds, temperature: float) -> Callable[..., Float[Array, "P G C"]]:
    """Build `score(params, prompts, tokens) -> logprobs`: what the trainer's forward pass says of given completions."""

    def score(params: Any, prompts: PromptBatch, tokens: Int[Array, "P G C"]) -> Float[Array, "P G C"]:
        return completion_logprobs(bind(config, params), ids, prompts, tokens, temperature, remat=False)[0]

    return score


def make_gradient(
    loss: Callable[..., Any], micro_batches: int, frozen: Sequence[str] = ()
) -> Callable[[Any, TrainBatch], tuple[Any, _Sums, Array]]:
    """Build `gradient(params, batch) -> (gradient, sums, total)`, accumulated over micro-batches of prompts.

    The gradient has no leaf for parameters that match a pattern of `frozen`: nothing is computed or stored for them.
    """

    def gradient(params: Any, batch: TrainBatch) -> tuple[Any, _Sums, Float[Array, ""]]:
        params, fixed = split_frozen(params, frozen)
        has_signal = jnp.any(batch.advantages != 0, axis=1)
        total = jnp.maximum(jnp.sum(batch.mask & has_signal[:, None, None]), 1).astype(jnp.float32)
        value_and_grad = jax.value_and_grad(lambda trained, *rest: loss(join(trained, fixed), *rest), has_aux=True)
        if micro_batches == 1:
            (_, sums), grads = value_and_grad(params, batch, total)
            return grads, sums, total

        def cut(leaf: Array) -> Array:  # rows p, p + n, p + 2n, …: each device keeps its own rows
            return leaf.reshape(leaf.shape[0] // micro_batches, micro_batches, *leaf.shape[1:]).swapaxes(0, 1)

        def accumulate(carry: tuple[Any, _Sums], micro: TrainBatch) -> tuple[tuple[Any, _Sums], None]:
            (_, sums), grads = value_and_grad(params, micro, total)
            added = _Sums(*[old + new for old, new in zip(carry[1], sums, strict=True)])
            added = added._replace(mismatch_max=jnp.maximum(carry[1].mismatch_max, sums.mismatch_max))
            return (jax.tree.map(jnp.add, carry[0], grads), added), None

        start = (jax.tree.map(jnp.zeros_like, params), _Sums(*[jnp.float32(0)] * 5))
        (grads, sums), _ = jax.lax.scan(accumulate, start, jax.tree.map(cut, batch))
        return grads, sums, total

    return gradient


def make_update(
    config: ModelConfig, stage: StageConfig, ids: TokenIds, optimizer: optax.GradientTransformation, temperature: float
) -> Update:
    """Build `update(state, batch) -> (state, metrics)`, to be jitted by the caller with the state donated.

    Metrics are float32 scalars: loss, entropy (nats per token), gradient norm before clipping, tokens that carry loss
    (those of groups with signal), the mean and maximum difference |p_sampler - p_trainer|, and whether the gradient was
    finite (if not, the step changed nothing).
    """
    loss = make_loss(config, ids, kind=stage.kind, temperature=temperature, remat=stage.remat)
    frozen = stage.optimizer.frozen
    gradient = make_gradient(loss, stage.micro_batches, frozen)

    def update(state: TrainState, batch: TrainBatch) -> tuple[TrainState, Metrics]:
        grads, sums, total = gradient(state.params, batch)
        trained, fixed = split_frozen(state.params, frozen)
        updates, opt_state = optimizer.update(grads, state.opt_state, trained)
        grad_norm = optax.tree.norm(grads)
        metrics = {
            "train/loss": sums.loss / total,
            "train/entropy": sums.entropy / sums.tokens,
            "train/grad_norm": grad_norm,
            "train/tokens": total,
            "train/is_finite": jnp.isfinite(grad_norm).astype(jnp.float32),
        }
        if stage.kind == "grpo":
            metrics["mismatch/prob_diff_mean"] = sums.mismatch / sums.tokens
            metrics["mismatch/prob_diff_max"] = sums.mismatch_max
        params = join(optax.apply_updates(trained, updates), fixed)
        return TrainState(params, opt_state, state.step + 1, state.key), metrics

    return update
