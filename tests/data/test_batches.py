import contextlib
import dataclasses
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import numpy as np
import pytest

import engines
from configs.debug_cpu import get_config
from perc_jax.batch import Share
from perc_jax.config import Config, MixtureConfig, StageConfig
from perc_jax.data import batches as streamed
from perc_jax.data.batches import Batch, Chained, Rest
from perc_jax.data.streams import exam, of_suite, stream
from perc_jax.prompt.image import unpatchify
from perc_jax.prompt.tokenizer import load
from tests import ROOT

STAGE = dataclasses.replace(get_config().stages[0], steps=4, prompts_per_step=4, micro_batches=1)


def config(workers: int = 0, stage: StageConfig = STAGE, seed: int = 0, **fields: object) -> Config:
    base = get_config()
    settings = dataclasses.replace(base.data, workers=workers, **fields)
    evaluation = dataclasses.replace(base.evaluation, batch=4)
    return dataclasses.replace(base, data=settings, stages=(stage,), seed=seed, evaluation=evaluation)


def drawn(workers: int = 0, position: int = 0, stage: StageConfig = STAGE, **hosts: int) -> list[Batch]:
    with stream(config(workers, stage), stage, position, **hosts) as batches:
        return list(batches)


def assert_equal(left: Batch, right: Batch) -> None:
    assert left.prompts.features is right.prompts.features is None
    for name, one, other in list(zip(left.prompts._fields, left.prompts, right.prompts, strict=True))[:-1]:
        assert one.dtype == other.dtype and (one == other).all(), name
    assert (left.gold_tokens == right.gold_tokens).all() and (left.gold_mask == right.gold_mask).all()
    assert (left.real == right.real).all()
    assert (left.samples, left.dropped, left.position) == (right.samples, right.dropped, right.position)


@pytest.fixture(scope="module")
def whole() -> list[Batch]:
    return drawn()


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_workers_do_not_change_what_is_drawn(whole, workers):
    for one, other in zip(whole, drawn(workers), strict=True):
        assert_equal(one, other)


def test_resumed_is_uninterrupted(whole):
    assert [batch.position for batch in whole] == [4, 8, 12, 16]
    for one, other in zip(whole[2:], drawn(position=whole[1].position), strict=True):
        assert_equal(one, other)
    assert drawn(position=16) == []


def test_hosts_share_each_batch_in_order(whole):
    hosts = [drawn(share=Share((host,), 2)) for host in range(2)]
    for batch, *parts in zip(whole, *hosts, strict=True):
        assert batch.samples == parts[0].samples + parts[1].samples
        assert (batch.prompts.pixels == np.concatenate([part.prompts.pixels for part in parts])).all()
        assert {part.position for part in parts} == {batch.position}
    with pytest.raises(ValueError, match=r"prompts_per_step must be a multiple of the 3 data-parallel devices, got 4"):
        drawn(share=Share((0,), 3))


def test_hosts_of_one_tensor_group_draw_the_same_and_others_any_rows(whole):
    shares = Share((0, 2), 4, process=0), Share((0, 2), 4, process=1), Share((1, 3), 4, process=2)
    for batch, one, same, others in zip(whole, *(drawn(share=share) for share in shares), strict=True):
        assert one.samples == same.samples == batch.samples[::2] and others.samples == batch.samples[1::2]
        assert (one.prompts.pixels == same.prompts.pixels).all() and same.share == shares[1]


def test_a_batch_is_what_the_engine_made(whole):
    tokenizer, vision = load("debug.model"), get_config().model.vision
    for batch in whole:
        assert batch.real.all() and len(batch.samples) == 4
        for row, info in enumerate(batch.samples):
            sample = engines.sample(
                info.engine,
                split="train",
                index=info.index,
                level=info.level,
                question_type=info.question_type,
                size_px=112,
                photo=info.photographed,
            )
            prompts = batch.prompts
            seen = unpatchify(prompts.pixels[row], prompts.patch_rowcol[row], prompts.patch_image[row], vision)
            assert (seen == sample.image).all()
            assert sample.question == info.question and sample.question in tokenizer.decode(prompts.tokens[row])
            gold = tokenizer.decode(batch.gold_tokens[row][batch.gold_mask[row]])
            assert engines.verify(gold, info.answer) and info.answer == sample.answer


