"""Asking an exam: interrupted anywhere it gives the same numbers and asks nothing twice; what counts, and how much."""

import dataclasses
import re
import threading
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import pytest

import engines
from perc_jax.batch import Share
from perc_jax.benchmarks import BENCHMARKS
from perc_jax.benchmarks.base import no_symbols
from perc_jax.config import MeshConfig
from perc_jax.evaluation import evaluating
from perc_jax.evaluation.answering import Reply, Respondent
from perc_jax.evaluation.evaluating import Examiner
from perc_jax.evaluation.exams import BenchmarkExam, Exam, SuiteExam
from perc_jax.evaluation.subject import Subject
from perc_jax.mesh import sharding
from perc_jax.processes.progress import Progress
from perc_jax.programs.compiled import Programs
from perc_jax.prompt.pretrained import Processor
from perc_jax.prompt.questions import Reader
from perc_jax.records.lines import Record, Records, read
from perc_jax.statistics import wilson_interval
from tests.benchmarks.folders import WRITERS, png, write_json
from tests.programs.test_programs import CONFIG, TOKENS
from tests.run.test_rewarded import Here

pytest.importorskip("pyarrow", reason="pyarrow writes the small data sets")
READER = Reader(TOKENS, CONFIG.model.vision, Processor(3136, 12_544), 2048)
COUNT = 11
HEAD = {"model": "tiny"}


def dynamath(folder: Path, *, count: int = COUNT) -> Path:
    """Seeds of two variants with pictures of several sizes, so that there are several buckets."""
    for variant in (1, 2):
        rows = {
            str(seed): {
                "question": "How long? " * (100 if seed % 3 else 1),
                "answer": f"{seed}.5",
                "answer_type": "float",
                "subject": "x",
                "level": "y",
                "image": f"image/{seed}.png",
            }
            for seed in range(count)
        }
        write_json(folder / f"trial{variant}.json", rows)
        for seed in range(count):
            file = folder / f"trial{variant}" / "image" / f"{seed}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(png(2 * seed + variant))  # dark
    return folder


class Oracle(Respondent):
    """Stands in for a model: a function of the id and the sample's number, which sees by the pictures' brightness."""

    def __init__(self, answer: Callable[[str, int, float], str], samples: int = 1, ends_after: int = 10**9):
        self.answer, self.samples, self.left, self.asked = answer, samples, ends_after, []

    def sample_k(self, prompts, ids):
        if self.left == 0:
            raise InterruptedError("the moment of the kill")
        self.left -= 1
        self.asked += sorted(set(ids))
        seen = prompts.pixels.max(axis=(1, 2))
        return [
            [Reply(self.answer(name, k, float(light)), 3, True) for k in range(self.samples)]
            for name, light in zip(ids, seen, strict=True)
        ]

    def first_logprobs(self, prompts):
        return -0.1 - prompts.pixels.mean(axis=(1, 2)) / 100


class NoPrograms(Programs):
    """Stands in for the compiled programs: only which rows are this host's is looked at."""

    mesh = sharding.make_mesh(MeshConfig(), jax.devices()[:1])

    def __init__(self, rows: int):
        self.share = Share(tuple(range(rows)), rows)


def examiner(oracle: Respondent, batch: int = 4, rows: int = 1, samples: int = 1) -> Examiner:
    config = dataclasses.replace(CONFIG, evaluation=dataclasses.replace(CONFIG.evaluation, batch=batch))
    return Examiner(Subject(config, TOKENS, NoPrograms(rows), {}), oracle, Progress(600.0, quiet=True), samples)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return dynamath(tmp_path_factory.mktemp("dynamath"))


def exam_of(folder: Path, mode: str = "strict", **changes) -> BenchmarkExam:
    benchmark = BENCHMARKS["dynamath"]
    return BenchmarkExam(benchmark, benchmark.load(folder), mode, READER._replace(**changes), no_symbols)


