"""The speed of the engines: rates by the clock and by CPU time are told apart, and agree where they must."""

import io

import pytest
from rich.console import Console

from engines import bench


def test_workers_give_a_rate_by_the_clock_and_one_that_compares_with_the_table():
    rate = bench.in_workers(("grid",), 1, 3, 224)
    assert rate["per_s"] == pytest.approx(rate["per_cpu_s"] * rate["cores"]) and rate["per_cpu_s"] > 1
    assert rate["cores"] > 0


def test_the_last_line_agrees_with_the_table():
    """On a busy machine the clock says little: the line says so, and repeats the table's figure."""
    part = bench._with_rates(dict.fromkeys((f"{stage}_ms" for stage in bench.STAGES), 6.0))
    busy = {"per_s": 9.0, "per_cpu_s": part["training_per_s"], "cores": 0.08}
    screen = io.StringIO()
    found = {"engines": {"grid": part}, "all": part, "workers": {1: busy, 2: busy}}
    bench._show(found, Console(file=screen, width=110))
    *table, one, two = screen.getvalue().rstrip().splitlines()
    training = next(line for line in reversed(table) if line.strip().startswith("all")).split()[-1]
    assert training == f"{part['training_per_s']:.0f}" == "111"
    wanted = "1 process, training mixture: 9 samples/s by the clock, 111 per CPU second as in the table, 0.08 cores"
    assert one == wanted and two.startswith("2 processes, ")