def test_a_mixture_draws_its_types_and_weights_only():
    mixture = MixtureConfig(
        engines=("grid", "chart"), weights=(3.0, 1.0), levels=(0,), types=("grid.locate", "grid.read_colour")
    )
    stage = dataclasses.replace(STAGE, steps=50, mixture=mixture)
    with stream(config(0, stage), stage) as batches:
        drawn = [info for batch in batches for info in batch.samples]
    assert {info.question_type for info in drawn if info.engine == "grid"} == {"locate", "read_colour"}
    assert len({info.question_type for info in drawn if info.engine == "chart"}) > 2
    assert {info.level for info in drawn} == {0}
    assert 0.65 < sum(info.engine == "grid" for info in drawn) / len(drawn) < 0.85


def test_a_type_that_is_not_trained_is_refused_with_a_suggestion():
    for name, hint in (("grid.locat", "did you mean 'grid.locate'"), ("chart.second_bar", "must name trained types")):
        stage = dataclasses.replace(STAGE, mixture=MixtureConfig(levels=(0,), types=(name,)))
        with pytest.raises(ValueError, match=hint):
            stream(config(0, stage), stage)


def test_stages_and_seeds_share_no_index():
    def indices(name: str, seed: int) -> set[int]:
        stage = dataclasses.replace(STAGE, name=name)
        with stream(config(0, stage, seed), stage) as batches:
            return {info.index for batch in batches for info in batch.samples}

    found = [indices("warmup", 0), indices("grpo", 0), indices("warmup", 1)]
    assert len(set.union(*found)) == sum(map(len, found)) == 48
    assert max(set.union(*found)) > 2**55


def test_the_mixture_is_respected():
    mixture = MixtureConfig(engines=("grid", "cube", "chart"), weights=(3.0, 1.0, 0.0), levels=(1, 2), photo_share=0.5)
    draw = stream(config(0, dataclasses.replace(STAGE, steps=0)), dataclasses.replace(STAGE, steps=0, mixture=mixture))
    batches = draw.batches
    draw.close()
    samples = [batches.rows.sample(position, 0) for position in range(200)]
    count = sum(sample.engine == "grid" for sample in samples)
    assert 125 < count < 175 and {sample.engine for sample in samples} == {"grid", "cube"}
    assert {sample.level for sample in samples} == {1, 2} and 70 < sum(sample.photographed for sample in samples) < 130


def test_what_does_not_fit_is_replaced_and_named(whole):
    lengths = np.concatenate([batch.prompts.mask.sum(1) for batch in whole])
    limit = int(np.median(lengths))
    with stream(config(0, max_prompt_tokens=limit), STAGE) as batches:
        short = list(batches)
    reasons = [reason for batch in short for reason in batch.dropped]
    assert len(reasons) >= (lengths > limit).sum() > 0
    assert all(f"data.max_prompt_tokens = {limit}" in reason for reason in reasons)
    kept = {
        info.sample_id
        for batch in whole
        for info, used in zip(batch.samples, batch.prompts.mask.sum(1), strict=True)
        if used <= limit
    }
    assert kept <= {info.sample_id for batch in short for info in batch.samples}  # neighbours of a replaced prompt stay
    with pytest.raises(ValueError, match=r"data buckets must fit one of 50 drafts .* = 20"):
        next(stream(config(0, max_prompt_tokens=20), STAGE))


def test_an_error_in_a_worker_arrives():
    with (
        stream(config(1, max_prompt_tokens=20), STAGE) as batches,
        pytest.raises(ValueError, match="must fit one of"),
    ):
        next(batches)


def test_a_worker_that_is_killed_is_replaced_and_nothing_is_lost(whole):
    others = multiprocessing.active_children()  # of the tests before, which may take a second to end
    with stream(config(1), STAGE) as batches:
        found = [next(batches)]
        mine = [child for child in multiprocessing.active_children() if child not in others]
        [worker] = [child for child in mine if child.name.startswith("grain")]
        worker.kill()
        found += batches
    for one, other in zip(whole, found, strict=True):
        assert_equal(one, other)


