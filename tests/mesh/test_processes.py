"""Processes of a run, for real, over the loopback: those that share a tensor group, and whole runs equal to one."""

import contextlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests import quick, whole_runs
from tests.mesh.four_processes import ROWS


def start(count: int, program: str, *arguments: str, folder: Path, devices: int = 1) -> list[whole_runs.Ended]:
    """Run a program in so many processes that find each other, each with so many devices, to their end."""
    place = {"JAX_COORDINATOR_ADDRESS": f"localhost:{whole_runs.free_port()}", "JAX_NUM_PROCESSES": str(count)}
    flags = f"{quick.FLAGS} --xla_force_host_platform_device_count={devices}"
    with contextlib.ExitStack() as opened:
        ranks = [
            opened.enter_context(
                whole_runs.Running(
                    program,
                    *arguments,
                    folder=folder / f"rank_{rank}",
                    XLA_FLAGS=flags,
                    **place if count > 1 else {},
                    **{"JAX_PROCESS_ID": str(rank)} if count > 1 else {},
                )
            )
            for rank in range(count)
        ]
        ended = [rank.end() for rank in ranks]
    assert [rank.code for rank in ended] == [0] * count, [rank.err for rank in ended]
    return ended


def test_processes_of_one_tensor_group_bring_the_same_rows_and_count_once(tmp_path):
    ended = start(4, "tests.mesh.four_processes", folder=tmp_path)
    found = [json.loads(rank.out.splitlines()[-1]) for rank in ended]
    batch = np.arange(2.0 * ROWS).reshape(ROWS, 2)
    rolled = np.roll(batch, 1, axis=0)[:, 0]
    for process, one in enumerate(found):
        rows = [0, 1, 2, 3] if process < 2 else [4, 5, 6, 7]
        assert one["rows"] == rows and one["shape"] == [ROWS, 2]
        assert one["weighted"] == (batch * np.arange(1, ROWS + 1)[:, None]).sum()
        assert one["back"] == batch[rows, 0].tolist() and one["rolled"] == rolled[rows].tolist()
        assert one["joined"] == batch[:, 0].tolist() and one["counts"] == [1] * ROWS
        assert one["sum"] == {"rows": ROWS, "third": 1 / 3 + 1 / 3} and one["largest"] == 3
        assert one["agreed"] == [process // 2 * 2]


def trained(workdir: Path, processes: int, devices: int) -> Path:
    """A run of the smoke config in a workdir, from where it stands to its end."""
    arguments = (*whole_runs.SMOKE, "--workdir", str(workdir), "--mesh.tensor", "2", "--data.workers", "0")
    arguments += ("--stages.1.reward.control", "random")
    start(processes, "perc_jax.train", *arguments, folder=workdir.parent / f"{workdir.name}.output", devices=devices)
    facts = json.loads((workdir / "run.json").read_text())
    assert (facts["hosts"], facts["devices"]) == (processes, processes * devices)
    return workdir


def assert_close(workdir: Path, other: Path) -> None:
    """Every answer and sample the same; metrics to the rounding of float32, parameters as Adam's first steps, which
    divide a gradient by its own size, leave that rounding."""
    whole_runs.assert_metrics_close(workdir, other, 1e-6, 1e-7)
    assert whole_runs.evaluations(workdir) == whole_runs.evaluations(other)
    assert whole_runs.kept_samples(workdir) == whole_runs.kept_samples(other)
    mine, theirs = (whole_runs.leaves(folder, whole_runs.steps(folder)[-1]) for folder in (workdir, other))
    for name, leaf in mine.items():
        np.testing.assert_allclose(leaf, theirs[name], rtol=0, atol=3e-5, err_msg=name)


# Two tensor groups add up their gradients in another order where they are processes; one adds up nothing.
@pytest.mark.slow
@pytest.mark.timeout(3600)  # four whole runs, each of which compiles; ten minutes each where the machine is busy
@pytest.mark.parametrize(("processes", "assert_like"), [(2, whole_runs.assert_same), (4, assert_close)])
def test_processes_that_share_a_tensor_group_train_as_one(tmp_path, processes, assert_like):
    """Also when one process goes on where several stopped, and several where one did."""
    one, many = trained(tmp_path / "one", 1, processes), trained(tmp_path / "many", processes, 1)
    assert_like(many, one)
    for stopped, goes_on in ((one, processes), (many, 1)):
        reference = whole_runs.Reference(stopped, None, tmp_path / "cache")
        resumed = whole_runs.copy_at(reference, tmp_path / f"resumed_{goes_on}", whole_runs.steps(stopped)[0])
        assert_like(trained(resumed, goes_on, processes // goes_on), one)
        shutil.rmtree(resumed)
