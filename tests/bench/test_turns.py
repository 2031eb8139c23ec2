"""Measuring turns: both ways say the same, and going on from a turn costs less than laying a conversation out anew."""

import json
import subprocess
import sys

import pytest

from perc_jax.bench import table
from tests import ROOT, whole_runs

PARTS = ("rollout", "update")


def test_two_ways_are_told_side_by_side():
    seconds = {"slow": {"a": 3.0, "b": 1.0}, "fast": {"a": 1.5, "b": 2.0}}
    of_cpu = {"slow": {"a": 9.0, "b": 1.0}, "fast": {"a": 3.0, "b": 1.0}}
    found = {"seconds": seconds, "processor_seconds": of_cpu, "load": 0.2}
    head, *rows, last = table.beside(found, {"slow": "anew", "fast": "in turns"})
    assert head.split() == ["seconds", "anew", "in", "turns", "ratio", "by", "CPU"]
    assert [row.split() for row in rows] == [
        ["a", "3.000", "1.500", "2.00", "3.00"],
        ["b", "1.000", "2.000", "0.50", "1.00"],
    ]
    assert last == "load by others at the start 0.2"
    assert "not to be trusted" in table.beside(found | {"load": 3.0}, {"slow": "anew", "fast": "in turns"})[-1]


@pytest.mark.slow
def test_going_on_costs_less_than_beginning_anew(tmp_path):
    """The clock need not be quiet to see that: the prompt is read once and not 2 x 3 times a group."""
    words = ["--prompt-tokens", "256", "--turn-tokens", "8", "--picture-px", "56", "--repeats", "2"]
    words += ["--stages.0.group-size", "2", "--stages.0.prompts-per-step", "2"]
    command = [sys.executable, "-m", "perc_jax.bench.turns", *words, "--json", str(tmp_path / "found.json")]
    environment = whole_runs.environment(None)
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=550, check=False)
    assert ended.returncode == 0, ended.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["recompiles"] == 0 and found["turns"] == 2
    for part in PARTS:
        ours, anew = (found["processor_seconds"][way][part] for way in ("ours", "anew"))
        assert 0 < ours < anew, part
    assert [line.split()[0] for line in ended.stdout.splitlines()[2:-1]] == list(PARTS)
