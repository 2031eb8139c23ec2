"""The updates of one step over group rows: `TrainBatch` in, new `TrainState` and metrics out, compiled once per stage.

    begin -> gradient, once per micro-batch, each in rows of one of the stage's widths -> finish

A group is one row `[prompt | completion 1 | … | completion G]`, so the prompt and its image are computed once. The
loss is divided by a number that belongs to the update's *global* batch (by default its trained tokens), counted before
any micro-batch is cut, so micro-batches, widths and devices change memory and speed but not the gradient. Which groups
make a micro-batch, and how wide its rows are, is the host's plan (`packing.py`).

Where a rollout serves several updates, the trainer's log-probabilities from before the first of them are what ratios
are taken to. The first update's own pass gives its part's; those of the other parts are noted before it, by the very
program that learns from them later. Two programs would round differently, and in bfloat16 that alone would clip.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, UInt32

from perc_jax.batch import PromptBatch, TokenIds, TrainBatch
from perc_jax.config import LossConfig, ModelConfig, StageConfig
from perc_jax.model import bind
from perc_jax.model.layers import Remat
from perc_jax.rollout.sampling import Draws
from perc_jax.update import grpo, sft
from perc_jax.update.optimizer import gradient_norm, join, split_frozen
from perc_jax.update.policy import completion_logprobs, row_logprobs
from perc_jax.update.progress import Progress, Sums, added, begun, by_replica, joined
from perc_jax.update.rows import Bucket, own_rows, put_rows, within

Metrics = dict[str, Float[Array, ""]]
GRPO = LossConfig()
ALL = Draws()
NOTE, FIRST, LATER = range(3)  # phases of a micro-batch where a rollout serves several updates, see `Update`


class TrainState(NamedTuple):
    """Everything that training changes."""

    params: Any  # nested dict of float32 arrays
    opt_state: Any
    step: Int[Array, ""]  # steps since the run began, over all stages: rollouts with their updates, or SFT updates
    key: UInt32[Array, "2"]  # the run's random key; every use folds in its purpose and the step
    reference: Any = ()  # what the stage's first parameters had in the place of those it trains, where a KL term asks


def make_loss(
    config: ModelConfig,
    ids: TokenIds,
    *,
    kind: str,
    draws: Draws = ALL,
    remat: Remat = "none",
    terms: LossConfig = GRPO,
    on_policy: bool = True,
) -> Callable[..., tuple[Array, Sums]]:
    """Build `loss(params, batch, total, width) -> (loss, sums)`: the stage's loss of a (micro-)batch over `total`.

    `width`: places of a row for all completions of a group; they must fit. `on_policy`: the parameters are always those
    that sampled the batch (`grpo.policy_loss_sum`); else `batch.old` says what they gave then.

    Gold answers were not drawn: sft takes the model's own distribution, at temperature 1, of all tokens, whatever
    `draws` are, and without the mask that keeps maps whole (`rollout.maps`). In a nucleus a likely token would be
    certain and teach nothing; so would an end mark under the mask, no code would be weighed against a word, so that the
    model could write maps with the mask alone, and text of another form would have a loss of 1e30.
    """
    ids, draws = (ids, draws) if kind == "grpo" else (ids._replace(map=None), ALL)
    judge = make_judge(kind, terms, on_policy=on_policy)

    def loss(params: Any, batch: TrainBatch, total: Float[Array, ""], width: int) -> tuple[Float[Array, ""], Sums]:
        model, given = bind(config, params), (batch.prompts, batch.tokens, batch.mask)
        how = {"width": width, "remat": remat, "of_prompts": batch.said is not None, "observed": batch.observed}
        found, of_prompts = row_logprobs(model, ids, *given, draws, **how)
        if of_prompts:
            found, batch = sft.with_prompts(found, of_prompts), sft.told_by_masks(batch)
        return judge(*found, batch, total)

    return loss


def make_judge(kind: str, terms: LossConfig, *, on_policy: bool) -> Callable[..., tuple[Array, Sums]]:
    """Build `judge(logprobs, entropy, batch, total) -> (loss, sums)`: the loss of a batch whose completions the policy
    gives these log-probabilities [P, G, C]."""
    weighs = _weighs(terms, on_policy)

    def judge(
        logprobs: Float[Array, "P G C"], entropy: Float[Array, "P G C"], batch: TrainBatch, total: Float[Array, ""]
    ) -> tuple[Float[Array, ""], Sums]:
        old, weights, cut = logprobs if on_policy else batch.old, None, jnp.float32(0)
        divergence = grpo.Divergence(jnp.float32(0), jnp.float32(0))
        if kind == "grpo":
            if weighs:
                weights, cut = grpo.sampler_weights(old, batch.logprobs, batch.mask, terms.sampler_weight_cap)
            policy_loss = grpo.policy_loss_sum(
                logprobs, old, batch.advantages, batch.mask, terms, on_policy=on_policy, weights=weights
            )
            if terms.kl_coef:
                divergence = grpo.kl_loss_sum(logprobs, batch.reference, batch.advantages, batch.mask, terms)
        else:
            policy_loss = grpo.PolicyLoss(sft.nll_sum(logprobs, batch.mask), jnp.float32(0), jnp.float32(0))
        total_loss = policy_loss.total + divergence.total
        tokens = jnp.sum(batch.mask).astype(jnp.float32)
        entropy_sum = jnp.sum(jnp.where(batch.mask, entropy, 0.0))
        mismatch = grpo.mismatch(old, batch.logprobs, batch.mask)
        ratios = policy_loss.clipped, policy_loss.moved
        sums = Sums(total_loss, *ratios, cut, divergence.estimate, tokens, entropy_sum, *mismatch)
        return total_loss / total, jax.tree.map(jax.lax.stop_gradient, sums)

    return judge


def _weighs(terms: LossConfig, on_policy: bool) -> bool:
    """Whether tokens are weighted against the sampler."""
    return terms.sampler_weight == "always" or (terms.sampler_weight == "several" and not on_policy)


def make_encode(config: ModelConfig) -> Callable[[Any, PromptBatch], Float[Array, "P M D"]]:
    """Build `encode(params, prompts) -> features`: what the update's forward pass would make of the pictures."""

    def encode(params: Any, prompts: PromptBatch) -> Float[Array, "P M D"]:
        return bind(config, params).encode_images(prompts.pixels, prompts.patch_rowcol, prompts.patch_image)

    return encode


