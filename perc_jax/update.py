"""The updates of one step over group rows: `TrainBatch` in, new `TrainState` and metrics out, compiled once per stage.

A group is one row `[prompt | completion 1 | … | completion G]`, so the prompt and its image are computed once. The
loss is divided by a number that belongs to the update's *global* batch (by default its trained tokens), counted before
any micro-batch is cut, so micro-batches and devices change memory and speed but not the gradient.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, UInt32

from perc_jax import grpo, sft
from perc_jax.batch import PromptBatch, TokenIds, TrainBatch
from perc_jax.config import LossConfig, ModelConfig, StageConfig
from perc_jax.model import bind
from perc_jax.optimizer import join, split_frozen
from perc_jax.policy import completion_logprobs

Metrics = dict[str, Float[Array, ""]]
GRPO = LossConfig()
Update = Callable[["TrainState", TrainBatch], tuple["TrainState", Metrics]]


class TrainState(NamedTuple):
    """Everything that training changes."""

    params: Any  # nested dict of float32 arrays
    opt_state: Any
    step: Int[Array, ""]  # steps since the run began, over all stages: rollouts with their updates, or SFT updates
    key: UInt32[Array, "2"]  # the run's random key; every use folds in its purpose and the step
    reference: Any = ()  # what the stage's first parameters had in the place of those it trains, where a KL term asks


class _Sums(NamedTuple):
    """Sums over a (micro-)batch's tokens, and one maximum."""

    loss: Float[Array, ""]
    clipped: Float[Array, ""]
    kl: Float[Array, ""]
    tokens: Float[Array, ""]
    entropy: Float[Array, ""]
    mismatch: Float[Array, ""]
    mismatch_max: Float[Array, ""]


def make_loss(
    config: ModelConfig,
    ids: TokenIds,
    *,
    kind: str,
    temperature: float,
    remat: bool = False,
    terms: LossConfig = GRPO,
    on_policy: bool = True,
) -> Callable[..., tuple[Array, _Sums]]:
    """Build `loss(params, batch, total) -> (loss, sums)`: the stage's loss of a (micro-)batch divided by `total`.

    `on_policy`: the parameters are always those that sampled the batch (`grpo.policy_loss_sum`).
    """

    def loss(params: Any, batch: TrainBatch, total: Float[Array, ""]) -> tuple[Float[Array, ""], _Sums]:
        model = bind(config, params)
        logprobs, entropy = completion_logprobs(model, ids, batch.prompts, batch.tokens, temperature, remat=remat)
        divergence = grpo.Divergence(jnp.float32(0), jnp.float32(0))
        if kind == "grpo":
            policy_loss = grpo.policy_loss_sum(
                logprobs, batch.logprobs, batch.advantages, batch.mask, terms, on_policy=on_policy
            )
            if terms.kl_coef:
                divergence = grpo.kl_loss_sum(logprobs, batch.reference, batch.advantages, batch.mask, terms)
        else:
            policy_loss = grpo.PolicyLoss(sft.nll_sum(logprobs, batch.mask), jnp.float32(0))
        total_loss = policy_loss.total + divergence.total
        tokens = jnp.sum(batch.mask).astype(jnp.float32)
        entropy_sum = jnp.sum(jnp.where(batch.mask, entropy, 0.0))
        mismatch = grpo.mismatch(logprobs, batch.logprobs, batch.mask)
        sums = _Sums(total_loss, policy_loss.clipped, divergence.estimate, tokens, entropy_sum, *mismatch)
        return total_loss / total, jax.tree.map(jax.lax.stop_gradient, sums)

    return loss


def make_score(config: ModelConfig, ids: TokenIds, temperature: float) -> Callable[..., Float[Array, "P G C"]]:
    """Build `score(params, prompts, tokens) -> logprobs`: what the trainer's forward pass says of given completions."""

    def score(params: Any, prompts: PromptBatch, tokens: Int[Array, "P G C"]) -> Float[Array, "P G C"]:
        return completion_logprobs(bind(config, params), ids, prompts, tokens, temperature, remat=False)[0]

    return score


def make_reference(config: ModelConfig, frozen: Sequence[str]) -> Callable[[Any], Any]:
    """Build `keep(params) -> reference`: a copy of the trained parameters, in the dtype the model computes in.

    Adapters keep theirs: they are added to the base before anything is rounded.
    """

    def keep(params: Any) -> Any:
        trained, _ = split_frozen(params, frozen)
        return trained if config.lora.rank else jax.tree.map(lambda leaf: leaf.astype(config.dtype), trained)

    return keep


def make_reference_score(
    config: ModelConfig, ids: TokenIds, temperature: float, frozen: Sequence[str]
) -> Callable[..., Float[Array, "P G C"]]:
    """Build `score(params, reference, prompts, tokens) -> logprobs` of the policy that `make_reference` kept."""
    score = make_score(config, ids, temperature)

    def score_reference(
        params: Any, reference: Any, prompts: PromptBatch, tokens: Int[Array, "P G C"]
    ) -> Float[Array, "P G C"]:
        return score(join(reference, split_frozen(params, frozen)[1]), prompts, tokens)

    return score_reference


