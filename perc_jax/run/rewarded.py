"""From a rollout's tokens to its rewards, advantages, metrics and pages: the host's part of a GRPO step.

`Completions` [P, G, C] of this host and their samples go in; one `Graded` comes out. A group never spans hosts, so
rewards and advantages need no other host, unless it has the same rows; only the counts behind the metrics are summed
over all of them.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

import engines
from engines.base import make_rng
from perc_jax.batch import WHOLE, Completions, Share
from perc_jax.config import Config, RewardConfig, StageConfig
from perc_jax.data.batches import Batch, SampleInfo
from perc_jax.environments.talks import Exchange
from perc_jax.mesh import sharding
from perc_jax.prompt.tokenizer import Tokenizer
from perc_jax.report import samples
from perc_jax.rewards.endings import MALFORMED, REASONS, Ending
from perc_jax.rewards.terms import Case
from perc_jax.rewards.verifier import Rewards, Scorer, Scores, Verdict, no_faults, part_names, rewards, term_names
from perc_jax.rewards.watch import answer_drift, is_degenerate
from perc_jax.update.grpo import Advantages, group_advantages, overlong_penalty, per_reward_advantages

SHOWN_PROMPTS = 4  # of a step whose samples are kept
ACCURACY = RewardConfig()
ROUNDING = 1e-6  # of a mean accuracy in float32
LEAST_DEVIATION = 1e-4  # added to the batch's: advantages that only rounding tells from zero stay small


class Graded(NamedTuple):
    """P x G completions, graded."""

    texts: list[str]  # P * G, group by group
    verdicts: list[Verdict]
    rewards: Float[np.ndarray, "P G"]
    accuracy: Float[np.ndarray, "P G"]
    format: Float[np.ndarray, "P G"]
    terms: Float[np.ndarray, "P G N"]  # of the reward, before their weights
    parts: Float[np.ndarray, "P G M"]  # of those terms that have some
    overlong: Float[np.ndarray, "P G"] | None  # penalty in the reward, -1 to 0; None where the stage has none
    advantages: Float[np.ndarray, "P G"]
    has_signal: Bool[np.ndarray, " P"]
    faults: dict[str, int] = {}  # noqa: RUF012 - what failed in measuring, by `<term>/<reason>`; only read
    lines: tuple[str, ...] = ()  # what was not said before about that
    endings: tuple[Ending, ...] = ()  # of the conversations, where the stage has an environment


def grade(
    completions: Completions,
    infos: Sequence[SampleInfo],
    tokens: Tokenizer,
    scorer: Scorer,
    stage: StageConfig,
    name: tuple[int, int],
    share: Share = WHOLE,
    endings: Sequence[Ending] = (),
) -> Graded:
    """Decode, verify, weigh and compare; `name` (run seed, step) keys the coins of a control run.

    `endings` are those of the conversations, group by group, of a stage with an environment: the verdicts are theirs.

    Every host calls it at the same step: with `loss.advantage = "per_reward"` the hosts add up a deviation, and those
    that share rows agree on their rewards.
    """
    prompts, group, max_tokens = completions.tokens.shape
    rows = completions.tokens.reshape(prompts * group, -1)
    masks = completions.mask.reshape(prompts * group, -1)
    texts = [tokens.decode(row[mask].tolist()) for row, mask in zip(rows, masks, strict=True)]
    lengths = completions.mask.sum(axis=2)
    given = [info.given for info in infos]
    places = [(p, g) for p in range(prompts) for g in range(group)]
    ends = endings or (None,) * len(places)
    cases = [
        Case(text, infos[p].answer, int(lengths[p, g]), given[p], ending)
        for (p, g), text, ending in zip(places, texts, ends, strict=True)
    ]
    scores = scorer.score(cases, stage.reward, group)
    # One stream of coins per prompt: a prompt's coins do not depend on the host or the place it is verified in.
    coins = [make_rng("coin", *name, info.sample_id) for info in infos]
    parts = [rewards(_of_prompt(scores, p, group), stage.reward, coins[p]) for p in range(prompts)]
    graded = Rewards(*(np.stack(column) for column in zip(*parts, strict=True)))
    graded, verdicts = agreed(graded, scores.verdicts, share)
    overlong = None
    if stage.loss.overlong_tokens and stage.reward.control == "none":  # a coin is the whole reward of a control run
        places = lengths if completions.observed is None else completions.observed.present.sum(axis=2)  # what is cut
        overlong = overlong_penalty(places.astype(np.float32), max_tokens, stage.loss.overlong_tokens)
        graded = graded._replace(total=graded.total + overlong)
    advantages, has_signal = compare(graded, overlong, stage)
    is_wanted = within_band(graded.accuracy, stage.accuracy_band)
    advantages, has_signal = np.where(is_wanted[:, None], advantages, 0).astype(np.float32), has_signal & is_wanted
    return Graded(
        texts, verdicts, *graded, overlong, advantages, has_signal, scores.faults, scores.lines, tuple(endings)
    )


def within_band(accuracy: Float[np.ndarray, "P G"], band: tuple[float, float]) -> Bool[np.ndarray, " P"]:
    """Whether each group's mean accuracy is within a band, ends included."""
    means = accuracy.mean(axis=1)
    return (means >= band[0] - ROUNDING) & (means <= band[1] + ROUNDING)


