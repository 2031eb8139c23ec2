"""How whole runs end: by SIGTERM at a step with a checkpoint; all processes of a run together, each with the cause."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import whole_runs

PROMPT_S = 30.0  # a scheduler's grace


@pytest.mark.slow
def test_sigterm_ends_the_step_and_keeps_it(reference_run, tmp_path):
    workdir, cache = tmp_path / "run", reference_run.cache
    rare = ("--checkpoint.every", "9")  # else a checkpoint would be due anyway
    with whole_runs.train(workdir, *rare, cache=cache) as run:
        run.wait_for(lambda: whole_runs.lines(workdir) >= 1)
        began = time.monotonic()
        ended = run.terminate()
    assert ended.code == 143 and time.monotonic() - began < PROMPT_S
    [step] = whole_runs.steps(workdir)
    assert step not in (6, 9, 10) and step == len(whole_runs.metrics(workdir))
    assert whole_runs.complaint(ended) == f"terminated; step {step} is kept, the same command resumes {workdir}"
    again = whole_runs.finished(workdir, cache=cache)
    assert f"resuming {workdir} after step {step}" in again.err
    whole_runs.assert_same(workdir, reference_run.workdir)


@contextlib.contextmanager
def two_processes(
    workdir: Path, *of_rank_1: str, common: tuple[str, ...] = (), program: str = "perc_jax.train"
) -> Iterator[list[whole_runs.Running]]:
    """A run of two processes, of which the second may have fields of its own."""
    place = {"JAX_COORDINATOR_ADDRESS": f"localhost:{whole_runs.free_port()}", "JAX_NUM_PROCESSES": "2"}
    with contextlib.ExitStack() as both:
        yield [
            both.enter_context(
                whole_runs.train(
                    workdir,
                    *common,
                    *more,
                    program=program,
                    output=workdir.parent / f"rank_{rank}",
                    **place,
                    JAX_PROCESS_ID=str(rank),
                )
            )
            for rank, more in enumerate(((), of_rank_1))
        ]


FEW = ("--evaluation.samples", "16", "16", "16", "16", "--evaluation.blind", "0")


def test_a_workdir_that_not_all_processes_see_is_refused_before_anything_is_compiled(tmp_path):
    """As where each host has `runs/<name>` of its own."""
    workdir, other = tmp_path / "run", tmp_path / "other"
    with two_processes(workdir, "--workdir", str(other), common=FEW, program="tests.run.hurried") as ranks:
        ended = [rank.end() for rank in ranks]
    for rank, one in enumerate(ended):
        said = whole_runs.complaint(one)
        assert one.code == 2 and said.startswith(f"process {rank} of 2: "), said
        assert "--workdir must be one folder that all 2 processes see, on gs:// or a shared disk, but that of " in said
        assert "process 0 is not what process 1 sees; got " in said and "compiling" not in one.err
    assert not other.exists() and not (workdir / "config.json").exists()


@pytest.mark.slow
def test_the_error_of_one_process_ends_both_with_its_cause(tmp_path):
    workdir = tmp_path / "run"
    with two_processes(workdir, "--rollout.max-mismatch", "1e-12", common=FEW) as ranks:
        guilty = ranks[1].end()
        began = time.monotonic()
        other = ranks[0].end()
        assert time.monotonic() - began < PROMPT_S
    cause = "sampler and trainer differ by"
    assert (guilty.code, other.code) == (1, 1), other.err
    assert whole_runs.complaint(guilty).startswith(f"process 1 of 2: {cause}")
    assert whole_runs.complaint(other).startswith(f"process 0 of 2: process 1 of 2 ended the run: {cause}")


@pytest.mark.slow
def test_the_death_of_one_process_ends_the_other(tmp_path):
    """With process 0 goes JAX's own service, at whose end JAX aborts the others before anybody is told."""
    workdir = tmp_path / "run"
    with two_processes(workdir, common=FEW) as ranks:
        ranks[0].wait_for(lambda: whole_runs.lines(workdir) >= 1)
        assert ranks[1].kill().code == -9
        began = time.monotonic()
        other = ranks[0].end()
        assert time.monotonic() - began < PROMPT_S
    said = "error: process 0 of 2: process 1 of 2 ended the run: it was killed, or its machine is gone"
    assert said in other.err.splitlines()
    assert other.code == 1


@pytest.mark.slow
def test_sigterm_to_one_process_keeps_the_same_step_of_both(tmp_path):
    workdir = tmp_path / "run"
    with two_processes(workdir, common=(*FEW, "--checkpoint.every", "9")) as ranks:
        ranks[0].wait_for(lambda: whole_runs.lines(workdir) >= 1)
        began = time.monotonic()
        ended = [ranks[1].terminate(), ranks[0].end()]
        assert time.monotonic() - began < PROMPT_S
    assert [one.code for one in ended] == [143, 143], ended[1].err
    [step] = whole_runs.steps(workdir)
    for rank, one in zip((1, 0), ended, strict=True):
        assert whole_runs.complaint(one).startswith(f"process {rank} of 2: terminated; step {step} is kept")
    with two_processes(workdir, common=FEW) as ranks:
        assert [rank.end().code for rank in ranks] == [0, 0]
