"""What a model can be examined on: an engines' suite or a public benchmark, each as batches of prompts and their marks.

An exam knows its questions and how they are marked; it knows no model, no file and no device. The same loop asks both
kinds (`evaluating`). Every host prepares and marks its own rows of a batch.
"""

import abc
import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import numpy as np

import engines
from perc_jax.batch import PromptBatch, Share
from perc_jax.benchmarks import Benchmark, Problem
from perc_jax.benchmarks.base import Compare, Scored
from perc_jax.config import Config, DataConfig, to_dict
from perc_jax.data import streams
from perc_jax.data.batches import Stream
from perc_jax.prompt import questions
from perc_jax.prompt.questions import Question, Reader
from perc_jax.records.lines import Record
from perc_jax.rewards.forms import Form
from perc_jax.rewards.verifier import Verdict, Verifier

SUITES = ("test_a", "test_b", "test_c", "test_d")


class Marked(NamedTuple):
    """A question that was answered: its record apart from the responses."""

    unit: str
    prompt: str  # fingerprint of text and pictures
    scored: list[Scored]  # of each response
    timed_out: int
    question: str
    gold: str


class Asked(NamedTuple):
    """This host's rows of a device call."""

    prompts: PromptBatch
    ids: list[str]
    wanted: list[bool]  # False where a row only fills the call: its answer is not kept
    about: list[Any]  # what the exam needs to mark each row
    rows: list[int]  # where they stand in the device call of all hosts


@runtime_checkable
class Exam(Protocol):
    """Questions in a fixed order, and their marks."""

    name: str
    count: int  # questions

    def head(self) -> dict[str, Any]:
        """What the answers depend on besides the model and how it is asked."""

    def check(self, answered: Mapping[str, Record]) -> None:
        """Raise `ValueError` if a question that was answered is not what it was."""

    def left_out(self) -> list[Record]:
        """Records of the questions that are not asked, with the reason."""

    def batches(self, answered: Collection[str], batch: int, share: Share) -> Iterator[Asked]:
        """Device calls that ask every question that is not answered yet."""

    def mark(self, asked: Asked, responses: Sequence[Sequence[str]]) -> list[Marked]:
        """Marks of the k responses of each row."""


class PlannedExam(abc.ABC):
    """Questions of any size, asked in batches of one bucket each."""

    name: str
    questions: list[Question]
    reader: Reader  # how the model reads

    @abc.abstractmethod
    def text(self, name: str) -> str:
        """A question as it is put."""

    @abc.abstractmethod
    def gold(self, name: str) -> str:
        """Its right answer."""

    @abc.abstractmethod
    def kind(self, name: str) -> str:
        """How it is answered: a number, a choice, …"""

    def check(self, answered: Mapping[str, Record]) -> None:
        """Compare the fingerprints of text and pictures."""
        for question in self.questions:
            before = answered.get(question.id)
            if before is not None and before.prompt != question.prompt:
                raise ValueError(
                    f"{self.name}: question {question.id} must be as it was when it was answered, but its text or "
                    "picture has changed; give another --out"
                )

    def left_out(self) -> list[Record]:
        """Those that do not fit."""
        return [
            Record(
                q.id,
                q.unit,
                q.prompt,
                reason=(f"not asked: {q.why_not}",),
                question=self.text(q.id),
                gold=self.gold(q.id),
            )
            for q in self.questions
            if q.why_not
        ]

    def batches(self, answered: Collection[str], batch: int, share: Share) -> Iterator[Asked]:
        """Batches by bucket; one is prepared while another is answered."""
        plan = questions.plan(self.questions, batch, share.of)
        calls = [(group, [q.id not in answered for q in group]) for group in plan]
        calls = [call for call in calls if any(call[1])]
        with ThreadPoolExecutor(1, thread_name_prefix="questions") as thread:
            ahead = [thread.submit(self._asked, *call, batch, share) for call in calls[:1]]
            for number in range(len(calls)):
                asked = ahead.pop().result()
                if number + 1 < len(calls):
                    ahead.append(thread.submit(self._asked, *calls[number + 1], batch, share))
                yield asked

    def _asked(self, group: list[Question], wanted: list[bool], batch: int, share: Share) -> Asked:
        """This host's rows of a device call; those that need no answer repeat one that does."""
        count = questions.size(group[0].bucket, batch, share.of)
        first = wanted.index(True)
        places = [row if row < len(group) and wanted[row] else first for row in range(count)]
        kept = [row < len(group) and wanted[row] for row in range(count)]
        mine = share.rows(count)
        chosen, inverse = np.unique([places[row] for row in mine], return_inverse=True)
        made = questions.rows([group[place] for place in chosen.tolist()], self.reader)
        prompts = jax.tree.map(lambda rows: rows[inverse], made)
        about = [group[places[row]] for row in mine]
        return Asked(prompts, [q.id for q in about], [kept[row] for row in mine], about, mine)


