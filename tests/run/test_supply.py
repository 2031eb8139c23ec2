"""What a stage draws: phases on the disk, state that goes on exactly, and runs of every ending."""

import contextlib
import dataclasses
import json
import shutil
import time

import pytest
from etils import epath

from configs.debug_cpu import get_config
from perc_jax.config import CurriculumConfig, MixtureConfig, TableConfig
from perc_jax.data import batches
from perc_jax.environments.playground import Playground
from perc_jax.rewards.verifier import Verdict, Verifier
from perc_jax.run import groups, together
from perc_jax.run.beginning import open_run
from perc_jax.run.supply import Supply, shares_of
from tests import whole_runs
from tests.data.test_curriculum import MIXTURE, of_stage

STRATIFIED = dataclasses.replace(MIXTURE, curriculum=CurriculumConfig(kind="stratified", phase_steps=3))
STAGE = dataclasses.replace(
    get_config().stages[1], steps=9, prompts_per_step=2, micro_batches=1, group_size=4, mixture=STRATIFIED
)


class Graded:
    """Half of a grid's completions are right."""

    def __init__(self, batch: batches.Batch):
        import numpy as np

        right = [[2.0 if info.engine == "grid" else 0.0] for info in batch.samples]
        self.accuracy = np.array(right)


def told(supply: Supply, step: int) -> list[str]:
    """Draw a batch and say what became of it."""
    batch = next(supply)
    supply.count(groups.Round(batch, None, Graded(batch), ("mixed", "all_wrong")), step)
    return [info.sample_id for info in batch.samples]


def files(folder) -> dict[str, str]:
    return {path.name: path.read_text() for path in (folder / "curriculum").iterdir()}


def test_a_stage_gone_on_from_any_step_draws_and_writes_the_same(tmp_path):
    config, ids, stored = of_stage(STAGE), [], []
    with Supply(config, STAGE, epath.Path(tmp_path / "whole"), 5, {}) as supply:
        for step in range(6, 15):
            ids.append(told(supply, step))
            stored.append(json.loads(json.dumps(supply.stored())))
    whole = files(tmp_path / "whole")
    assert sorted(whole) == [f"{step:06d}_grpo_{phase}.json" for step, phase in ((5, 0), (6, 1), (9, 2), (12, 3))]
    assert [state["data"] for state in stored] == list(range(2, 20, 2))
    for stop in (1, 2, 4, 8):
        folder = tmp_path / str(stop)
        with Supply(config, STAGE, epath.Path(folder), 5 + stop, stored[stop - 1]) as supply:
            assert [told(supply, 6 + place) for place in range(stop, 9)] == ids[stop:]
            assert supply.stored() == stored[-1]
        again = files(folder) if (folder / "curriculum").exists() else {}
        assert again == {name: text for name, text in whole.items() if int(name[:6]) > 5 + stop}


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_a_stage_gone_on_with_other_rounds_has_enough_for_the_steps_that_are_left(rounds, tmp_path):
    """Four steps of two rounds are done: sixteen prompts, of which one round a step would have asked for eight."""
    plain = dataclasses.replace(MIXTURE, curriculum=CurriculumConfig())
    two, other = (dataclasses.replace(STAGE, mixture=plain, max_rounds=n) for n in (2, rounds))
    with Supply(of_stage(two), two, epath.Path(tmp_path), 0, {}) as supply:
        for _ in range(8):
            next(supply)
        stored = supply.stored() | {"step": 4}
    with Supply(of_stage(other), other, epath.Path(tmp_path), 4, stored) as supply:
        positions = [next(supply).position for _ in range((STAGE.steps - 4) * rounds)]
    assert positions == list(range(18, 18 + 2 * len(positions), 2))


def test_a_table_of_another_weight_goes_on_with_the_rows_that_were_not_drawn(tmp_path):
    """Also from a checkpoint of an earlier version, of which the stored stage says how it was drawn."""
    (tmp_path / "mine.jsonl").write_text("".join(f'{{"question": "{n}?", "answer": "{n}"}}\n' for n in range(40)))
    table = TableConfig(str(tmp_path / "mine.jsonl"), kind="number")

    def weighing(share):
        mixture = MixtureConfig(("grid",), (1.0,), tables=(dataclasses.replace(table, weight=share),))
        return dataclasses.replace(STAGE, steps=40, mixture=mixture)

    half, most = weighing(1.0), weighing(7.0)
    for forgets in (False, True):
        ids = []
        with Supply(of_stage(half), half, epath.Path(tmp_path), 0, {}) as supply:
            for _ in range(10):
                ids += [info.sample_id for info in next(supply).samples]
            stored = json.loads(json.dumps(supply.stored())) | {"step": 10}
        first = sum("mine" in name for name in ids)
        if forgets:
            stored |= {"shares": shares_of(json.loads(json.dumps(dataclasses.asdict(half))))}
        with Supply(of_stage(most), most, epath.Path(tmp_path), 10, stored) as supply:
            while sum("mine" in name for name in ids) < 40:
                ids += [info.sample_id for info in next(supply).samples]
        mine = [name for name in ids if "mine" in name][:40]
        assert 4 < first < 16 and len(set(mine)) == 40  # an epoch, and then the next


@pytest.mark.parametrize("workers", [0, 1])
def test_leaving_a_stage_whose_next_phase_is_undecided_does_not_hang(workers, tmp_path, capfd):
    config, began = of_stage(STAGE, workers=workers), time.monotonic()
    with Supply(config, STAGE, epath.Path(tmp_path), 0, {}) as supply:
        for _ in range(3):
            next(supply)  # nobody tells what became of them: the fourth will never be drawn
        time.sleep(0.2)
    assert time.monotonic() - began < 60
    assert "Traceback" not in capfd.readouterr().err