def make_encode_rows(config: ModelConfig) -> Callable[..., Float[Array, "P M D"]]:
    """Build `encode(params, prompts, features, rows, bucket) -> features`: those of these `rows` [D, n] put in, which
    are made in a bucket that holds their pictures; beyond it a row keeps what it has."""
    encode = make_encode(config)

    def some(params: Any, prompts: PromptBatch, features: Array, rows: Int[Array, "D n"], bucket: Bucket) -> Array:
        own = encode(params, own_rows(prompts.within(bucket), rows))
        rest = own_rows(features[:, own.shape[1] :], rows)
        return put_rows(features, rows, jnp.concatenate([own, rest], axis=1))

    return some


def make_score(config: ModelConfig, ids: TokenIds, draws: Draws) -> Callable[..., Float[Array, "P G C"]]:
    """Build `score(params, prompts, tokens) -> logprobs`: what the trainer's forward pass says of given completions."""

    def score(params: Any, prompts: PromptBatch, tokens: Int[Array, "P G C"]) -> Float[Array, "P G C"]:
        given, width = jnp.ones(tokens.shape, bool), tokens.shape[1] * tokens.shape[2]
        model = bind(config, params)
        return completion_logprobs(model, ids, prompts, tokens, given, draws, width=width, remat="none")[0]

    return score


def make_reference(config: ModelConfig, frozen: Sequence[str]) -> Callable[[Any], Any]:
    """Build `keep(params) -> reference`: a copy of the trained parameters, in the dtype the model computes in.

    Adapters keep theirs: they are added to the base before anything is rounded.
    """

    def keep(params: Any) -> Any:
        trained, _ = split_frozen(params, frozen, config.lora.whole)
        return trained if config.lora.rank else jax.tree.map(lambda leaf: leaf.astype(config.dtype), trained)

    return keep


def make_reference_score(
    config: ModelConfig, ids: TokenIds, draws: Draws, frozen: Sequence[str]
) -> Callable[..., Float[Array, "n G C"]]:
    """Build `score(params, reference, batch, width) -> logprobs` of the policy that `make_reference` kept, in rows of
    the same width as the policy's own."""

    def score(params: Any, reference: Any, batch: TrainBatch, width: int) -> Float[Array, "n G C"]:
        model = bind(config, join(reference, split_frozen(params, frozen, config.lora.whole)[1]))
        given, how = (batch.prompts, batch.tokens, batch.mask), {"observed": batch.observed, "remat": "none"}
        return completion_logprobs(model, ids, *given, draws, width=width, **how)[0]

    return score