class BenchmarkExam(PlannedExam):
    """A public benchmark in one of its modes.

    Args:
        benchmark: whose rules.
        problems: those that are asked, if the mode counts them.
        mode: of the benchmark's.
        reader: how the model reads.
        compare: symbolic comparison, for benchmarks that need it.

    Raises:
        ValueError: a mode that it does not have, or a problem without the picture that it is about.
    """

    def __init__(self, benchmark: Benchmark, problems: Sequence[Problem], mode: str, reader: Reader, compare: Compare):
        benchmark.check_mode(mode)
        blind = [row for row, problem in enumerate(problems) if not problem.images and benchmark.is_seen(problem)]
        if blind:
            hint = f"; --limit {blind[0]} asks those before it" if blind[0] else ""
            raise ValueError(
                f"{benchmark.name}: every question must have its picture, got {len(blind)} of {len(problems)} without, "
                f"first {problems[blind[0]].id}{hint}"
            )
        self.problems = [problem for problem in problems if benchmark.counts(problem, mode)]
        self.name, self.count, self.benchmark, self.mode = benchmark.name, len(self.problems), benchmark, mode
        self._by_id = {problem.id: problem for problem in problems}
        self.reader, self._compare = reader, compare
        self.questions = [
            questions.measure(
                problem.id, benchmark.unit(problem), benchmark.prompt(problem, mode), problem.images, reader
            )
            for problem in self.problems
        ]

    def head(self) -> dict[str, Any]:
        """The mode and the bounds on pictures and prompts."""
        return {
            "suite": self.name,
            "mode": self.mode,
            "pixels": list(self.reader.pixels),
            "max_prompt_tokens": self.reader.max_tokens,
        }

    def text(self, name: str) -> str:
        """A question as it is put."""
        return self.benchmark.prompt(self._by_id[name], self.mode)

    def gold(self, name: str) -> str:
        """Its right answer, as the benchmark stores it."""
        return self._by_id[name].gold

    def kind(self, name: str) -> str:
        """How it is answered."""
        return self._by_id[name].kind

    def mark(self, asked: Asked, responses: Sequence[Sequence[str]]) -> list[Marked]:
        """Score by the benchmark's rules."""
        marked = []
        for question, keep, texts in zip(asked.about, asked.wanted, responses, strict=True):
            before = getattr(self._compare, "timed_out", 0)
            problem = self._by_id[question.id]
            scored = [self.benchmark.score(problem, text, self.mode, self._compare) for text in texts] if keep else []
            late = getattr(self._compare, "timed_out", 0) - before
            text = self.text(problem.id)
            marked.append(Marked(question.unit, question.prompt, scored, late, text, problem.gold))
        return marked


