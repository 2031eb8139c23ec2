"""Greedy accuracy on fresh scenes, with intervals: per suite, and within it per engine, question type and level.

`Evaluator` asks suites of a model that is on the device; `proof_of_sight` shows that it looks at the pictures. Both are
the run's own, before and after each stage; `perc_jax.evaluate` asks the same questions and keeps each answer.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

import engines
from perc_jax import statistics
from perc_jax.batch import Completions, PromptBatch, Share
from perc_jax.config import Config, RewardConfig
from perc_jax.data import streams, table_prompts
from perc_jax.data.batches import Batch, Stream
from perc_jax.data.engines import SampleInfo
from perc_jax.environments.playground import Playground
from perc_jax.environments.talks import Talks
from perc_jax.evaluation.papers import Papers, of_suite
from perc_jax.mesh import sharding
from perc_jax.processes import progress
from perc_jax.programs.compiled import Programs, Score
from perc_jax.prompt import questions, tokenizer
from perc_jax.report import samples
from perc_jax.rewards.answers import KINDS
from perc_jax.rewards.callers import FEW
from perc_jax.rewards.terms import Case
from perc_jax.rewards.verifier import Verdict, Verifier, term_names

SIGHT_NATS = 0.01  # by which another picture must move the log-odds of a token: 1 % of its odds. Seeing moves tenths
ROUNDED = 6  # digits of a term's value that are kept
CERTAIN_NATS = 1e-6  # a token of a log-probability above minus this is certain: float32 resolves no more


class Item(NamedTuple):
    """One question of a suite and how it was answered."""

    engine: str
    question_type: str
    level: int
    correct: bool
    terms: tuple[float, ...] = ()  # of the config's rewards, then their parts; NaN: not measured
    pictures: int = 0  # of a table's row: 64 bits that are the same for rows that show the same; 0: not known, or none


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
        playground: Playground | None = None,
    ):
        """`is_told_to_end` is asked before each batch, on all hosts, and must say the same to all; `playground` has the
        config's environment, where it has one."""
        self._playground = playground
        self._config, self._programs, self._tokens, self._verifier = config, programs, tokens, verifier
        self._screen, self._is_told_to_end = screen, is_told_to_end
        self._measured = term_names(RewardConfig(config.measured)) if config.measured else []
        self._said: set[tuple[str, str]] = set()  # suites and the terms that cannot be measured on them
        evaluation = config.evaluation
        self._counts = dict(zip(evaluation.suites, evaluation.samples, strict=True))
        self._tables = {table.label: len(table_prompts.opened(table)) for table in evaluation.tables}
        self._counts |= self._tables
        self._papers = Papers(config, self._counts, programs.share)
        self._of_all_hosts([])  # compiled now: a run may first ask between two steps

    def suites(self, params: Any, but: Container[str] = ()) -> tuple[dict[str, Any], list[samples.Shown]] | None:
        """Results by suite, `but` for some (JSON-ready, see `summary`), and the first answers of each, for people to
        look at.

        None if it was told to end before all was asked.
        """
        results, shown = {}, []
        with self._papers.opened(but) as ask:
            for suite, count in self._counts.items():
                if suite in but:
                    continue
                items, looked_at = self._ask(params, suite, count, ask(suite))
                if len(items) < count:
                    return None
                results[suite] = summary(items, self._measured)
                self._say_unmeasured(suite, results[suite])
                shown += looked_at
        few = self._config.evaluation.blind
        for suite, count in [one for one in list(self._counts.items())[:1] if few and one[0] in results]:
            blind = self._blind(params, suite, min(count, few))
            if blind is None:
                return None
            results[suite]["blind"] = blind
        return results, shown

    def _blind(self, params: Any, suite: str, count: int) -> dict[str, Any] | None:
        """Accuracy on the first questions with a uniform grey picture in place of each; None if told to end."""
        with self._papers.first(suite, count) as batches:
            items, _ = self._ask(params, suite, count, batches, blind=True)
        if len(items) < count:
            return None
        return {name: value for name, value in summary(items).items() if name in ("n", "accuracy", "ci95")}

    def _ask(
        self, params: Any, suite: str, count: int, batches: Iterator[Batch], blind: bool = False
    ) -> tuple[list[Item], list[samples.Shown]]:
        items: list[Item] = []
        shown: list[samples.Shown] = []
        failures: Counter[str] = Counter()
        name = f"{suite}, blind" if blind else suite
        with self._screen.phase(f"evaluating {name}"), self._screen.bar(name, count) as advance:
            for batch in batches:
                if self._is_told_to_end():
                    break
                prompts = questions.unseen(batch.prompts) if blind else batch.prompts
                completions, talks = self._answered(params, prompts, batch)
                ends = talks.endings() if talks else [None] * len(batch.samples)
                texts = [
                    self._tokens.decode(row[0, keep[0]].tolist())
                    for row, keep in zip(completions.tokens, completions.mask, strict=True)
                ]
                lengths = completions.mask[:, 0].sum(axis=1).tolist()
                verdicts, terms = self._mark(
                    [
                        Case(text, info.answer, tokens, info.given, ending)
                        for text, info, tokens, ending in zip(texts, batch.samples, lengths, ends, strict=True)
                    ],
                    failures,
                )
                shows = _pictures_of(batch.prompts) if suite in self._tables else [0] * len(texts)
                asked = map(_item, batch.samples, verdicts, terms, shows)
                new = self._of_all_hosts(list(asked))[: count - len(items)]
                items += new
                for row in np.flatnonzero(batch.real)[: self._config.evaluation.shown - len(shown)].tolist():
                    answers = samples.answers([texts[row]], [verdicts[row]], completions.ended[row])
                    if talks:
                        sampled = completions.logprobs[row, 0][completions.mask[row, 0]]
                        answers[0]["turns"] = samples.turns(talks.exchanges[row], sampled, self._tokens)
                        answers[0]["met"] = ends[row].met
                    seen = samples.picture(self._config, prompts, row)
                    shown.append(samples.Shown(batch.samples[row], seen, answers, suite))
                advance(len(new))
        return items, shown

    def _answered(self, params: Any, prompts: PromptBatch, batch: Batch) -> tuple[Completions, Talks | None]:
        """Greedy completions of a batch, and the conversations that they are in an environment."""
        played = self._config.environment
        if self._playground is None or played.name == "none":
            return self._programs.greedy(params, prompts), None
        states = [info.state for info in batch.samples]
        talks = self._playground.talks_in(played, states, 1, self._tokens, self._programs.agree)
        return self._programs.converse(params, prompts, talks.begin), talks

    def _mark(self, cases: Sequence[Case], failures: Counter[str]) -> tuple[list[Verdict], list[tuple[float, ...]]]:
        """Verdicts, and what the rewards' terms say, NaN where a user's function fails; what failed is said.

        `failures` counts, of the suite's batches so far, the calls of each function that failed less those that did
        not; one that has failed `FEW` times more often than not is called no more.
        """
        terms = tuple(term for term in self._config.measured if failures[term.label] < FEW)
        if not terms:
            return self._verifier.judged(cases), [(np.nan,) * len(self._measured)] * len(cases)
        reward = RewardConfig(terms)
        scores = self._verifier.measure(cases, reward)
        for line in scores.lines:
            self._screen.say(line)
        values = np.full((len(cases), len(self._measured)), np.nan)
        values[:, [self._measured.index(name) for name in term_names(reward)]] = np.concatenate(
            [scores.terms, scores.parts], axis=1
        )
        for term, column in zip(terms, scores.terms.T, strict=True):
            failures[term.label] += 2 * int(np.isnan(column).sum()) - len(column)
        return scores.verdicts, list(map(tuple, values.tolist()))

    def _say_unmeasured(self, suite: str, result: Mapping[str, Any]) -> None:
        """Say once which terms a suite's results lack."""
        labels = [term.label for term in self._config.measured]
        lacking = {(suite, name) for name in labels if name not in result.get("terms", {})} - self._said
        self._said |= lacking
        for _, name in sorted(lacking):
            self._screen.say(f"{suite} has no {name}: most calls of that reward term failed on its questions")

    def _of_all_hosts(self, asked: Sequence[Item]) -> list[Item]:
        """A batch's items of all hosts, in its order."""
        if jax.process_count() == 1:
            return list(asked)
        cells = _cells(self._config)
        rows = np.zeros(
            (len(self._programs.share.rows(self._config.evaluation.batch)), 5 + len(self._measured)), np.int32
        )
        for row, item in zip(rows, asked, strict=False):
            row[:3] = cells.index((item.engine, item.question_type)), item.level, item.correct
            row[3:5] = np.array([item.pictures], np.uint64).view(np.int32)
            row[5:] = np.array(item.terms, np.float32).view(np.int32)
        gathered = sharding.rows_of_all_hosts(rows, self._programs.mesh)
        terms = map(tuple, gathered[:, 5:].view(np.float32).tolist())
        pictures = np.ascontiguousarray(gathered[:, 3:5]).view(np.uint64)[:, 0].tolist()
        heads = gathered[:, :3].tolist()
        return [
            Item(*cells[cell], level, bool(correct), each, shows)
            for (cell, level, correct), each, shows in zip(heads, terms, pictures, strict=True)
        ]