class Left(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("codes", [[-9], [None], [None, -9]], ids=["killed", "slow", "another stream's killed"])
def test_half_a_batch_of_a_worker_that_was_killed_ends_the_process_and_a_slow_one_does_not(monkeypatch, whole, codes):
    """Grain's reader hangs in its pipe; here it hangs until the test lets it go."""
    given, said, is_killed = threading.Event(), [], codes == [-9]

    def leave(*words):
        said.append(words)
        raise Left

    def draw(*_):
        given.wait(0.5 if not is_killed else None)
        yield whole[0]

    seen = [types.SimpleNamespace(pid=pid, name="grain-process-prefetch", exitcode=e) for pid, e in enumerate(codes)]
    monkeypatch.setattr(streamed, "_dataset", draw)
    monkeypatch.setattr(streamed, "LOOK_S", 0.02)
    monkeypatch.setattr(streamed, "LOST_S", 0.1)
    monkeypatch.setattr(streamed.ends, "leave", leave)
    monkeypatch.setattr(streamed.multiprocessing, "active_children", lambda: seen)
    kept = Kept(())
    object.__setattr__(kept, "made", whole[:1])
    batches = streamed.Stream(kept, workers=1)
    with pytest.raises(Left) if is_killed else contextlib.nullcontext():
        assert next(batches) is whole[0]
    given.set()
    monkeypatch.undo()
    batches.close()
    assert [code for _, code in said] == [1] * is_killed


class Kept(Chained):
    """Batches that are there already."""

    made: list[Batch]

    def __len__(self) -> int:
        return len(self.made)

    def __getitem__(self, number: int) -> Batch:
        return self.made[number]


class Breaking:
    """What Grain draws, until a worker is gone after so many."""

    def __init__(self, batches: Kept | Rest, count: int, message: str):
        self._batches, self._next, self._count, self._message = batches, 0, count, message

    def __iter__(self) -> "Breaking":
        return self

    def __next__(self) -> Batch:
        if self._next == self._count:
            raise RuntimeError(self._message)
        self._next += 1
        return self._batches[self._next - 1]

    def close(self) -> None:
        """There is nothing to end."""


DIED = "Worker process was terminated unexpectedly with exit code -9."


@pytest.mark.parametrize(
    ("counts", "message", "got"),
    [((1, 0, 2, 0, 9), DIED, 4), ((2, 0, 0, 9), DIED, 2), ((2, 9), "another error", 2)],
    ids=["now and then", "three times at one batch", "another error"],
)
def test_a_worker_that_dies_time_and_again_ends_the_stream_as_any_error_does(monkeypatch, whole, counts, message, got):
    left, kept, found = iter(counts), Kept(()), []
    object.__setattr__(kept, "made", whole)
    monkeypatch.setattr(streamed, "_dataset", lambda batches, *_: Breaking(batches, next(left), message))
    fails = pytest.raises(RuntimeError, match=message) if got < len(whole) else contextlib.nullcontext()
    with streamed.Stream(kept, workers=1) as batches, fails:
        found += batches
    assert [batch.position for batch in found] == [batch.position for batch in whole[:got]]


def suite(given, *asked, **how):
    """The stream of one suite."""
    return exam(given, of_suite(given, *asked, **how))


@pytest.mark.parametrize("name", ["test_a", "test_b", "test_c", "test_d"])
def test_suites_are_fresh_and_the_same_for_every_seed(whole, name):
    with suite(config(), name, 10) as batches:
        assert len(batches) == 3
        made = list(batches)
    infos = [info for batch in made for info, is_real in zip(batch.samples, batch.real, strict=True) if is_real]
    assert len(infos) == len({info.sample_id for info in infos}) == 10
    assert made[-1].real.tolist() == [True, True, False, False]
    assert made[-1].samples[1:] == (infos[-1],) * 3 and made[-1].gold_tokens is None
    assert {info.split for info in infos} == {name}
    assert {info.photographed for info in infos} == {name == "test_b"}
    levels = config().evaluation.hard_levels if name == "test_c" else STAGE.mixture.levels
    assert {info.level for info in infos} <= set(levels)
    with suite(config(seed=5), name, 10, share=Share((1,), 2)) as batches:
        assert [batch.samples for batch in batches] == [batch.samples[2:] for batch in made]


def two_stages(first: MixtureConfig, second: MixtureConfig) -> Config:
    stages = tuple(
        dataclasses.replace(STAGE, name=str(i), mixture=mixture) for i, mixture in enumerate((first, second))
    )
    base = config()
    return dataclasses.replace(base, stages=stages, evaluation=dataclasses.replace(base.evaluation, hard_levels=(3, 4)))


def test_a_suite_asks_what_each_stage_trains_with_the_shares_of_each():
    """One stage draws one type of the grid at level 0; the other draws all its types at level 2, and charts."""
    narrow = MixtureConfig(engines=("grid",), weights=(5.0,), levels=(0,), types=("grid.grid_size",))
    wide = MixtureConfig(engines=("chart", "grid", "cube"), weights=(3.0, 1.0, 0.0), levels=(2,))
    with suite(two_stages(narrow, wide), "test_a", 80) as batches:
        draw = batches.batches.parts[0].rows
    parts = list(zip(draw.engines, draw.levels, draw.types, strict=True))
    assert set(parts) == {("grid", (0,), ("grid_size",)), ("grid", (2,), ()), ("chart", (2,), ())}
    share = dict(zip(parts, np.array(draw.weights) / sum(draw.weights), strict=True))
    assert share["grid", (0,), ("grid_size",)] == 0.5
    assert share["grid", (2,), ()] == 0.125 and share["chart", (2,), ()] == 0.375
    asked = [draw.sample(position, 0) for position in range(80)]
    assert {sample.question_type for sample in asked if (sample.engine, sample.level) == ("grid", 0)} == {"grid_size"}
    assert len({sample.question_type for sample in asked if (sample.engine, sample.level) == ("grid", 2)}) > 1
    with suite(two_stages(narrow, wide), "test_c", 4) as batches:
        assert set(batches.batches.parts[0].rows.levels) == {(3, 4)}


def test_stages_that_draw_alike_are_asked_like_one_of_them():
    mixture = STAGE.mixture
    scaled = dataclasses.replace(mixture, weights=tuple(7 * weight for weight in mixture.weights))
    with suite(two_stages(mixture, scaled), "test_a", 8) as both, suite(config(), "test_a", 8) as one:
        assert [batch.samples for batch in both] == [batch.samples for batch in one]


def test_levels_too_fine_for_the_picture_are_refused():
    stage = dataclasses.replace(STAGE, mixture=MixtureConfig(engines=("grid",), weights=(1.0,), levels=(0, 9)))
    small = dataclasses.replace(config(), data=dataclasses.replace(config().data, image_px=28))
    with pytest.raises(ValueError, match=r"mixture.levels of grid must be legible at data.image_px = 28, got"):
        stream(small, stage)


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


PARENT = """
import multiprocessing, signal, sys, time
sys.path.insert(0, {root!r})
if __name__ == "__main__":
    import tests.data.test_batches as t
    stream = t.stream(t.config(2), t.STAGE)
    next(stream)
    while len(multiprocessing.active_children()) < 2:
        time.sleep(0.05)
    print(*[child.pid for child in multiprocessing.active_children()], flush=True)
    time.sleep(60)
"""


def test_workers_die_with_a_killed_parent(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT.format(root=str(ROOT)))
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert len(pids) == 2 and all(alive(pid) for pid in pids)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(alive(pid) for pid in pids)


@pytest.mark.slow
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="two workers need two cores")
def test_two_workers_draw_almost_twice_as_fast_as_one():
    """The process that they feed needs a fourteenth of their time; without a core of its own it takes it from them."""
    wanted = 1.8 if len(os.sched_getaffinity(0)) > 2 else 1.6
    mixture = MixtureConfig(levels=tuple(range(9)), photo_share=0.5)
    stage = dataclasses.replace(STAGE, steps=150, mixture=mixture)

    def samples_per_s(workers: int) -> float:
        large = config(workers, image_px=448, max_patches=1024, max_prompt_tokens=512)
        evaluation = dataclasses.replace(large.evaluation, hard_levels=(9,))
        whole = dataclasses.replace(large, stages=(stage,), evaluation=evaluation)
        with stream(whole, stage) as batches:
            for _ in range(25):  # workers start, and their buffers fill
                next(batches)
            began = time.perf_counter()
            count = sum(len(batch.samples) for batch in batches)
            return count / (time.perf_counter() - began)

    ratios = []
    while not ratios or (ratios[-1] < wanted and len(ratios) < 3):  # another program may hold a core for a while
        ratios.append(samples_per_s(2) / samples_per_s(1))
    print(f"two workers draw {ratios[-1]:.2f} times as fast as one")
    assert ratios[-1] >= wanted, ratios