def make_gradient(
    loss: Callable[..., Any], micro_batches: int, frozen: Sequence[str] = (), terms: LossConfig = GRPO
) -> Callable[[Any, TrainBatch], tuple[Any, _Sums, Array]]:
    """Build `gradient(params, batch) -> (gradient, sums, total)`, accumulated over micro-batches of prompts.

    `total` is what the loss was divided by, which `terms` decides.
    The gradient has no leaf for parameters that match a pattern of `frozen`: nothing is computed or stored for them.
    """

    def gradient(params: Any, batch: TrainBatch) -> tuple[Any, _Sums, Float[Array, ""]]:
        params, fixed = split_frozen(params, frozen)
        total = grpo.normaliser(batch.mask, batch.advantages, terms)
        value_and_grad = jax.value_and_grad(lambda trained, *rest: loss(join(trained, fixed), *rest), has_aux=True)
        if micro_batches == 1:
            (_, sums), grads = value_and_grad(params, batch, total)
            return grads, sums, total

        def accumulate(carry: tuple[Any, _Sums], micro: TrainBatch) -> tuple[tuple[Any, _Sums], None]:
            (_, sums), grads = value_and_grad(params, micro, total)
            added = _Sums(*[old + new for old, new in zip(carry[1], sums, strict=True)])
            added = added._replace(mismatch_max=jnp.maximum(carry[1].mismatch_max, sums.mismatch_max))
            return (jax.tree.map(jnp.add, carry[0], grads), added), None

        start = (jax.tree.map(jnp.zeros_like, params), _Sums(*[jnp.float32(0)] * len(_Sums._fields)))
        (grads, sums), _ = jax.lax.scan(accumulate, start, _cut(batch, micro_batches))
        return grads, sums, total

    return gradient


def _cut(batch: TrainBatch, count: int) -> TrainBatch:
    """Cut prompts into `count` parts, stacked: rows p, p + count, … are part p, so devices keep their own rows."""
    return jax.tree.map(lambda leaf: leaf.reshape(leaf.shape[0] // count, count, *leaf.shape[1:]).swapaxes(0, 1), batch)


def make_update(
    config: ModelConfig, stage: StageConfig, ids: TokenIds, optimizer: optax.GradientTransformation, temperature: float
) -> Update:
    """Build `update(state, batch) -> (state, metrics)`, to be jitted by the caller with the state donated.

    With `updates_per_rollout` k > 1 the prompts are cut into k parts, each of which makes one optimizer update, as in
    DAPO and GSPO: from the second on, the policy is no longer the one that sampled. All k belong to one step, so a
    checkpoint never stands between them.

    Metrics are float32 scalars: loss, entropy (nats per token), gradient norm before clipping, tokens that carry loss
    (those of groups with signal), the mean and maximum difference |p_sampler - p_trainer|, and whether the gradient was
    finite (if not, the update changed nothing). Where ratios can be clipped: the share of tokens whose were; with a KL
    term: its estimate's mean over all tokens.
    Over several updates: means, but the sum of tokens, the difference at the first one, and whether all were finite.
    """
    on_policy = stage.updates_per_rollout == 1
    loss = make_loss(
        config, ids, kind=stage.kind, temperature=temperature, remat=stage.remat, terms=stage.loss, on_policy=on_policy
    )
    frozen = stage.optimizer.frozen
    gradient = make_gradient(loss, stage.micro_batches, frozen, stage.loss)

    def once(carry: tuple[Any, Any], batch: TrainBatch) -> tuple[tuple[Any, Any], Metrics]:
        params, opt_state = carry
        grads, sums, total = gradient(params, batch)
        trained, fixed = split_frozen(params, frozen)
        updates, opt_state = optimizer.update(grads, opt_state, trained)
        grad_norm = optax.tree.norm(grads)
        tokens = grpo.trained_count(batch.mask, batch.advantages)
        metrics = {
            "train/loss": sums.loss / total,
            "train/entropy": sums.entropy / sums.tokens,
            "train/grad_norm": grad_norm,
            "train/tokens": tokens,
            "train/is_finite": jnp.isfinite(grad_norm).astype(jnp.float32),
        }
        if stage.kind == "grpo":
            metrics["mismatch/prob_diff_mean"] = sums.mismatch / sums.tokens
            metrics["mismatch/prob_diff_max"] = sums.mismatch_max
            if not on_policy or stage.loss.objective == "cispo":
                metrics["train/clipped_share"] = sums.clipped / tokens
            if stage.loss.kl_coef:
                metrics["train/kl"] = sums.kl / sums.tokens
        return (join(optax.apply_updates(trained, updates), fixed), opt_state), metrics

    def update(state: TrainState, batch: TrainBatch) -> tuple[TrainState, Metrics]:
        carry = state.params, state.opt_state
        if on_policy:
            carry, metrics = once(carry, batch)
        else:
            carry, each = jax.lax.scan(once, carry, _cut(batch, stage.updates_per_rollout))
            metrics = {name: _over_updates(name, values) for name, values in each.items()}
        params, opt_state = carry
        return state._replace(params=params, opt_state=opt_state, step=state.step + 1), metrics

    return update


def _over_updates(name: str, values: Float[Array, "k"]) -> Float[Array, ""]:
    """One metric of a step from those of its k updates."""
    if name.startswith("mismatch/"):
        return values[0]  # later the policies differ by what was learnt
    return {"train/tokens": jnp.sum, "train/is_finite": jnp.min}.get(name, jnp.mean)(values)
