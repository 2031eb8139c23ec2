"""PeBR-R1's pipeline in small, from outside: killed in each of its parts and between them, it ends as undisturbed."""

import json
from pathlib import Path

import pytest

from engines import tables
from tests import whole_runs
from tests.whole_runs import Running

STEPS, GRADED = 4, 12
CONFIG = '''
"""The laptop's recipe with a smaller model, few rows, and coins in place of rewards that it would never earn."""
import dataclasses
from configs import pebr_cpu
from perc_jax.config import TableConfig
from tests import short_run


def get_config():
    recipe, small = pebr_cpu.get_config(), short_run.get_config()
    evaluation = dataclasses.replace(recipe.evaluation, batch=8, tables=(TableConfig("FOLDER/test_described.jsonl"),))
    return dataclasses.replace(
        recipe,
        model=small.model,
        data=dataclasses.replace(recipe.data, workers=0),
        stages=tuple(map(shortened, recipe.stages)),
        evaluation=evaluation,
        checkpoint=dataclasses.replace(recipe.checkpoint, every=2),
    )


def shortened(stage):
    (table,) = stage.mixture.tables
    table = dataclasses.replace(
        table, path="FOLDER/described.jsonl", grade="FOLDER/grade.jsonl" if table.grade else ""
    )
    return dataclasses.replace(
        stage,
        steps=STEPS,
        prompts_per_step=8,
        group_size=min(stage.group_size, 2),
        micro_batches=1,
        mixture=dataclasses.replace(stage.mixture, tables=(table,)),
        reward=dataclasses.replace(stage.reward, control="random" if stage.kind == "grpo" else "none"),
    )
'''


class Pipeline:
    """Starts the parts in one folder, with one cache of compiled programs."""

    def __init__(self, folder: Path):
        self.folder, self.graded, self._output = folder, folder / "grade.jsonl", folder / "output"
        (folder / "recipe.py").write_text(CONFIG.replace("FOLDER", str(folder)).replace("STEPS", str(STEPS)))

    def train(self, stages: str, workdir: Path, *more: str) -> Running:
        """Stages of the recipe in a workdir."""
        words = ("--config", str(self.folder / "recipe.py"), "--only", stages, "--workdir", str(workdir), *more)
        return self._started("perc_jax.train", *words)

    def grade(self, out: Path) -> Running:
        """Rows as the warmed-up model finds them."""
        words = ("--model", str(self.folder / "warm"), "--source", str(self.folder / "described.jsonl"))
        words += ("--limit", str(GRADED), "--rollouts", "2", "--out", str(out))
        return self._started("perc_jax.grade", *words)

    def _started(self, program: str, *words: str) -> Running:
        return Running(program, *words, folder=self._output, cache=self.folder / "cache")


def finished(run: Running) -> None:
    with run:
        ended = run.end()
    assert ended.code == 0, ended.err


def killed(run: Running, moment) -> None:
    """Kill a part when a moment of it has come."""
    with run:
        run.wait_for(moment)
        assert run.kill().code == -9


def committed(workdir: Path, step: int) -> bool:
    return step in whole_runs.steps(workdir)


def asked(file: Path) -> int:
    """Answered rows in a file of `perc_jax.grade`."""
    return max(0, len(file.read_bytes().splitlines()) - 1) if file.exists() else 0


def half_easy_half_medium(file: Path) -> None:
    """What a model of four steps never is: always right about every other row, sometimes about the rest."""
    head, *rows = file.read_text().splitlines()
    records = [json.loads(row) for row in rows]
    for number, record in enumerate(records):
        record["correct"] = [True, number % 2 == 0]
    file.write_text("\n".join([head, *map(json.dumps, records)]) + "\n")


@pytest.mark.slow
def test_killed_in_each_part_and_between_them_it_ends_as_undisturbed(tmp_path):
    pipeline, twice = Pipeline(tmp_path), tmp_path / "twice"
    tables.main(["--out", str(tmp_path), "--tables", "described", "--rows", "32", "--test-rows", "8"])

    finished(pipeline.train("warmup", tmp_path / "warm"))
    killed(pipeline.train("warmup", twice / "warm"), lambda: committed(twice / "warm", 2))
    finished(pipeline.train("warmup", twice / "warm"))
    whole_runs.assert_same(twice / "warm", tmp_path / "warm")

    finished(pipeline.grade(pipeline.graded))
    killed(pipeline.grade(twice / "grade.jsonl"), lambda: asked(twice / "grade.jsonl") >= 1)
    assert asked(twice / "grade.jsonl") < GRADED
    finished(pipeline.grade(twice / "grade.jsonl"))
    assert (twice / "grade.jsonl").read_bytes() == pipeline.graded.read_bytes()

    half_easy_half_medium(pipeline.graded)
    both, begin = "perception,reasoning", ("--from", str(tmp_path / "warm"))
    finished(pipeline.train(both, tmp_path / "run", *begin))
    for moment in (
        lambda: committed(twice / "run", 2),  # in the first stage
        lambda: committed(twice / "run", STEPS),  # between them
        lambda: committed(twice / "run", STEPS + 2),  # in the second
    ):
        killed(pipeline.train(both, twice / "run", *begin), moment)
    finished(pipeline.train(both, twice / "run", *begin))
    whole_runs.assert_same(twice / "run", tmp_path / "run")
    assert json.loads((twice / "run" / "run.json").read_text())["starts"] == 4