def proof_of_sight(config: Config, programs: Programs, score: Score, params: Any) -> dict[tuple[str, str], float]:
    """Largest changes of log-odds in nats by (sampler or trainer, blank or swapped): under blank pictures and under
    another prompt's, of the sampler's answers as far as they begin alike and of the trainer's whole answers to the true
    ones.

    `params` are those of training, `score` is the programs' scorer.

    Raises `RuntimeError` if one of them is below `SIGHT_NATS` or no number: then the pictures do not reach the model.
    """
    count = config.evaluation.batch
    is_alone = count == 1  # the other picture is the next batch's
    with _looked_at(config, 2 * count if is_alone else count, programs.share) as stream:
        prompts = next(stream).prompts
        others = next(stream).prompts.pixels if is_alone else sharding.rolled_rows(prompts.pixels, programs.mesh)
    shown = {
        "true": prompts,
        "blank": questions.unseen(prompts, questions.MEAN_COLOUR),
        "swapped": prompts._replace(pixels=others),
    }
    published = programs.publish(params)
    sampled = {name: programs.greedy(published, seen) for name, seen in shown.items()}
    answers = sampled["true"]
    scored = {name: score(params, seen, answers.tokens)[answers.mask] for name, seen in shown.items()}
    changes = {}
    for name in ("blank", "swapped"):
        alike = _begun_alike(answers, sampled[name])
        changes["sampler", name] = moved(answers.logprobs[alike], sampled[name].logprobs[alike])
    for name in ("blank", "swapped"):
        changes["trainer", name] = moved(scored["true"], scored[name])
    changes = {what: sharding.max_over_hosts(change) for what, change in changes.items()}
    for (who, name), change in changes.items():
        check_sight(change, name, who)
    return changes


