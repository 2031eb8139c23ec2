"""Greedy accuracy on fresh scenes, with intervals: per suite, and within it per engine, question type and level.

`Evaluator` asks suites of a model that is on the device; `proof_of_sight` shows that it looks at the pictures. Both are
the run's own, before and after each stage; `perc_jax.evaluate` asks the same questions and keeps each answer.
"""

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils

import engines
from perc_jax import statistics
from perc_jax.config import Config
from perc_jax.data import batches
from perc_jax.processes import progress
from perc_jax.programs.compiled import Programs, Score
from perc_jax.prompt import questions, tokenizer
from perc_jax.report import samples
from perc_jax.rewards.verifier import Verdict, Verifier


class Item(NamedTuple):
    """One question of a suite and how it was answered."""

    engine: str
    question_type: str
    level: int
    correct: bool


class Evaluator:
    """Asks suites of a model that is on the device. Holds nothing of the model itself."""

    def __init__(
        self,
        config: Config,
        programs: Programs,
        tokens: tokenizer.Tokenizer,
        verifier: Verifier,
        screen: progress.Progress,
        is_told_to_end: Callable[[], bool] = lambda: False,
    ):
        """`is_told_to_end` is asked before each batch, on all hosts, and must say the same to all."""
        self._config, self._programs, self._tokens, self._verifier = config, programs, tokens, verifier
        self._screen, self._is_told_to_end = screen, is_told_to_end

    def suites(self, params: Any) -> tuple[dict[str, Any], list[samples.Shown]] | None:
        """Results by suite (JSON-ready, see `summary`) and the first answers of each, for people to look at.

        None if it was told to end before all was asked.
        """
        results, shown = {}, []
        evaluation = self._config.evaluation
        counts = dict(zip(evaluation.suites, evaluation.samples, strict=True))
        with contextlib.ExitStack() as opened:
            # All at once: workers take seconds to start, and those whose suite must wait draw ahead.
            streams = {suite: opened.enter_context(_stream(self._config, suite, n)) for suite, n in counts.items()}
            for suite, stream in streams.items():
                items, looked_at = self._ask(params, suite, counts[suite], stream)
                if len(items) < counts[suite]:
                    return None
                results[suite] = summary(items)
                shown += looked_at
        for suite, n in list(counts.items())[:1] if evaluation.blind else ():
            blind = self._blind(params, suite, min(n, evaluation.blind))
            if blind is None:
                return None
            results[suite]["blind"] = blind
        return results, shown

    def _blind(self, params: Any, suite: str, count: int) -> dict[str, Any] | None:
        """Accuracy on the first questions with a uniform grey picture in place of each; None if told to end."""
        with _stream(self._config, suite, count) as stream:
            items, _ = self._ask(params, suite, count, stream, blind=True)
        if len(items) < count:
            return None
        return {name: value for name, value in summary(items).items() if name in ("n", "accuracy", "ci95")}

    def _ask(
        self, params: Any, suite: str, count: int, stream: batches.Stream, blind: bool = False
    ) -> tuple[list[Item], list[samples.Shown]]:
        items: list[Item] = []
        shown: list[samples.Shown] = []
        name = f"{suite}, blind" if blind else suite
        with self._screen.phase(f"evaluating {name}"), self._screen.bar(name, count) as advance:
            for batch in stream:
                if self._is_told_to_end():
                    break
                prompts = questions.unseen(batch.prompts) if blind else batch.prompts
                completions = self._programs.greedy(params, prompts)
                texts = [
                    self._tokens.decode(row[0, keep[0]].tolist())
                    for row, keep in zip(completions.tokens, completions.mask, strict=True)
                ]
                verdicts = self._verifier.verify(texts, [info.answer for info in batch.samples])
                new = _of_all_hosts(
                    [_item(*pair) for pair in zip(batch.samples, verdicts, strict=True)], count - len(items)
                )
                items += new
                for row in np.flatnonzero(batch.real)[: self._config.evaluation.shown - len(shown)].tolist():
                    answers = samples.answers([texts[row]], [verdicts[row]], completions.ended[row])
                    seen = samples.picture(self._config, prompts, row)
                    shown.append(samples.Shown(batch.samples[row], seen, answers, suite))
                advance(len(new))
        return items, shown


