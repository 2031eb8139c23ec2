"""Sweeps as pictures: both kinds are drawn, with units on every axis and a mark per measurement."""

import pytest
from matplotlib.figure import Figure

from perc_jax.bench import plot


def point(group: int, *, peer: bool) -> dict:
    shape = {"prompt_tokens": 256, "max_tokens": 64, "group_size": group, "prompts": 2, "micro_batches": 1}
    part = {
        "seconds": 0.1 * group,
        "executed_flops": 1e9 * group,
        "useful_flops": 3e9 * group,
        "ratio_to_peer": 4.0 if peer else None,
        "peer_seconds": 0.4 * group,
    }
    return {
        "config": "case",
        "device": "cpu",
        "shape": shape,
        "machine": {"flops": 1e11, "count": 1},
        "parts": {name: part for name in ("rollout", "update", "step")},
        "temporary_bytes": 1000 * (256 + 64 * group),
    }


@pytest.fixture
def drawn(monkeypatch) -> list[Figure]:
    """The figures that are saved."""
    figures, save = [], Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *rest, **more: (figures.append(self), save(self, *rest, **more))
    )
    return figures


@pytest.mark.parametrize(("what", "peer"), [("step", True), ("step", False), ("memory", False)])
def test_a_sweep_is_drawn_with_units(what, peer, drawn, tmp_path):
    values = [2, 8, 32]
    found = {
        "what": what,
        "sweep": "group_size",
        "values": values,
        "points": [point(group, peer=peer) for group in values],
    }
    plot.draw(found, tmp_path / "sweep.png")
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")
    left, right = drawn[0].axes
    assert left.get_xlabel().startswith("G, ")
    assert right.get_xlabel() == ("tokens" if what == "memory" else "operations executed, TFLOP")
    unit = "GB" if what == "memory" else "seconds"
    assert unit in left.get_ylabel() and unit in right.get_ylabel()
    lines = [line for line in left.get_lines() if len(line.get_xdata()) == len(values)]
    assert len(lines) == {"memory": 3, "step": 6 if peer else 3}[what]
    assert all(list(line.get_xdata()) == values for line in lines)
    assert "C 64" in drawn[0].get_suptitle() and "G " not in drawn[0].get_suptitle()


def test_memory_that_follows_the_shared_row_lies_on_its_line(drawn, tmp_path):
    values = [1, 4, 16]
    points = [point(group, peer=False) for group in values]
    plot.draw({"what": "memory", "sweep": "group_size", "values": values, "points": points}, tmp_path / "m.png")
    measured, shared, unshared = (list(line.get_ydata()) for line in drawn[0].axes[0].get_lines())
    assert measured == pytest.approx(shared) and unshared[-1] > 3 * measured[-1]