def moved(true: np.ndarray, other: np.ndarray) -> float:
    """The largest change of a token's log-odds in nats, from log-probabilities under two pictures; NaN if one is.

    Odds show what a log-probability near 0 hides: a model that is all but certain how an answer begins.
    """

    def odds(logprobs: np.ndarray) -> np.ndarray:
        bounded = np.minimum(np.asarray(logprobs, np.float64), -CERTAIN_NATS)
        return bounded - np.log(-np.expm1(bounded))

    return float(np.abs(odds(true) - odds(other)).max())


def are_certain(logprobs: np.ndarray) -> bool:
    """Whether every token was certain, as far as float32 can tell: such tokens show nothing of what a model sees."""
    return bool((logprobs > -CERTAIN_NATS).all())


def _begun_alike(one: Completions, other: Completions) -> np.ndarray:
    """The places [P, G, C] of two answers to a prompt up to the first token in which they differ, that one included."""
    same = np.cumprod(one.tokens == other.tokens, axis=-1, dtype=bool)
    before = np.concatenate([np.ones_like(same[..., :1]), same[..., :-1]], axis=-1)
    return before & one.mask & other.mask


def check_sight(change: float, picture: str, who: str = "model") -> None:
    """Raise `RuntimeError` unless another picture (`blank`, `swapped`) has moved the log-odds enough; NaN has not."""
    if not change >= SIGHT_NATS:
        raise RuntimeError(
            f"a {picture} picture must change the {who}'s log-odds of a token by >= {SIGHT_NATS}, got {change:.2g}"
        )


def _looked_at(config: Config, count: int, share: Share) -> Stream:
    """What a model is shown to prove that it sees: scenes of the engines where there are any, else of the first table
    whose first rows have pictures. Raises `ValueError` if none has."""
    if any(stage.mixture.engines for stage in config.stages):
        return streams.exam(config, of_suite(config, "test_a", count, share))
    tables = [*(table for stage in config.stages for table in stage.mixture.tables), *config.evaluation.tables]
    for table in dict.fromkeys(tables):
        rows = table_prompts.opened(table)
        if any(rows[number].pictures for number in range(min(count, len(rows)))):
            return streams.exam(config, streams.of_table(config, table, share=share, lenient=True))
    raise ValueError(f"one of the tables must have a picture in its first {count} rows: {[t.label for t in tables]}")


