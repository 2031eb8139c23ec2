"""What one start of a run is asked: every field has its rule, and what needs the config is told beside it."""

import typing

import pytest

from perc_jax import cli
from perc_jax.config import Start, check, violations
from perc_jax.config.rules import fields_of
from tests.config.test_rules import holding, tries

RIGHT = {
    "stop_after": ("",),
    "dry_run": (),
    "track": ((),),
    "profile": ("",),
    "max_restarts": (0,),
}


def test_no_field_takes_a_senseless_value() -> None:
    assert fields_of(Start).keys() == RIGHT.keys()
    start, wrong = Start(), []
    for name, annotation in fields_of(Start).items():
        kind = typing.get_args(annotation)[0]
        for value, entry in tries(kind):
            is_right = entry is not None and entry in RIGHT[name]
            with holding(start, name, value):
                found = list(violations(start))
            if is_right == bool(found):
                wrong.append((name, value, found))
    assert not wrong


@pytest.mark.parametrize(("text", "traced"), [("", (0, 0)), ("10:12", (10, 12)), ("1:1", (1, 1))])
def test_spans_of_steps(text: str, traced: tuple[int, int]) -> None:
    start = Start(profile=text)
    check(start)
    assert start.traced == traced


@pytest.mark.parametrize("text", ["10", ":", "0:3", "12:10", "-1:2", "1:2:3", "1:x", "1 : 2", "1:99999999999"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"^profile must be the first and the last step, such as 10:12, from 1 on, got"
    ):
        check(Start(profile=text))


def test_a_command_line_asks_for_steps_of_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    config = ["--config", "tests/short_run.py"]
    steps = sum(stage.steps for stage in cli.parse_training(config).config.stages)
    start = cli.parse_training([*config, "--profile", f"2:{steps}", "--max-restarts", "3"]).start
    assert (start.traced, start.max_restarts) == ((2, steps), 3)
    start = cli.parse_training([*config, "--max-restarts", "3", "--max-restarts", "0"]).start
    assert start.max_restarts == 0  # what a supervisor relies on
    for words, line in (
        (["--profile", f"2:{steps + 1}"], f"profile must be within the run's steps, 1:{steps}, got '2:{steps + 1}'"),
        (["--max-restarts", "-1"], "max_restarts must be within 0..1000, got -1"),
        (["--max-restart", "1"], "unknown option --max-restart; did you mean --max-restarts?"),
    ):
        with pytest.raises(SystemExit) as end:
            cli.parse_training([*config, *words])
        assert (end.value.code, capsys.readouterr().err) == (2, f"error: {line}\n")