class SuiteExam:
    """The first fresh scenes of an engines' suite, as a run evaluates it; each question about so many of them."""

    def __init__(self, config: Config, name: str, count: int, verifier: Verifier, scenes: int = 1):
        """`count`: of all scenes.

        Raises `ValueError` for a run that talks with an environment: here each question has one answer.
        """
        if config.environment.name != "none":
            raise ValueError(
                f"suite {name} must be of a run without an environment, got {config.environment.name}: the run itself "
                "evaluates its conversations"
            )
        self.name, self.count, self._config, self._verifier = name, count, config, verifier
        self.scenes = scenes

    def head(self) -> dict[str, Any]:
        """What is drawn and how it is asked."""
        settings = to_dict(self._config)
        drawn = [settings["data"][field] for field in ("image_px", "max_prompt_tokens", "max_patches", "instruction")]
        asked = [settings["evaluation"]["hard_levels"], *(stage["mixture"] for stage in settings["stages"])]
        named = {name for stage in settings["stages"] for name in stage["mixture"]["engines"]}
        content = json.dumps([drawn, asked, engines.versions(named)], sort_keys=True)
        several = {"scenes": self.scenes} if self.scenes > 1 else {}
        drawn_as = {"drawn": hashlib.sha256(content.encode()).hexdigest()[:16], "asked": asked_as(self._config.data)}
        return {"suite": self.name} | drawn_as | several

    def check(self, answered: Mapping[str, Record]) -> None:
        """Nothing: what is drawn is a function of what `head` says."""

    def left_out(self) -> list[Record]:
        """None: a scene whose question does not fit is replaced by the next."""
        return []

    def batches(self, answered: Collection[str], batch: int, share: Share) -> Iterator[Asked]:
        """The stream of the suite from where the answers end."""
        start = len(answered) // batch * batch
        if len(answered) >= self.count:
            return
        with self._stream(start, share) as stream:
            for drawn in stream:
                ids = [info.sample_id for info in drawn.samples]
                wanted = [bool(real) and name not in answered for real, name in zip(drawn.real, ids, strict=True)]
                yield _filled(Asked(drawn.prompts, ids, wanted, list(drawn.samples), share.rows(batch)))

    def _stream(self, start: int, share: Share) -> Stream:
        """This host's part of the questions from the `start`th on."""
        drawn = streams.of_suite(self._config, self.name, self.count, start, share=share, scenes=self.scenes)
        return streams.exam(self._config, drawn)

    def mark(self, asked: Asked, responses: Sequence[Sequence[str]]) -> list[Marked]:
        """Verify strictly, as in training."""
        texts = [text for answers in responses for text in answers]
        golds = [info.answer for info, answers in zip(asked.about, responses, strict=True) for _ in answers]
        verdicts = iter(self._verifier.verify(texts, golds))
        marked = []
        for row, answers in enumerate(responses):
            mine = [next(verdicts) for _ in answers]
            late = sum(verdict.timed_out for verdict in mine)
            scored, about = [as_scored(verdict, self._config.data) for verdict in mine], asked.about[row]
            marked.append(
                Marked(
                    asked.ids[row].partition("+")[0],  # the question, whatever scene it is about
                    _print_of(asked, row),
                    scored,
                    late,
                    about.question,
                    about.answer.text(),
                )
            )
        return marked


def asked_as(data: DataConfig) -> list[Any]:
    """What is put around a question, and where a reply must have its answer, as heads say it."""
    return [data.instruction, data.system, data.answer_form, list(data.answer_sections)]


def _filled(asked: Asked) -> Asked:
    """Put a question that is wanted, if there is one, in the place of those that are not: none is asked twice."""
    if all(asked.wanted) or not any(asked.wanted):
        return asked
    places = np.where(asked.wanted, np.arange(len(asked.wanted)), asked.wanted.index(True))
    return asked._replace(
        prompts=jax.tree.map(lambda rows: rows[places], asked.prompts),
        ids=[asked.ids[place] for place in places],
        about=[asked.about[place] for place in places],
    )


def as_scored(verdict: Verdict, data: DataConfig) -> Scored:
    """What a verdict says, as benchmarks say it."""
    if verdict.timed_out:
        return Scored(False, None, "verification ran past its deadline")
    if not verdict.well_formed:
        return Scored(False, None, f"not of the form {Form.of(data).looks}")
    return Scored(verdict.correct, verdict.parsed, f"{'equal' if verdict.correct else 'not equal'} to the gold answer")


def _print_of(asked: Asked, row: int) -> str:
    found = hashlib.sha256(asked.about[row].question.encode())
    found.update(np.ascontiguousarray(asked.prompts.pixels[row]).tobytes())
    return found.hexdigest()[:16]