def _item(info: SampleInfo, verdict: Verdict, terms: tuple[float, ...], pictures: int) -> Item:
    return Item(info.engine, info.question_type, info.level, verdict.correct, terms, pictures)


def _pictures_of(prompts: PromptBatch) -> list[int]:
    """What `Item.pictures` says of each row."""
    found = []
    for numbers, *parts in zip(prompts.patch_image, prompts.patch_rowcol, prompts.pixels, strict=True):
        real = numbers >= 0
        content = hashlib.sha256(b"".join(part[real].tobytes() for part in (numbers, *parts)))
        found.append(int.from_bytes(content.digest()[:8], "little") if real.any() else 0)
    return found


def _units(items: Sequence[Item]) -> list[int]:
    """The number of what each item belongs to, from 0: those of a table that show the same are one."""
    places: dict[Any, int] = {}
    names = [item.pictures or (place, "alone") for place, item in enumerate(items)]
    return [places.setdefault(name, len(places)) for name in names]


def _cells(config: Config) -> list[tuple[str, str]]:
    """Every (engine, question type) and (table, kind of answer) in a fixed order: how hosts name them to each other."""
    asked = [(name, kind.name) for name, engine in engines.ENGINES.items() for kind in engine.types]
    return asked + [(table.label, kind) for table in config.evaluation.tables for kind in KINDS]


def summary(items: Sequence[Item], measured: Sequence[str] = ()) -> dict[str, Any]:
    """Count, accuracy in [0, 1], its 95 % interval (`statistics.share_interval`), accuracy by engine, type and level,
    each item's 0 or 1 (`correct`) and what it asked (`asked`, `engine.type/level`); the engines' `versions`, or of a
    table the `units` of its rows, those that show the same pictures as one; `terms` by their names, where some are
    measured: mean, its interval by resampling units, and each item's value, 0 where it is NaN; none where it is so of
    more than half."""

    def accuracy(chosen: Iterable[Item]) -> dict[str, Any]:
        correct = [item.correct for item in chosen]
        return {"n": len(correct), "accuracy": sum(correct) / len(correct)}

    def by(key: Any) -> dict[str, Any]:
        groups = defaultdict(list)
        for item in items:
            groups[key(item)].append(item)
        return {name: accuracy(groups[name]) for name in sorted(groups)}

    correct = [int(item.correct) for item in items]
    drawn_by = {item.engine for item in items} & engines.ENGINES.keys()
    versions = {name: engines.ENGINES[name].version for name in sorted(drawn_by)}
    values = {name: np.array([item.terms[place] for item in items]) for place, name in enumerate(measured)}
    units = _units(items)
    terms = {name: _term(each, units) for name, each in values.items() if 2 * np.isnan(each).sum() <= len(each)}
    right, rng = np.array(correct, np.float64), np.random.default_rng(0)
    return accuracy(items) | {
        "ci95": list(statistics.share_interval(right, rng, units)),
        "by": {
            "engine": by(lambda item: item.engine),
            "type": by(lambda item: f"{item.engine}.{item.question_type}"),
            "level": by(lambda item: str(item.level)),
            "cell": by(lambda item: f"{item.engine}.{item.question_type}/{item.level}"),
        },
        "correct": correct,
        "asked": [f"{item.engine}.{item.question_type}/{item.level}" for item in items],
        **({"versions": versions} if versions else {"units": units}),
        **({"terms": terms} if terms else {}),
    }


def _term(values: Float[np.ndarray, " n"], units: Sequence[int]) -> dict[str, Any]:
    """What a term says of all items."""
    each = np.nan_to_num(values)
    mean, *ends = statistics.clustered_mean(each, units, np.random.default_rng(0))
    return {"mean": mean, "ci95": ends, "each": [round(value, ROUNDED) for value in each.tolist()]}


def in_words(result: Mapping[str, Any]) -> str:
    """A result of `summary` in a line: accuracy with its interval in percent, then each term's mean with its own."""
    low, high = (100 * end for end in result["ci95"])
    words = [f"{100 * result['accuracy']:.1f} % [{low:.1f}, {high:.1f}]"]
    for name, term in result.get("terms", {}).items():
        low, high = term["ci95"]
        words.append(f"{name} {term['mean']:.3f} [{low:.3f}, {high:.3f}]")
    return ", ".join(words)
