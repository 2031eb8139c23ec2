"""Asking a model an exam: every question once, every answer kept at once, results from what was kept alone.

An `Examiner` goes through an exam's batches and appends a `Record` per question; begun again on the same file it asks
what is left. `result` turns records into numbers and never looks at how they came about, so an evaluation that was
interrupted, and one on another number of devices, gives the same ones.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from perc_jax import statistics
from perc_jax.benchmarks import Item, base
from perc_jax.benchmarks.base import BOOTSTRAP_SEED, Scored
from perc_jax.evaluation import compare, scoring, suites
from perc_jax.evaluation.answering import Respondent
from perc_jax.evaluation.exams import Asked, BenchmarkExam, Exam, PlannedExam
from perc_jax.evaluation.subject import Subject
from perc_jax.mesh import sharding
from perc_jax.processes.progress import Progress
from perc_jax.prompt import questions
from perc_jax.records.lines import Record, Records


class Examiner:
    """Asks a model one exam after the other.

    Args:
        model: that is asked.
        respondent: of the model, with `samples` answers per question.
        screen: told how far it is.
        samples: k.
    """

    def __init__(self, model: Subject, respondent: Respondent, screen: Progress, samples: int):
        self._model, self._respondent, self._screen, self._samples = model, respondent, screen, samples
        self._has_seen = False

    def results(
        self, exams: Sequence[Exam], kept: Mapping[tuple[str, bool], Records], blind: bool
    ) -> dict[str, dict[str, Any]]:
        """Results by the exams' names, each as `result` gives it.

        With `blind` each exam is asked again without pictures; its accuracy then is at `blind`, and what the pictures
        are worth at `picture`, as `compare.compare` gives it. `kept` holds the file of each (exam, whether blind).
        """
        found = {}
        for exam in exams:
            seen = self.ask(exam, kept.get((exam.name, False)))
            found[exam.name] = result(exam, seen, self._samples)
            if blind:
                unseen = self.ask(exam, kept.get((exam.name, True)), blind=True)
                without = result(exam, unseen, self._samples)
                found[exam.name]["blind"] = {name: without[name] for name in ("n", "accuracy", "ci95", "unparsed")}
                sides = [compare.answers({"suite": exam.name}, side) for side in (unseen, seen)]
                found[exam.name]["picture"] = compare.compare(*sides)
        return found

    def ask(self, exam: Exam, records: Records | None, *, blind: bool = False) -> dict[str, Record]:
        """Ask what is not answered yet, and give the records of all questions, on all hosts.

        Args:
            exam: the questions.
            records: where they are kept; None (also on all hosts but the first) keeps nothing.
            blind: show a uniform grey picture in place of each.

        Raises `RuntimeError` if the model does not see: the first pictures must change its log-probabilities.
        `ValueError` if a question that was answered has changed since.
        """
        found = _from_first_host(records.found if records else {})
        exam.check(found)
        fresh = [record for record in exam.left_out() if record.id not in found]
        if records:
            records.append(fresh)
        found |= {record.id: record for record in fresh}
        name = f"{exam.name}, blind" if blind else exam.name
        batch, programs = self._model.config.evaluation.batch, self._model.programs
        with self._screen.phase(f"asking {name}"), self._screen.bar(name, exam.count, len(found)) as advance:
            for asked in exam.batches(found, batch, programs.share):
                if not self._has_seen and _on_any_host(bool((asked.prompts.patch_image >= 0).any())):
                    self._screen.say(_proof_of_sight(self._respondent, asked, programs.mesh))
                    self._has_seen = True
                if blind:
                    asked = asked._replace(prompts=questions.unseen(asked.prompts))
                new = of_all_hosts(_answered(exam, self._respondent, asked))
                if records:
                    records.append(new)
                found |= {record.id: record for record in new}
                advance(len(new))
        return found


def _answered(exam: Exam, respondent: Respondent, asked: Asked) -> dict[int, Record]:
    """The records of this host's wanted rows of a device call."""
    replies = respondent.sample_k(asked.prompts, asked.ids)
    marked = exam.mark(asked, [[reply.text for reply in row] for row in replies])
    new = {}
    rows = zip(asked.rows, asked.ids, asked.wanted, replies, marked, strict=True)
    for place, name, keep, row, of_row in rows:
        if keep:
            texts, ended = [reply.text for reply in row], [reply.ended for reply in row]
            unit, prompt, scored, late, *asks = of_row
            correct, parsed, reason = (list(part) for part in zip(*scored, strict=True))
            new[place] = Record(name, unit, prompt, texts, ended, correct, parsed, reason, late, *asks)
    return new