def make_gradient(
    loss: Callable[..., Any], frozen: Sequence[str] = (), whole: Sequence[str] = ()
) -> Callable[..., tuple[Any, Sums]]:
    """Build `gradient(params, batch, total, width) -> (gradient, sums)` of a loss of `make_loss`.

    The gradient has no leaf for parameters that are frozen (`split_frozen`): nothing is computed or stored for them.
    """

    def gradient(params: Any, batch: TrainBatch, total: Float[Array, ""], width: int) -> tuple[Any, Sums]:
        trained, fixed = split_frozen(params, frozen, whole)
        value_and_grad = jax.value_and_grad(
            lambda trained: loss(join(trained, fixed), batch, total, width), has_aux=True
        )
        (_, sums), found = value_and_grad(trained)
        return found, sums

    return gradient


class Update(NamedTuple):
    """The three programs of an update, to be jitted by the caller; k of each step where a rollout serves k updates.

    begin(params, mask, advantages, part) -> progress
        and `said` behind these, where tokens of prompts carry loss too
    gradient(params, reference, progress, batch, rows, width, bucket) -> progress
        adds the micro-batch of these `rows` [D, n]: of each data-parallel device, by their place among its own;
        `reference` is the state's, `bucket` a smaller one (tokens, patch slots) that holds their prompts, or None. With
        several updates per rollout it takes a `phase` before the width: NOTE only writes the rows' log-probabilities to
        `progress.old`; FIRST and LATER add, with the ratio 1 in the first update, whose parameters are those of the
        rollout, and with that to what was noted in those after it
    finish(state, progress, steps) -> state, metrics
        one optimizer update; `steps` is 1 after the last update of a step, else 0

    With `updates_per_rollout` k > 1 the prompts are cut into k parts, each of which makes one optimizer update, as in
    DAPO and GSPO: part p has rows p, p + k, …; from the second on, the policy is no longer the one that sampled. All k
    belong to one step, so a checkpoint never stands between them. The caller notes all parts but the first before the
    first `finish`, and hands `progress.old` on from one update to the next.
    """

    begin: Callable[..., Progress]
    gradient: Callable[..., Progress]
    finish: Callable[..., tuple[TrainState, Metrics]]