def _of_prompt(scores: Scores, prompt: int, group: int) -> Scores:
    """The scores of one prompt's completions."""
    mine = slice(prompt * group, (prompt + 1) * group)
    return scores._replace(verdicts=scores.verdicts[mine], terms=scores.terms[mine], parts=scores.parts[mine])


def rewards_of(graded: Graded) -> Rewards:
    """The rewards of graded completions, with their parts."""
    return Rewards(graded.rewards, graded.accuracy, graded.format, graded.terms, graded.parts)


def no_rewards(shape: tuple[int, int], reward: RewardConfig) -> Rewards:
    """Zeros for P x G completions, in the shapes that a stage's rewards have."""
    widths = len(reward.terms), len(part_names(reward))
    plain, many = np.zeros(shape, np.float32), [np.zeros((*shape, width), np.float32) for width in widths]
    return Rewards(plain, plain, plain, *many)


def agreed(graded: Rewards, verdicts: Sequence[Verdict], share: Share) -> tuple[Rewards, list[Verdict]]:
    """What the first of the hosts with these rows found: [P, G] rewards and parts, and which verdicts came too late.

    A deadline may pass on one host and not on another, and the devices of one unit must be given the same advantages.
    Every host calls it at the same step.
    """
    late = np.array([verdict.timed_out for verdict in verdicts], np.float32).reshape(graded.total.shape)
    flat = [np.moveaxis(many, -1, 0) for many in (graded.terms, graded.parts)]
    found = sharding.as_first_sharer(np.concatenate([np.stack([*graded[:3], late]), *flat]), share)
    *whole, late = found[:4]
    many, count = np.moveaxis(found[4:], 0, -1), graded.terms.shape[-1]
    flags = late.astype(bool).reshape(-1).tolist()
    verdicts = [one._replace(timed_out=flag) for one, flag in zip(verdicts, flags, strict=True)]
    return Rewards(*whole, many[..., :count], many[..., count:]), verdicts


def compare(graded: Rewards, overlong: np.ndarray | None, stage: StageConfig) -> Advantages:
    """The stage's kind of advantages, of [P, G] rewards and parts; every host calls it at the same step."""
    if stage.loss.advantage != "per_reward":
        return group_advantages(graded.total, standardise=stage.loss.advantage == "standardised")
    if stage.reward.control == "random":
        terms = [(graded.total, 1.0)]
    else:
        terms = [(graded.terms[..., n], term.weight) for n, term in enumerate(stage.reward.terms)]
        terms += [(overlong, 1.0)] if overlong is not None else []
    values, weights = zip(*terms, strict=True)
    advantages, has_signal = per_reward_advantages(np.stack(values), np.array(weights, np.float32))
    # Each group's mean is 0, so that of the batch is too. All rows are shared by equally many hosts: all may count.
    sums = sharding.sum_over_hosts({"squares": _total(advantages**2), "count": float(advantages.size)})
    deviation = (sums["squares"] / sums["count"]) ** 0.5
    return Advantages(advantages / np.float32(deviation + LEAST_DEVIATION), has_signal)


def _total(values: np.ndarray) -> float:
    """A sum of float32 numbers in float64: the same however they are shared out among hosts."""
    return float(values.sum(dtype=np.float64))


def join(rounds: Sequence[Graded]) -> Graded:
    """Several rollouts of one step as one."""
    if len(rounds) == 1:
        return rounds[0]
    columns = dict(zip(Graded._fields, zip(*rounds, strict=True), strict=True))
    texts, verdicts = (list(chain.from_iterable(columns.pop(name))) for name in ("texts", "verdicts"))
    lines, endings = (tuple(chain.from_iterable(columns.pop(name))) for name in ("lines", "endings"))
    faults = dict(sum(map(Counter, columns.pop("faults")), Counter()))
    whole = {name: None if parts[0] is None else np.concatenate(parts) for name, parts in columns.items()}
    return Graded(texts, verdicts, **whole, faults=faults, lines=lines, endings=endings)


