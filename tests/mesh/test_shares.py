"""Shares: every row is brought by the processes that compute it, and counts once; what hosts exchange about rows."""

import numpy as np
import pytest

from perc_jax.batch import WHOLE, Share
from perc_jax.config import MeshConfig
from perc_jax.mesh import sharding, shares
from perc_jax.rewards.verifier import TIMED_OUT, Rewards, Verdict
from perc_jax.run import rewarded


def layout(shape: tuple[int, int, int], per_process: int) -> np.ndarray:
    """The processes of the mesh's devices, which are in the order of their processes."""
    return (np.arange(np.prod(shape)) // per_process).reshape(shape)


def test_the_worked_example_of_share():
    found = shares.shares(layout((1, 2, 2), 1))
    assert {process: share.rows(4) for process, share in found.items()} == {0: [0, 1], 1: [0, 1], 2: [2, 3], 3: [2, 3]}
    assert [process for process, share in found.items() if share.is_first] == [0, 2]
    assert {share.sharers for share in found.values()} == {2}


SHAPES = [(1, 1, 2), (1, 2, 2), (2, 2, 2), (1, 4, 2), (2, 1, 4), (1, 1, 8), (1, 8, 1), (2, 4, 8), (1, 8, 8)]


@pytest.mark.parametrize("per_process", [1, 2, 4, 8])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_row_is_brought_where_it_is_computed_and_counts_once(shape, per_process):
    processes = layout(shape, per_process)
    found, units = shares.shares(processes), processes.reshape(-1, shape[2])
    rows = 3 * len(units)
    brought = {process: share.rows(rows) for process, share in found.items()}
    for row in range(rows):
        assert {process for process, own in brought.items() if row in own} == set(units[row // 3].tolist())
    counted = [row for process, share in found.items() if share.is_first for row in brought[process]]
    assert sorted(counted) == list(range(rows))
    assert all(share.total(len(brought[process])) == rows for process, share in found.items())
    assert all(own == sorted(own) for own in brought.values())


def test_devices_in_another_order_bring_rows_that_do_not_touch():
    """A host of 2 x 2 chips in a grid of 4 x 2 that is numbered line by line."""
    found = shares.shares(np.array([0, 0, 1, 1, 0, 0, 1, 1]).reshape(1, 8, 1))
    assert found[0].rows(8) == [0, 1, 4, 5] and found[1].rows(16) == [4, 5, 6, 7, 12, 13, 14, 15]


def test_one_process_brings_all():
    mesh = sharding.make_mesh(MeshConfig(2, 2, 2))
    assert shares.own(mesh) == Share((0, 1, 2, 3), 4)
    assert WHOLE.rows(5) == [0, 1, 2, 3, 4] and WHOLE.total(5) == 5 and WHOLE.is_first


@pytest.mark.parametrize(
    "processes",
    [
        [[[0, 0, 1], [1, 2, 2]]],  # process 1 shares its rows with 0, and others with 2
        [[[0, 1], [2, 2]]],  # two bring the first row, one the second
    ],
)
def test_rows_that_would_be_shared_unevenly_are_refused(processes):
    with pytest.raises(
        ValueError, match=r"mesh\.tensor must divide the devices of a process, or be .* share rows unev"
    ):
        shares.shares(np.array(processes))


# --- what hosts exchange, with the others' part given ---------------------------------------------------------------


@pytest.fixture
def on_hosts(monkeypatch):
    """`on_hosts(layout, ask)`: what `ask(share)` returns on each process, all of which ask the same thing."""

    def run(processes, ask):
        found = shares.shares(np.array(processes))
        monkeypatch.setattr(sharding.jax, "process_count", lambda: len(found))
        monkeypatch.setattr(shares, "of_mesh", lambda mesh: found)
        sent, results = {}, {}
        for _ in range(2):  # first what each sends, then what each makes of all
            for process, share in found.items():

                def gather(values, process=process):
                    sent.setdefault(process, values)
                    return np.stack([sent.get(other, values) for other in found])

                monkeypatch.setattr(sharding.multihost_utils, "process_allgather", gather)
                monkeypatch.setattr(shares, "own", lambda mesh, share=share: share)
                results[process] = ask(share)
        return results

    return run


SHARED = [[[0, 1], [2, 3]]]
MESH = sharding.make_mesh(MeshConfig())


def test_shared_rows_are_summed_once_in_float64(on_hosts):
    values = {0: 0.1, 1: 0.1, 2: 0.2, 3: 0.2}
    found = on_hosts(SHARED, lambda share: sharding.sum_over_hosts({"a": values[share.process], "b": 1.0}, share))
    assert set(map(str, found.values())) == {str({"a": 0.1 + 0.2, "b": 2.0})}
    counts = on_hosts(SHARED, lambda share: sharding.sum_array_over_hosts(np.array([3, share.process]), share))
    assert all(one.tolist() == [6, 2] for one in counts.values())


@pytest.mark.parametrize("processes", [SHARED, [[[0], [0], [1], [1], [0], [0], [1], [1]]]])
def test_rows_are_joined_in_the_batchs_order(on_hosts, processes):
    total = 8
    found = on_hosts(processes, lambda share: sharding.rows_of_all_hosts(np.array(share.rows(total)), MESH))
    assert all(one.tolist() == list(range(total)) for one in found.values())


def test_sharers_take_what_the_first_of_them_found(on_hosts):
    """A deadline that passed on one of two hosts with the same rows: both go by the first one's clock."""

    def ask(share):
        late = share.process in (1, 2)
        right = np.array([[0.0 if late else 1.0, 0.0]], np.float32)
        verdicts = [TIMED_OUT if late else Verdict(True, True, "7"), Verdict(False, True, "8")]
        rewards, agreed = rewarded.agreed(
            Rewards(right, right, right, right[..., None], right[..., None]), verdicts, share
        )
        return rewards.total.tolist(), [verdict.timed_out for verdict in agreed]

    found = on_hosts(SHARED, ask)
    assert found[0] == found[1] == ([[1.0, 0.0]], [False, False])
    assert found[2] == found[3] == ([[0.0, 0.0]], [True, False])
