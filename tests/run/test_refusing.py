"""What is wrong with a run's input ends it with code 2, whenever it is found: no other start would mend it."""

import contextlib
import dataclasses
import errno

import pytest

from configs.smoke_cpu import get_config
from perc_jax import train
from perc_jax.processes import ends
from tests.records.test_commits import committed

CONFIG = ("--config", "configs/smoke_cpu.py")


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Runs `train` in the workdir of a run of the smoke recipe that has done two steps, or in a new one; gives the code
    and the line in which it ends."""
    monkeypatch.setattr(train.interrupts, "leave_with", lambda _: None)
    committed(tmp_path / "begun", 2, config=get_config(), stage="warmup")

    def run(workdir: str, *words: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as end:
            train.main([*CONFIG, "--workdir", str(tmp_path / workdir), *words])
        [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
        return end.value.code, line

    return run


@pytest.mark.parametrize("how", [(), ("--dry-run",)], ids=["run", "dry"])
@pytest.mark.parametrize(
    ("workdir", "words", "line"),
    [
        ("begun", ("--seed", "5"), "error: seed must be 0 as in the checkpoints of"),
        ("begun", ("--stages.0.steps", "1"), "error: stages[warmup].steps must be >= 2, which are done, got 1"),
        ("new", ("--mesh.replica", "3"), "error: mesh must use all"),
        ("new", ("--mesh.fsdp", "3"), "error: mesh must use all"),
        ("new", ("--pretrained", "/nowhere"), "error: pretrained"),
    ],
)
def test_bad_input_has_its_code_whenever_it_is_found(command, workdir, words, line, how):
    code, said = command(workdir, *words, *how)
    assert said.startswith(line) and code == ends.BAD_INPUT


def test_a_place_that_is_named_wrongly_is_bad_input(command, monkeypatch):
    monkeypatch.setenv("JAX_COORDINATOR_ADDRESS", "nowhere")
    assert command("new") == (2, "error: JAX_COORDINATOR_ADDRESS must be host:port, got 'nowhere'")


@pytest.mark.parametrize("is_several", [False, True])
@pytest.mark.parametrize(
    ("error", "inside", "outside"),
    [
        (ValueError("x"), 2, 1),
        (FileNotFoundError(errno.ENOENT, "none", "/x"), 2, 1),
        (TimeoutError("x"), 1, 1),  # the others may come to the next start
        (OSError(errno.ENOSPC, "full", "/x"), 1, 1),
        (RuntimeError("x"), 1, 1),
    ],
)
def test_only_input_is_refused(monkeypatch, error, inside, outside, is_several):
    """Of a process that is alone, and of one of several, which leaves at once."""

    def leave(_: str, code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(ends, "leave", leave)
    monkeypatch.setattr(ends, "CONSEQUENCE_S", 0.0)
    monkeypatch.setattr(ends.Group, "tell", (lambda *_: None) if is_several else None)
    for wanted, around in ((outside, contextlib.nullcontext()), (inside, ends.refused())):
        with pytest.raises(SystemExit) as end, ends.told(code=ends.FAILED), ends.at_once(ends.FAILED), around:
            raise type(error)(*error.args)
        assert end.value.code == wanted
    if isinstance(error, TimeoutError):
        assert ends.code_of(error) == ends.code_of(ConnectionError("it hung up")) == ends.FAILED


def test_a_config_whose_stages_end_before_the_run_is_refused_as_a_whole(command):
    stages = dataclasses.asdict(get_config())["stages"]
    code, line = command("begun", "--only", stages[1]["name"])
    assert code == 2 and line.startswith("error: stages must begin with warmup as in the checkpoints, got grpo")