def summarise(
    graded: Graded,
    completions: Completions,
    infos: Sequence[SampleInfo],
    share: Share = WHOLE,
    reward: RewardConfig = ACCURACY,
    tables: Sequence[str] = (),
) -> dict[str, float]:
    """Metrics of a rollout over all hosts, by path; an engine or table that was not drawn has no accuracy in this step.

    The entropy is estimated by minus the mean log-probability of the sampled tokens.
    """
    prompts, group = graded.rewards.shape
    correct = graded.accuracy.sum(axis=1)
    sums = {
        "rollout/reward": _total(graded.rewards),
        "rollout/accuracy": float(correct.sum()),
        "rollout/format": float(graded.format.sum()),
        "rollout/completion_length": float(completions.mask.sum()),
        "rollout/entropy": -_total(completions.logprobs[completions.mask]),
        "rollout/cut_share": float((~completions.ended).sum()),
        "rollout/degenerate_share": float(sum(map(is_degenerate, graded.texts))),
        "rollout/answer_drift": _drift(graded, infos) * prompts * group,
        "rollout/timed_out": float(sum(verdict.timed_out for verdict in graded.verdicts)),
        "groups/no_signal_share": float((~graded.has_signal).sum()),
        "groups/all_right_share": float((correct == group).sum()),
        "groups/all_wrong_share": float((correct == 0).sum()),
        "prompts": float(prompts),
    }
    for source in (*engines.ENGINES, *tables):
        mine = np.array([info.engine == source for info in infos])
        sums[f"rollout/accuracy/{source}"] = float(correct[mine].sum())
        sums[f"prompts/{source}"] = float(mine.sum())
    values = np.concatenate([graded.terms, graded.parts], axis=-1)
    sums |= {f"rollout/reward/{name}": _total(values[..., n]) for n, name in enumerate(term_names(reward))}
    sums |= {f"faults/{name}": float(graded.faults.get(name, 0)) for name in no_faults(reward)}
    if graded.overlong is not None:
        sums["rollout/overlong"] = _total(graded.overlong)
    if graded.endings:
        sums |= _conversed(graded.endings)
    sums = sharding.sum_over_hosts(sums, share)
    metrics = {}
    for name, value in sums.items():
        if name.startswith("rollout/accuracy/"):
            drawn = sums[f"prompts/{name.removeprefix('rollout/accuracy/')}"]
            if drawn:
                metrics[name] = value / (drawn * group)
        elif name.startswith("groups/"):
            metrics[name] = value / sums["prompts"]
        elif name == "rollout/timed_out":
            metrics[name] = value
        elif name.startswith("faults/"):
            metrics[f"rollout/{name}"] = value
        elif name == "rollout/entropy":
            metrics[name] = value / sums["rollout/completion_length"]
        elif name.startswith("rollout/"):
            metrics[name] = value / (sums["prompts"] * group)
    return metrics


def _conversed(endings: Sequence[Ending]) -> dict[str, float]:
    """Sums over conversations: turns, pictures returned, how many had a malformed turn, and each reason by its name."""
    counts = sum((Counter(one.counts) for one in endings), Counter())
    malformed = sum(any(one.counts.get(reason) for reason in MALFORMED) for one in endings)
    sums = {"rollout/turns": counts["turns"], "rollout/pictures": counts["pictures"]}
    sums |= {"rollout/malformed_share": malformed} | {f"rollout/turns/{name}": counts[name] for name in REASONS}
    return {name: float(value) for name, value in sums.items()}


def _drift(graded: Graded, infos: Sequence[SampleInfo]) -> float:
    """The drift of this host's answers from the right ones."""
    golds = [info.answer.text() for info in infos for _ in range(graded.rewards.shape[1])]
    return answer_drift([verdict.parsed for verdict in graded.verdicts], golds)


def shown(
    graded: Graded,
    completions: Completions,
    batch: Batch,
    config: Config,
    reward: RewardConfig = ACCURACY,
    exchanges: Sequence[Sequence[Exchange]] = (),
    tokens: Tokenizer | None = None,
) -> list[samples.Shown]:
    """The first prompts of a step with all their answers; where those are conversations, their `exchanges`, group by
    group, with what the tokenizer makes of each token."""
    group, names = graded.rewards.shape[1], term_names(reward)
    pages = []
    for row in range(min(SHOWN_PROMPTS, len(batch.samples))):
        mine = slice(row * group, (row + 1) * group)
        answers = samples.answers(
            graded.texts[mine],
            graded.verdicts[mine],
            completions.ended[row],
            graded.rewards[row],
            graded.advantages[row],
            dict(zip(names, np.concatenate([graded.terms, graded.parts], axis=-1)[row].T, strict=True)),
        )
        for answer, talk, logprobs, mask in zip(
            answers, exchanges[mine], completions.logprobs[row], completions.mask[row], strict=bool(exchanges)
        ):
            answer["turns"] = samples.turns(talk, logprobs[mask], tokens)
        for answer, ending in zip(answers, graded.endings[mine], strict=bool(graded.endings)):
            answer["met"] = ending.met
        pages.append(samples.Shown(batch.samples[row], samples.picture(config, batch.prompts, row), answers))
    return pages