def proof_of_sight(config: Config, programs: Programs, score: Score, params: Any) -> dict[tuple[str, str], float]:
    """Largest changes of log-probabilities by (sampler or trainer, blank or swapped): under blank pictures and under
    another prompt's, of the sampler's first answer token and of the trainer's whole answers to the true ones.

    `params` are those of training, `score` is the programs' scorer.

    Raises `RuntimeError` if one of them is 0: then the pictures do not reach the model.
    """
    with _stream(config, "test_a", config.evaluation.batch) as stream:
        prompts = next(stream).prompts
    shown = {
        "true": prompts,
        "blank": questions.unseen(prompts, questions.MEAN_COLOUR),
        "swapped": prompts._replace(pixels=np.roll(prompts.pixels, 1, axis=0)),
    }
    published = programs.publish(params)
    sampled = {name: programs.greedy(published, seen) for name, seen in shown.items()}
    answers = sampled["true"]
    by = {
        "sampler": {name: completions.logprobs[:, 0, 0] for name, completions in sampled.items()},
        "trainer": {name: score(params, seen, answers.tokens)[answers.mask] for name, seen in shown.items()},
    }
    changes = {
        (who, name): float(np.abs(logprobs["true"] - logprobs[name]).max())
        for who, logprobs in by.items()
        for name in ("blank", "swapped")
    }
    for (who, name), change in changes.items():
        if change == 0:
            raise RuntimeError(f"a {name} picture must change the {who}'s log-probabilities, but it changes nothing")
    return changes


def _stream(config: Config, suite: str, count: int) -> batches.Stream:
    """This host's part of a suite."""
    return batches.suite(config, suite, count, process_index=jax.process_index(), process_count=jax.process_count())


def _item(info: batches.SampleInfo, verdict: Verdict) -> Item:
    return Item(info.engine, info.question_type, info.level, verdict.correct)


def _cells() -> list[tuple[str, str]]:
    """Every (engine, question type), in a fixed order: how hosts name them to each other."""
    return [(name, kind.name) for name, engine in engines.ENGINES.items() for kind in engine.types]


def _of_all_hosts(asked: Sequence[Item], left: int) -> list[Item]:
    """This batch's items of all hosts, in the order of the hosts; at most `left` of them."""
    if jax.process_count() == 1:
        return list(asked[:left])
    cells = _cells()
    rows = np.full((len(asked), 3), 0, np.int32)
    for row, item in zip(rows, asked, strict=True):
        row[:] = cells.index((item.engine, item.question_type)), item.level, item.correct
    gathered = multihost_utils.process_allgather(rows).reshape(-1, 3)[:left]
    return [Item(*cells[cell], int(level), bool(correct)) for cell, level, correct in gathered]


def summary(items: Sequence[Item]) -> dict[str, Any]:
    """Count, accuracy in [0, 1], its Wilson 95 % interval, accuracy by engine, type and level, each item's 0 or 1."""

    def accuracy(chosen: Iterable[Item]) -> dict[str, Any]:
        correct = [item.correct for item in chosen]
        return {"n": len(correct), "accuracy": sum(correct) / len(correct)}

    def by(key: Any) -> dict[str, Any]:
        groups = defaultdict(list)
        for item in items:
            groups[key(item)].append(item)
        return {name: accuracy(groups[name]) for name in sorted(groups)}

    correct = [int(item.correct) for item in items]
    return accuracy(items) | {
        "ci95": list(statistics.wilson_interval(sum(correct), len(correct))),
        "by": {
            "engine": by(lambda item: item.engine),
            "type": by(lambda item: f"{item.engine}.{item.question_type}"),
            "level": by(lambda item: str(item.level)),
            "cell": by(lambda item: f"{item.engine}.{item.question_type}/{item.level}"),
        },
        "correct": correct,
    }