def _proof_of_sight(respondent: Respondent, asked: Asked, mesh: Mesh) -> str:
    """Say how much blank and swapped pictures move the first token's log-odds; `RuntimeError` if not at all."""
    true, changes = respondent.first_logprobs(asked.prompts), {}
    pictures = {"blank": questions.unseen(asked.prompts, questions.MEAN_COLOUR).pixels}
    pictures["swapped"] = sharding.rolled_rows(asked.prompts.pixels, mesh)
    for kind, pixels in pictures.items():
        if not _on_any_host(not np.array_equal(pixels, asked.prompts.pixels)):
            continue  # all pictures are alike
        other = respondent.first_logprobs(asked.prompts._replace(pixels=pixels))
        if not _on_any_host(not (suites.are_certain(true) and suites.are_certain(other))):
            return "whether the model sees cannot be told: it is certain how an answer begins, whatever is shown"
        changes[kind] = sharding.max_over_hosts(suites.moved(true, other))
        if not changes[kind] > 0:  # NaN is not
            raise RuntimeError(f"a {kind} picture must change the model's log-odds of a token, got {changes[kind]:.2g}")
    moved = " and ".join(f"{change:.2g} ({kind})" for kind, change in changes.items())
    if min(changes.values(), default=suites.SIGHT_NATS) < suites.SIGHT_NATS:
        return f"warning: the model hardly sees: another picture moves log-odds by {moved} (< {suites.SIGHT_NATS})"
    return f"the model sees: another picture moves log-odds by {moved}"


def _on_any_host(found: bool) -> bool:
    """Whether it is so on one of the hosts: what they do next must be the same on all."""
    return sharding.max_over_hosts(float(found)) > 0


def _from_first_host(found: Mapping[str, Record]) -> dict[str, Record]:
    """What the first host has kept, on all hosts."""
    if jax.process_count() == 1:
        return dict(found)
    return {record.id: record for record in of_all_hosts(dict(enumerate(found.values())))}


def of_all_hosts(records: Mapping[int, Record]) -> list[Record]:
    """The records of all hosts by the rows of a device call, in its order; a row that several hosts bring once."""
    if jax.process_count() == 1:
        return [records[row] for row in sorted(records)]
    data = np.frombuffer("".join(f"{row} {record.line()}" for row, record in records.items()).encode(), np.uint8)
    sizes = multihost_utils.process_allgather(np.array([len(data)]))
    padded = np.zeros(int(sizes.max()), np.uint8)
    padded[: len(data)] = data
    gathered = multihost_utils.process_allgather(padded).reshape(len(sizes.ravel()), -1)
    lines = [row[:size].tobytes().decode() for row, size in zip(gathered, sizes.ravel(), strict=True)]
    found: dict[int, str] = {}
    for row, _, line in (line.partition(" ") for text in lines for line in text.split("\n") if line):
        found.setdefault(int(row), line)
    return [Record(**json.loads(found[row])) for row in sorted(found)]


def result(exam: Exam, records: Mapping[str, Record], samples: int) -> dict[str, Any]:
    """Turn the records of an exam into numbers, JSON-ready.

    With one response per question the exam's own accuracy and interval; with k the mean over all responses (avg@k), and
    pass@j for powers of two up to k, with intervals over independent units; `unparsed` and `cut` then count among all
    `responses`, not among the `n` questions. Questions that were not asked count as wrong. Raises `ValueError` if a
    question of the exam has no record.
    """
    mine = _in_order(exam, records)
    if isinstance(exam, BenchmarkExam):
        found = _benchmark(exam, mine, samples)
    else:
        found = _rows(exam, mine, samples) if isinstance(exam, PlannedExam) else _suite(mine, samples)
    not_asked = [record.id for record in mine if not record.responses]
    more: dict[str, Any] = {
        "unparsed": sum(parsed is None for record in mine for parsed in record.parsed),
        "cut": sum(not ended for record in mine for ended in record.ended),
        "timed_out": sum(record.timed_out for record in mine),
        "not_asked": len(not_asked),
    }
    if not_asked:
        more["not_asked_ids"] = not_asked
    if samples > 1:
        more["responses"] = sum(len(record.responses) for record in mine)
        units = _units(exam, mine)
        steps = [2**power for power in range(samples.bit_length()) if 2**power <= samples]
        more |= {"samples": samples, "pass_at": {}}
        for k in steps:
            values = [statistics.pass_at_k(samples, sum(record.correct), k) for record in mine]
            more["pass_at"][str(k)] = _mean(values, units)
    return found | more


def _in_order(exam: Exam, records: Mapping[str, Record]) -> list[Record]:
    """The records of an exam's questions in its order; a file may hold more of them than are asked today."""
    if not isinstance(exam, PlannedExam):
        return list(records.values())[: exam.count]
    missing = [question.id for question in exam.questions if question.id not in records]
    if missing:
        raise ValueError(f"{exam.name} must have an answer to every question, got none to {missing[0]}")
    return [records[question.id] for question in exam.questions]