@pytest.fixture(scope="module", params=["benchmark", "suite", "scenes"])
def exam(request, folder) -> Exam:
    if request.param == "benchmark":
        return exam_of(folder)
    return suite_exam(2 * COUNT) if request.param == "suite" else suite_exam(12, scenes=3)


def suite_exam(count: int, scenes: int = 1, batch: int = 4) -> SuiteExam:
    config = dataclasses.replace(CONFIG, evaluation=dataclasses.replace(CONFIG.evaluation, batch=batch))
    return SuiteExam(config, "test_a", count, Here(), scenes)


def drawn_as(name: str) -> engines.Sample:
    """The sample that an id of a suite names."""
    split, engine, kind, level, index = name.split("/")
    index, _, number = index.partition("+")
    where = {"split": split, "index": int(index), "level": int(level), "question_type": kind}
    first = engines.sample(engine, **where, size_px=CONFIG.data.image_px)
    return engines.variants(first, int(number))[-1] if number else first


def half_right(name: str, k: int, light: float) -> str:
    """Right where the seed is even."""
    seed = name.partition("_")[0]
    return rf"<answer>\boxed{{{seed}.5}}</answer>" if seed.isdecimal() and int(seed) % 2 == 0 else "no idea"


def test_interrupted_at_any_call_it_goes_on_and_asks_nothing_twice(exam, tmp_path):
    whole = Oracle(half_right)
    with Records(tmp_path / "whole.jsonl", HEAD) as kept:
        wanted = evaluating.result(exam, examiner(whole).ask(exam, kept), 1)
    assert sorted(whole.asked) == sorted(set(whole.asked)) and len(whole.asked) == exam.count == wanted["n"]
    calls, asked = 10**9 - whole.left, []
    for ends_after in [1] * (calls + 1):  # killed again and again, each time after one more call
        oracle = Oracle(half_right, ends_after=ends_after)
        with Records(tmp_path / "cut.jsonl", HEAD) as kept:
            try:
                found = evaluating.result(exam, examiner(oracle).ask(exam, kept), 1)
            except InterruptedError:
                found = None
        asked += oracle.asked
    assert found == wanted and sorted(asked) == sorted(whole.asked)
    assert (tmp_path / "cut.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_an_error_ends_the_threads_that_prepare_questions(exam):
    before = set(threading.enumerate())
    with pytest.raises(InterruptedError) as caught:
        examiner(Oracle(half_right, ends_after=1)).ask(exam, None)
    assert caught.tb and set(threading.enumerate()) <= before  # though its frames are still there


def test_a_torn_batch_is_asked_for_what_is_missing_only(exam, tmp_path):
    file = tmp_path / "a.jsonl"
    with Records(file, HEAD) as kept:
        wanted = evaluating.result(exam, examiner(Oracle(half_right)).ask(exam, kept), 1)
    content = file.read_bytes()
    for cut in (len(content) // 3, len(content) - 7):
        file.write_bytes(content[:cut])
        there = set(read(file)[1])
        oracle = Oracle(half_right)
        with Records(file, HEAD) as kept:
            assert evaluating.result(exam, examiner(oracle).ask(exam, kept), 1) == wanted
        assert not there & set(oracle.asked) and len(there) + len(oracle.asked) == exam.count


def test_each_record_holds_what_was_asked_and_what_is_right(exam, tmp_path):
    """A wrong answer can be read from its line alone."""
    with Records(tmp_path / "a.jsonl", HEAD) as kept:
        examiner(Oracle(half_right)).ask(exam, kept)
    found = read(tmp_path / "a.jsonl")[1]
    assert len(found) == exam.count and all(record.question and record.gold for record in found.values())
    if isinstance(exam, BenchmarkExam):
        for problem in exam.problems:
            assert problem.question.strip() in found[problem.id].question and found[problem.id].gold == problem.gold
    else:
        for name, record in found.items():
            drawn = drawn_as(name)
            assert (record.question, record.gold) == (drawn.question, drawn.answer.text())


def test_a_question_about_several_scenes_counts_where_all_of_them_are_right(tmp_path):
    def half(name: str, k: int, light: float) -> str:
        """Of one half of the questions all scenes are right, of the other the first."""
        first, _, number = name.partition("+")
        is_right = int(first[-1]) % 2 == 0 or not number
        return rf"<answer>\boxed{{{drawn_as(name).answer.text()}}}</answer>" if is_right else "no idea"

    exam = suite_exam(24, scenes=3)
    records = examiner(Oracle(half)).ask(exam, None)
    questions = list(dict.fromkeys(record.unit for record in records.values()))
    assert [record.unit for record in records.values()] == [unit for unit in questions for _ in range(3)]
    alone = examiner(Oracle(half)).ask(suite_exam(8), None)
    assert list(alone) == questions  # the same are asked as about one scene each
    found, share = evaluating.result(exam, records, 1), sum(int(name[-1]) % 2 == 0 for name in questions) / 8
    assert 0 < share < 1 and found["n"] == 24
    low, high = found["summary"]["worst_case"]["ci95"]
    assert low < share < high
    assert found["summary"]["worst_case"]["accuracy"] == share and found["summary"]["worst_case"]["n"] == 8
    assert found["accuracy"] == pytest.approx(share + (1 - share) / 3)
    assert found["summary"]["robustness"] == pytest.approx(share / found["accuracy"])
    low, high = found["ci95"]  # whole questions were drawn again: eight of them, each with a third or all right
    assert 1 / 3 <= low < found["accuracy"] < high <= 1 and low * 24 == pytest.approx(round(low * 24))
    assert "scenes" not in suite_exam(8).head() and exam.head()["scenes"] == 3


def test_batches_and_devices_change_nothing(exam):
    def half(name: str, k: int, light: float) -> str:
        if isinstance(exam, BenchmarkExam):
            return half_right(name, k, light)
        is_right = int(name.partition("+")[0][-1]) % 2 == 0 or name.endswith("+1")
        return rf"<answer>\boxed{{{drawn_as(name).answer.text()}}}</answer>" if is_right else "no idea"

    few, more, wide = Oracle(half), Oracle(half), exam
    if isinstance(exam, SuiteExam):
        wide = suite_exam(exam.count, exam.head().get("scenes", 1), batch=16)
    one, many = examiner(few).ask(exam, None), examiner(more, batch=16, rows=8).ask(wide, None)
    assert more.left > few.left and list(many.items()) == list(one.items())
    result = evaluating.result(exam, one, 1)
    assert evaluating.result(wide, many, 1) == result and 0 < result["accuracy"] < 1


def test_a_picture_that_has_changed_is_refused(folder, tmp_path):
    mine = dynamath(tmp_path / "data", count=3)
    found = examiner(Oracle(half_right)).ask(exam_of(mine), None)
    (mine / "trial1" / "image" / "2.png").write_bytes(png(255))
    with pytest.raises(ValueError, match="dynamath: question 2_1 must be as it was when it was answered"):
        exam_of(mine).check(found)


def test_a_benchmark_without_its_pictures_is_not_asked(tmp_path):
    mine = dynamath(tmp_path, count=3)
    (mine / "trial2" / "image" / "1.png").unlink()
    with pytest.raises(ValueError, match="got 1 of 6 without, first 1_2; --limit 4 asks those before it"):
        exam_of(mine)


def test_questions_that_do_not_fit_are_counted_as_wrong_and_named(folder, tmp_path):
    short = exam_of(folder, max_tokens=250)
    oracle = Oracle(lambda name, k, light: rf"<answer>\boxed{{{name.partition('_')[0]}.5}}</answer>")
    with Records(tmp_path / "a.jsonl", HEAD) as kept:
        found = evaluating.result(short, examiner(oracle).ask(short, kept), 1)
    assert found["not_asked"] == len(found["not_asked_ids"]) == 2 * len([seed for seed in range(COUNT) if seed % 3])
    assert found["n"] == 2 * COUNT and found["accuracy"] == 1 - found["not_asked"] / (2 * COUNT)
    assert not set(oracle.asked) & set(found["not_asked_ids"]) and found["unparsed"] == 0
    kept = read(tmp_path / "a.jsonl")[1][found["not_asked_ids"][0]]
    assert kept.responses == [] and "not asked: its prompt of" in kept.reason[0]
    assert "How long?" in kept.question and kept.gold.endswith(".5")


def test_several_samples_as_by_hand(folder):
    """Of four samples, seed s has min(s, 4) right ones in both of its variants."""

    def answer(name: str, k: int, light: float) -> str:
        seed = int(name.partition("_")[0])
        return rf"<answer>\boxed{{{seed}.5}}</answer>" if k < min(seed, 4) else "no idea"

    exam = exam_of(folder)
    found = evaluating.result(exam, examiner(Oracle(answer, 4), samples=4).ask(exam, None), 4)
    right = np.minimum(np.arange(COUNT), 4)
    assert found["accuracy"] == pytest.approx(right.mean() / 4) == found["pass_at"]["1"]["accuracy"]
    pairs = [1 - (4 - c) * (3 - c) / 12 for c in right]
    assert found["pass_at"]["2"]["accuracy"] == pytest.approx(np.mean(pairs))
    assert found["pass_at"]["4"]["accuracy"] == pytest.approx(np.mean(right > 0))
    assert found["ci95"][0] < found["accuracy"] < found["ci95"][1] and found["n"] == 2 * COUNT
    worst = found["summary"]["worst_case"]  # the mean over the four evaluations: there is no interval of it
    assert worst == {"n": COUNT, "accuracy": pytest.approx(right.mean() / 4)}
    assert found["unparsed"] == 2 * int((4 - right).sum())


@pytest.mark.parametrize("right", [False, True])
def test_several_samples_that_are_alike_leave_as_much_open_as_so_many_questions(folder, right):
    exam = exam_of(folder)

    def answer(name: str, k: int, light: float) -> str:
        return rf"<answer>\boxed{{{name.partition('_')[0]}.5}}</answer>" if right else "no idea"

    found = evaluating.result(exam, examiner(Oracle(answer, 4), samples=4).ask(exam, None), 4)
    interval = list(wilson_interval(COUNT * right, COUNT))  # two variants of a seed are one unit
    assert found["accuracy"] == right and found["ci95"] == found["pass_at"]["4"]["ci95"] == interval
    assert found["pass_at"]["1"]["ci95"] == interval


def test_blind_tells_how_much_needs_the_picture(folder):
    """Half of the seeds are known by heart; the others need a picture that is not grey."""

    def answer(name: str, k: int, light: float) -> str:
        seed = int(name.partition("_")[0])
        return rf"<answer>\boxed{{{seed}.5}}</answer>" if seed % 2 == 0 or light < 64 else "no idea"

    exam = exam_of(folder)
    with Progress(600.0, quiet=True):
        found = examiner(Oracle(answer)).results([exam], {}, blind=True)["dynamath"]
    dark = [seed for seed in range(COUNT) if seed % 2]
    assert found["blind"]["accuracy"] == pytest.approx(1 - len(dark) / COUNT)
    assert found["picture"]["after"] == found["accuracy"] > found["blind"]["accuracy"] == found["picture"]["before"]
    assert found["picture"]["test"] == f"sign flips of {COUNT} units" and found["picture"]["p_value"] < 0.1


@pytest.mark.parametrize(("light", "got"), [(0.0, "0"), (np.nan, "nan")])
def test_a_model_that_does_not_see_is_found_out_at_once(exam, light, got):
    class Blind(Oracle):
        def first_logprobs(self, prompts):
            return -1 - light * prompts.pixels.mean(axis=(1, 2))

    oracle = Blind(half_right)
    with pytest.raises(RuntimeError, match=f"a blank picture must change the model's log-odds .* got {got}"):
        examiner(oracle).ask(exam, None)
    assert oracle.asked == []


SEEING = {
    0.0: "whether the model sees cannot be told: it is certain how an answer begins, whatever is shown",
    1e-6: r"warning: the model hardly sees: another picture moves log-odds by \S+ \(blank\) and \S+ \(swapped\) "
    r"\(< 0\.01\)",
    0.1: r"the model sees: another picture moves log-odds by \S+ \(blank\) and \S+ \(swapped\)",
}


@pytest.mark.parametrize("light", SEEING)
def test_how_well_a_model_sees_is_said_before_it_is_asked(exam, light, monkeypatch):
    class Dim(Oracle):
        def first_logprobs(self, prompts):
            return -np.sign(light) * (1 + light * prompts.pixels.mean(axis=(1, 2)))

    oracle, said = Dim(half_right), []
    monkeypatch.setattr(Progress, "say", lambda self, words: said.append((words, list(oracle.asked))))
    examiner(oracle).ask(exam, None)
    assert oracle.asked != []
    [(words, asked)] = [one for one in said if "see" in one[0]]
    assert re.fullmatch(SEEING[light], words) and asked == []


def test_trees_of_several_evaluations_have_the_mean_of_each_number():
    trees = [
        {"a": {"n": 3, "accuracy": 0.2, "ci95": [0.0, 0.4]}, "b": 1, "c": 2},
        {"a": {"n": 3, "accuracy": 0.4, "ci95": [0.1, 0.5]}, "b": 2, "c": 2},
    ]
    assert evaluating.mean_of_trees(trees) == {"a": {"n": 3, "accuracy": pytest.approx(0.3)}, "b": 1.5, "c": 2}


def test_hosts_put_their_records_together(monkeypatch):
    """Each of three hosts brings its rows, of different lengths; all then hold all, by rows, those that two brought
    once."""
    first = Record("1", "1", "p", ["ä\n"], [True], [True], [None], ["so"])
    second, third = (Record(str(i), "u", "p", ["x" * i], [False], [False], ["y"], ["no"], i) for i in (2, 3))
    sides = [{0: first, 10: third}, {0: first._replace(timed_out=1), 10: third}, {2: second}]
    sent = [
        np.frombuffer("".join(f"{row} {one.line()}" for row, one in side.items()).encode(), np.uint8) for side in sides
    ]

    def gather(mine):
        if mine.dtype != np.uint8:
            return np.array([[len(data)] for data in sent])
        return np.stack([np.pad(data, (0, len(mine) - len(data))) for data in sent])

    monkeypatch.setattr(jax, "process_count", lambda: 3)
    monkeypatch.setattr(evaluating.multihost_utils, "process_allgather", gather)
    assert all(evaluating.of_all_hosts(side) == [first, second, third] for side in sides)


def test_one_device_and_eight_give_the_same_records(tmp_path):
    WRITERS["mathvista"](tmp_path)
    benchmark = BENCHMARKS["mathvista"]
    exam = BenchmarkExam(benchmark, benchmark.load(tmp_path), "official", READER, no_symbols)
    rollout = dataclasses.replace(CONFIG.rollout, max_tokens=8)
    found, params = [], None
    for count in (8, 1):
        evaluation = dataclasses.replace(CONFIG.evaluation, batch=8)
        config = dataclasses.replace(CONFIG, rollout=rollout, stages=(), evaluation=evaluation)
        programs = Programs(config, TOKENS.ids, sharding.make_mesh(MeshConfig(), jax.devices()[:count]), greedy=False)
        params = params or programs.publish(programs.init_params())
        target = programs.blueprints.rollout_params
        here = jax.tree.map(lambda leaf, like: jax.device_put(np.asarray(leaf), like.sharding), params, target)
        model = Subject(config, TOKENS, programs, here)
        asks = Examiner(model, model.respondent(samples=2, temperature=1.0), Progress(600.0, quiet=True), 2)
        found.append(asks.ask(exam, None))
    assert found[0] == found[1] and len(found[0]) == 4
