"""When a run ends before it is done: whose clock and whose signals count, and what the end says."""

import dataclasses
import json

import jax
import pytest

from perc_jax.config import EvaluationConfig, Start, check, to_dict
from perc_jax.mesh import sharding
from perc_jax.processes import ends, interrupts
from perc_jax.run import loop
from perc_jax.run.ending import Ending
from tests.config.test_config import CONFIG


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 0),
        ("45s", 45),
        ("90m", 5400),
        ("3h", 10800),
        ("1d", 86400),
        ("1h30m", 5400),
        ("0.5h", 1800),
        ("2d1h1s", 176401),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    start = Start(stop_after=text)
    check(start)
    assert start.stop_after_s == seconds


@pytest.mark.parametrize("text", ["3", "h", "3 h", "3w", "-1h", "1h 30m", "0s", "0h0m", "1.5.5h", "h3", "nan"])
def test_what_is_no_duration_is_refused_by_its_rule(text: str) -> None:
    with pytest.raises(ValueError, match=r"^stop_after must be (a duration such as .*|> 0), got"):
        check(Start(stop_after=text))


def test_time_is_over_only_after_a_step_and_stays_over() -> None:
    clock = Clock()
    ending = Ending(Start("1m"), began=50.0, clock=clock)
    clock.now = 1000.0
    assert not ending.is_due()  # what an earlier start left undone
    ending.count_step()
    clock.now = 109.9
    assert not ending.is_due()
    clock.now = 110.0
    assert ending.is_due()
    clock.now = 0.0
    assert ending.is_due() and ending.is_decided
    kept = "step 3 is kept, the same command resumes runs/a"
    with pytest.raises(ends.Stopped, match=rf"^after 1m, as --stop-after asked; {kept}$"):
        ending.end([2, 3], "runs/a")


def test_without_a_time_only_the_signal_ends_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    ending = Ending(Start(), clock=clock)
    ending.count_step()
    clock.now = 1e12
    assert not ending.is_due()
    monkeypatch.setattr(interrupts, "asked", lambda: True)
    assert ending.is_due()
    with pytest.raises(ends.Terminated, match="terminated; nothing is kept yet, the same command begins runs/a anew"):
        ending.end([], "runs/a")  # in the evaluation before the first step


@pytest.mark.parametrize(
    ("late", "told", "error"),
    [((True, False), (False, False), ends.Stopped), ((False, True), (False, False), None)]
    + [((False, False), told, ends.Terminated) for told in ((True, False), (False, True))],
)
def test_hosts_end_together_by_any_signal_and_the_first_clock(
    monkeypatch: pytest.MonkeyPatch, late: tuple, told: tuple, error: type[Exception] | None
) -> None:
    """Two hosts that see different clocks and signals; what each brings to the exchange is added up for both."""
    brought, both = [], []
    hosts = [Ending(Start("10s"), began=100.0, clock=lambda r=r: 1000.0 if late[r] else 100.0) for r in (0, 1)]
    for exchange in (
        lambda values: brought.append(values) or values,
        lambda values: {n: sum(v[n] for v in brought) for n in values},
    ):
        monkeypatch.setattr(sharding, "sum_over_hosts", exchange)
        for rank, host in enumerate(hosts):
            host = Ending(Start("10s"), began=100.0, clock=host._clock)
            host.count_step()
            monkeypatch.setattr(jax, "process_index", lambda rank=rank: rank)
            monkeypatch.setattr(interrupts, "asked", lambda rank=rank: told[rank])
            both.append((host, host.is_due()))
    (one, first), (other, second) = both[2:]
    assert first == second == (error is not None)
    for host in (one, other) if error else ():
        with pytest.raises(error):
            host.end([1], "runs/a")


@pytest.mark.parametrize(
    ("error", "code", "words"), [(ends.Stopped, 3, "stopped: x"), (ends.Terminated, 143, "error: x")]
)
def test_an_end_that_was_asked_for_is_announced_as_a_good_one(monkeypatch, capsys, error, code, words) -> None:
    announced = []
    monkeypatch.setattr(ends.Group, "done", lambda: announced.append("done"))
    with pytest.raises(SystemExit) as end, ends.told():
        raise error("x")
    assert (end.value.code, capsys.readouterr().err, announced) == (code, f"{words}\n", ["done"])


@pytest.mark.parametrize("rank", [0, 1])
def test_a_run_that_asks_no_suites_has_the_report_that_its_end_names(monkeypatch, tmp_path, capsys, rank) -> None:
    """Process 0 alone writes it, after all that it shows is on the disk."""
    config = dataclasses.replace(CONFIG, evaluation=EvaluationConfig(suites=(), samples=(), hard_levels=()))
    monkeypatch.setattr(jax, "process_index", lambda: rank)

    class Run:
        def __init__(self, *_) -> None:
            self.lines = ""

        def train(self, _) -> None:
            (tmp_path / "config.json").write_text(json.dumps(to_dict(config)))
            self.lines = json.dumps({"step": 1, "stage": config.stages[0].name, "train/loss": 2.5}) + "\n"

        def close(self) -> None:
            (tmp_path / "metrics.jsonl").write_text(self.lines)

    monkeypatch.setattr(loop, "Run", Run)
    loop.run(config, str(tmp_path))
    page = tmp_path / "report.html"
    assert page.exists() == (rank == 0)
    if rank == 0:
        assert "<b>1 of " in page.read_text() and "No steps yet" not in page.read_text()
        assert f"look at {page}" in capsys.readouterr().err