def _benchmark(exam: BenchmarkExam, records: Sequence[Record], samples: int) -> dict[str, Any]:
    """The benchmark's own total and aggregates; of k responses the mean of the k evaluations."""
    runs = []
    for k in range(samples):
        marks = [
            Scored(record.correct[k], record.parsed[k], record.reason[k])
            if record.responses
            else Scored(False, None, record.reason[0])
            for record in records
        ]
        runs.append([Item(*pair) for pair in zip(exam.problems, marks, strict=True)])
    head = {"mode": exam.mode, "protocol": exam.benchmark.modes[exam.mode]}
    summaries = [exam.benchmark.summary(run, exam.mode) for run in runs]
    if samples == 1:
        return head | exam.benchmark.total(runs[0], exam.mode) | {"summary": summaries[0]}
    values = [sum(record.correct) / samples for record in records]
    return head | _mean(values, _units(exam, records)) | {"summary": mean_of_trees(summaries)}


def _units(exam: Exam, records: Sequence[Record]) -> list[str]:
    """What each question belongs to; a planned exam knows it, whatever an old file says."""
    if not isinstance(exam, PlannedExam):
        return [record.unit for record in records]
    units = {question.id: question.unit for question in exam.questions}
    return [units[record.id] for record in records]


def _rows(exam: PlannedExam, records: Sequence[Record], samples: int) -> dict[str, Any]:
    """Accuracy over a table's rows, and by kind of answer; a row that was not asked is wrong."""
    marks = [record.correct or [False] * samples for record in records]

    def accuracy(places: Sequence[int]) -> dict[str, Any]:
        right = sum(sum(marks[place]) for place in places)
        return {"n": len(places), "accuracy": right / samples / len(places)}

    kinds = defaultdict(list)
    for place, record in enumerate(records):
        kinds[exam.kind(record.id)].append(place)
    found: dict[str, Any] = {"by": {"kind": {kind: accuracy(places) for kind, places in sorted(kinds.items())}}}
    if samples > 1:
        return found | _mean([sum(mark) / samples for mark in marks], _units(exam, records))
    right = [bool(mark[0]) for mark in marks]
    return base.share_of_units(right, _units(exam, records)) | found | {"correct": list(map(int, right))}


def _suite(records: Sequence[Record], samples: int) -> dict[str, Any]:
    """Accuracy per engine, type and level, as a run's own evaluation gives it."""
    items = []
    for record in records:
        _, engine, question_type, level, _ = record.id.split("/")
        items += [suites.Item(engine, question_type, int(level), right) for right in record.correct]
    found = suites.summary(items)
    units = [record.unit for record in records]
    if len(set(units)) < len(units):  # questions about several scenes each
        found |= _mean([sum(record.correct) / samples for record in records], units)
        cases = [_cases(units, [record.correct[k] for record in records]) for k in range(samples)]
        found["summary"] = cases[0] if samples == 1 else mean_of_trees(cases)
    if samples == 1:
        return found
    del found["correct"], found["asked"]
    for groups in found["by"].values():
        for group in groups.values():
            group["n"] //= samples  # questions, not responses
    return found | _mean([sum(record.correct) / samples for record in records], units)


def _cases(units: Sequence[str], right: Sequence[bool]) -> dict[str, Any]:
    """What is right of questions in all their scenes, and its ratio to what is right of all."""
    questions: dict[str, list[bool]] = defaultdict(list)
    for unit, each in zip(units, right, strict=True):
        questions[unit].append(each)
    found = base.cases(questions)
    return {"worst_case": found["worst_case"], "robustness": found["robustness"]}


def _mean(values: Sequence[float], units: Sequence[str]) -> dict[str, Any]:
    """Count, mean and interval over units (`statistics.share_interval`)."""
    shares = np.array(values, np.float64)
    interval = statistics.share_interval(shares, np.random.default_rng(BOOTSTRAP_SEED), units)
    return {"n": len(values), "accuracy": float(shares.mean()), "ci95": list(interval)}


def mean_of_trees(trees: Sequence[Any]) -> Any:
    """One tree with the mean of each number over several of the same form; intervals are left out.

    A count that is equal in all stays a whole number, another becomes a `scoring.MeanCount`.
    """
    first = trees[0]
    if isinstance(first, Mapping):
        return {
            name: mean_of_trees([tree[name] for tree in trees])
            for name, value in first.items()
            if not isinstance(value, list)
        }
    if all(tree == first for tree in trees):
        return first
    mean = sum(trees) / len(trees)
    return scoring.MeanCount(mean) if all(isinstance(tree, int) for tree in trees) else mean