def make_update(
    config: ModelConfig, stage: StageConfig, ids: TokenIds, optimizer: optax.GradientTransformation, draws: Draws
) -> Update:
    """Build the programs of a stage's updates; the caller donates `progress` to the second, `state` to the third.

    Metrics are float32 scalars: loss, entropy (nats per token), gradient norm before clipping, tokens that carry loss
    (those of groups with signal), the mean and maximum difference |p_sampler - p_trainer|, and whether the gradient was
    sound (if not, the update changed nothing). With several updates per rollout: the share of tokens whose ratio was
    clipped, and the mean of |ratio - 1|. With weights against the sampler: the share of them that was cut. With a KL
    term: its estimate's mean. Entropy, difference, cuts and estimate are of the groups that were computed
    (`packing.py`); the difference is that of the policy that sampled, however many updates were made since.
    """
    on_policy, frozen, whole = stage.updates_per_rollout == 1, stage.optimizer.frozen, config.lora.whole
    loss = make_loss(
        config, ids, kind=stage.kind, draws=draws, remat=stage.remat, terms=stage.loss, on_policy=on_policy
    )
    add = make_gradient(loss, frozen, whole)
    score_reference = make_reference_score(config, ids, draws, frozen)

    def begin(params: Any, mask: Array, advantages: Array, part: Int[Array, ""], said: Array | None = None) -> Progress:
        mask = mask if said is None else sft.carries_loss(mask, said)
        mine = jnp.arange(len(mask)) % stage.updates_per_rollout == part
        mask, advantages = mask & mine[:, None, None], jnp.where(mine[:, None], advantages, 0.0)
        return begun(
            split_frozen(params, frozen, whole)[0],
            grpo.normaliser(mask, advantages, stage.loss, groups=len(mask) // stage.updates_per_rollout),
            grpo.trained_count(mask, advantages),
            None if on_policy else jnp.zeros(mask.shape, jnp.float32),
        )

    def gradient(
        params: Any,
        reference: Any,
        progress: Progress,
        batch: TrainBatch,
        rows: Int[Array, "D n"],
        width: int,
        bucket: Bucket = None,
    ) -> Progress:
        own = own_rows(within(batch, bucket), rows)
        if stage.loss.kl_coef:
            own = own._replace(reference=score_reference(params, reference, own, width))
        return added(progress, *add(params, own, progress.total, width))

    def finish(state: TrainState, progress: Progress, steps: Int[Array, ""]) -> tuple[TrainState, Metrics]:
        progress, (trained, fixed) = joined(progress), split_frozen(state.params, frozen, whole)
        updates, opt_state = optimizer.update(progress.gradient, state.opt_state, trained)
        sums, (grad_norm, is_sound) = progress.sums, gradient_norm(progress.gradient)
        metrics = {
            "train/loss": sums.loss / progress.total,
            "train/entropy": sums.entropy / sums.tokens,
            "train/grad_norm": grad_norm,
            "train/tokens": progress.trained,
            "train/is_finite": is_sound.astype(jnp.float32),
        }
        if stage.kind == "grpo":
            metrics["mismatch/prob_diff_mean"] = sums.mismatch / sums.tokens
            metrics["mismatch/prob_diff_max"] = sums.mismatch_max
            if not on_policy:
                metrics["train/clipped_share"] = sums.clipped / progress.trained
                metrics["train/ratio_diff_mean"] = sums.moved / progress.trained
            if _weighs(stage.loss, on_policy):
                metrics["mismatch/weight_cut_share"] = sums.weight_cut / sums.tokens
            if stage.loss.kl_coef:
                metrics["train/kl"] = sums.kl / sums.tokens
        params = join(optax.apply_updates(trained, updates), fixed)
        return state._replace(params=params, opt_state=opt_state, step=state.step + steps), metrics

    if not on_policy:
        gradient = make_phased_gradient(config, stage, ids, draws)
    return Update(begin, by_replica(gradient), finish)


def make_phased_gradient(
    config: ModelConfig, stage: StageConfig, ids: TokenIds, draws: Draws
) -> Callable[..., Progress]:
    """Build the `gradient(params, reference, progress, batch, rows, phase, width) -> progress` of `Update` for a stage
    with several updates per rollout."""
    frozen, judge = stage.optimizer.frozen, make_judge(stage.kind, stage.loss, on_policy=False)
    score_reference = make_reference_score(config, ids, draws, frozen)

    def gradient(
        params: Any,
        reference: Any,
        progress: Progress,
        batch: TrainBatch,
        rows: Int[Array, "D n"],
        phase: Int[Array, ""],
        width: int,
        bucket: Bucket = None,
    ) -> Progress:
        trained, fixed = split_frozen(params, frozen, config.lora.whole)
        own = own_rows(within(batch, bucket), rows)

        def forward(trained: Any) -> tuple[Array, Array]:
            given = bind(config, join(trained, fixed)), ids, own.prompts, own.tokens, own.mask, draws
            return completion_logprobs(*given, width=width, remat=stage.remat, observed=own.observed)

        # In all phases the same instructions make them: the two branches get them as they are.
        logprobs, backward, entropy = jax.vjp(forward, trained, has_aux=True)
        logprobs, entropy = jax.lax.optimization_barrier((logprobs, entropy))

        def note() -> Progress:
            return progress._replace(old=put_rows(progress.old, rows, logprobs))

        def learn() -> Progress:
            given = own._replace(old=jnp.where(phase == FIRST, logprobs, own_rows(progress.old, rows)))
            if stage.loss.kl_coef:
                given = given._replace(reference=score_reference(params, reference, given, width))
            to_logprobs, sums = jax.grad(judge, has_aux=True)(logprobs, entropy, given, progress.total)
            return added(progress, *backward(to_logprobs), sums)

        return jax.lax.cond(phase == NOTE, note, learn)

    return gradient


def of_step(updates: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """A step's metrics from those of its updates: means, but the sum of tokens, the largest of the differences between
    sampler and trainer, and whether all gradients were finite."""

    def whole(name: str, values: list[float]) -> float:
        special = {"train/tokens": sum, "train/is_finite": min, "mismatch/prob_diff_max": max}
        return special.get(name, statistics.fmean)(values)

    return {name: whole(name, [update[name] for update in updates]) for name in updates[0]}