def test_a_supervised_stage_has_a_position_only(tmp_path):
    stage = get_config().stages[0]
    with Supply(of_stage(stage), stage, epath.Path(tmp_path), 0, {}) as supply:
        next(supply)
        assert supply.stored() == {"data": stage.prompts_per_step}
    assert not (tmp_path / "curriculum").exists()


# --- whole runs ----------------------------------------------------------------------------------------------------

WIDE = ("--stages.1.steps", "8", "--stages.1.mixture.curriculum.kind", "stratified", "--checkpoint.keep", "9")
WIDE += ("--stages.1.mixture.curriculum.phase-steps", "3", "--stages.1.max-rounds", "2", "--evaluation.every", "4")
FEW = ("--evaluation.suites", "test_a", "--evaluation.samples", "8", "--evaluation.blind", "0")
STEPS = 14


@pytest.mark.slow
def test_a_run_with_curriculum_and_rounds_resumes_to_the_same_bits(tmp_path):
    """From every step: all that decides the rest of a run is in its checkpoint."""
    cache, whole = tmp_path / "cache", tmp_path / "whole"
    settings = (*WIDE, *FEW, "--checkpoint.every", "1", "--checkpoint.keep", str(STEPS))
    whole_runs.finished(whole, *settings, cache=cache)
    records = whole_runs.metrics(whole)
    rounds = [record["groups/rounds"] for record in records if "groups/rounds" in record]
    assert len(rounds) == 8 and set(rounds) == {1.0, 2.0}  # of coins, eight groups of four are sometimes all mixed
    reference = whole_runs.Reference(whole, None, cache)
    assert whole_runs.steps(whole) == list(range(1, STEPS + 1))
    for step in whole_runs.steps(whole)[:-1]:
        workdir = whole_runs.copy_at(reference, tmp_path / f"from_{step}", step)
        whole_runs.finished(workdir, *settings, cache=cache)
        whole_runs.assert_same(whole, workdir)
        assert files(whole) == files(workdir) and not (workdir / "changes.json").exists()
        shutil.rmtree(workdir)
    killed = tmp_path / "killed"
    with whole_runs.train(killed, *settings, cache=cache) as run:
        run.wait_for(lambda: whole_runs.lines(killed) >= 9)
        run.kill()
    whole_runs.finished(killed, *settings, cache=cache)
    whole_runs.assert_same(whole, killed)
    assert files(whole) == files(killed)


@pytest.mark.slow
@pytest.mark.parametrize("rounds", ["1", "2"])
def test_two_processes_count_as_one(rounds, tmp_path):
    """With one round all is as on one host; with two, each host fills its own part, and both agree when to stop."""
    how, cache = (*WIDE, "--stages.1.max-rounds", rounds), tmp_path / "cache"
    place = {"JAX_COORDINATOR_ADDRESS": f"localhost:{whole_runs.free_port()}", "JAX_NUM_PROCESSES": "2"}
    with contextlib.ExitStack() as both:
        ranks = [
            both.enter_context(
                whole_runs.train(
                    tmp_path / "two", *how, output=tmp_path / f"rank_{rank}", **place, JAX_PROCESS_ID=str(rank)
                )
            )
            for rank in (0, 1)
        ]
        ended = [rank.end() for rank in ranks]
    assert [rank.code for rank in ended] == [0, 0], [rank.err for rank in ended]
    written = files(tmp_path / "two")
    assert all(record["groups/rounds"] <= int(rounds) for record in whole_runs.metrics(tmp_path / "two")[6:])
    if rounds == "1":
        whole_runs.finished(tmp_path / "one", *how, cache=cache)
        assert written == files(tmp_path / "one")


class Says(Verifier):
    """A verifier with one verdict for everything."""

    def __init__(self, correct: bool):
        self.verdict = Verdict(correct, True, "7")

    def verify(self, texts, answers) -> list[Verdict]:
        return [self.verdict] * len(texts)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("correct", "words"), [(False, "all wrong.*must be easier"), (True, "all right.*must be harder")]
)
def test_an_impossible_and_a_trivial_mixture_end_the_run(correct, words, tmp_path):
    from configs.smoke_cpu import get_config as smoke
    from perc_jax.config.start import PLAIN
    from perc_jax.processes.progress import Progress
    from perc_jax.records.metrics import CompileCounter, Timer
    from perc_jax.records.owner import Owner
    from perc_jax.run.loop import Run

    config = smoke()
    stage = dataclasses.replace(config.stages[1], steps=500, max_rounds=2)
    config = dataclasses.replace(
        config,
        stages=(stage,),
        evaluation=dataclasses.replace(config.evaluation, suites=("test_a",), samples=(8,), batch=8),
        checkpoint=dataclasses.replace(config.checkpoint, every=100),
    )
    with contextlib.ExitStack() as opened:
        timer = Timer()
        screen = opened.enter_context(Progress(config.phase_deadline_s, quiet=True, timer=timer))
        compiles = opened.enter_context(CompileCounter())
        workdir = str(tmp_path / "run")
        owner, now = opened.enter_context(Owner(workdir, screen.say)), time.monotonic()
        heart, playground = together.heart(workdir, screen), opened.enter_context(Playground(config))
        given = config, workdir, screen, timer, compiles, owner, heart, PLAIN, now, open_run(config, workdir)
        run = opened.enter_context(contextlib.closing(Run(*given, playground)))
        with pytest.raises(RuntimeError, match=words) as error:
            run.train(Says(correct))
    assert "\n" not in str(error.value) and whole_runs.lines(tmp_path / "run") <= groups.MAX_BARREN_STEPS
    shutil.rmtree(tmp_path / "run")
