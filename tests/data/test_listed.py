"""Engines' questions by difficulty: those of a grading alone, each once an epoch, the same from any position."""

import dataclasses
from collections import Counter
from pathlib import Path

import pytest
from etils import epath

from perc_jax.config import Config, CurriculumConfig, MixtureConfig, TableConfig
from perc_jax.data import listed, sound, streams, summary
from perc_jax.data.listed import Named
from perc_jax.records.lines import Record, Records
from perc_jax.run.supply import Supply
from tests.config.test_config import CONFIG, GRPO

SIZE = CONFIG.data.image_px
GRID = {"engines": ("grid", "cube"), "weights": (1.0, 1.0), "levels": (0, 1)}
ASKED = {  # how many of four answers were right
    Named("grid", "grid_size", 0, 11): 4,
    Named("grid", "grid_size", 1, 12): 4,
    Named("cube", "extreme_colour", 0, 13): 4,
    Named("cube", "extreme_colour", 1, 14): 1,
    Named("grid", "grid_size", 0, 15): 3,
    Named("grid", "grid_size", 3, 16): 4,  # of another level
    Named("cube", "extreme_colour", 0, 17): 0,
}
EASY = sorted(name for name, right in ASKED.items() if right == 4 and name.level < 2)


def graded(file: Path, asked: dict[Named, int] = ASKED, size_px: int = SIZE) -> str:
    """A file as `perc_jax.grade` writes it."""
    with Records(file, {"suite": "engines", "scenes": listed.scenes(size_px)}) as records:
        for name, right in asked.items():
            correct = tuple(n < right for n in range(4))
            records.append([Record("train/" + "/".join(map(str, name)), "u", "", ("x",) * 4, (True,) * 4, correct)])
    return str(file)


def config_of(mixture: MixtureConfig, steps: int = 6, prompts: int = 2, **changes: object) -> Config:
    stage = dataclasses.replace(GRPO, mixture=mixture, steps=steps, prompts_per_step=prompts)
    data = dataclasses.replace(CONFIG.data, workers=0)
    evaluation = dataclasses.replace(CONFIG.evaluation, suites=(), samples=(), hard_levels=())
    return dataclasses.replace(CONFIG, stages=(stage,), data=data, evaluation=evaluation, **changes)


def drawn(config: Config, position: int = 0) -> list[str]:
    with streams.stream(config, config.stages[0], position) as stream:
        return [info.sample_id for batch in stream for info in batch.samples]


def ids(names: list[Named]) -> list[str]:
    return ["train/" + "/".join(map(str, name)) for name in names]


def test_each_question_of_the_difficulty_is_drawn_once_an_epoch_and_no_other(tmp_path: Path) -> None:
    grade = graded(tmp_path / "g.jsonl")
    config = config_of(MixtureConfig(**GRID, difficulty="easy", grade=grade), steps=12)
    found = drawn(config)
    assert len(found) == 24 and all(sorted(found[n : n + 3]) == sorted(ids(EASY)) for n in range(0, 24, 3))
    assert len({tuple(found[n : n + 3]) for n in range(0, 24, 3)}) > 1  # in orders of their own
    assert [drawn(config, position) for position in (2, 10)] == [found[2:], found[10:]]
    assert drawn(dataclasses.replace(config, seed=config.seed + 1)) != found
    medium = config_of(MixtureConfig(**GRID, difficulty="medium", grade=grade))
    assert set(drawn(medium)) == set(ids([name for name, right in ASKED.items() if 0 < right < 4]))
    typed = MixtureConfig(**GRID, types=("grid.grid_size",), difficulty="easy", grade=grade)
    assert {name.engine for name in listed.of_mixture(typed, SIZE).names} == {"grid", "cube"}
    [line] = [line for line in summary.stage(config, config.stages[0]) if "easy" in line]
    assert line == f"engines 100.0%: 3 easy questions of {grade}, 8.0 times"


def test_beside_a_table_both_go_through_their_rows(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text("".join(f'{{"question": "What is {n}?", "answer": "{n}"}}\n' for n in range(5)))
    mixture = MixtureConfig(
        **GRID, difficulty="easy", grade=graded(tmp_path / "g.jsonl"), tables=(TableConfig(str(tmp_path / "t.jsonl")),)
    )
    config = config_of(mixture, steps=30)
    found = drawn(config)
    ours, rows = [one for one in found if one.count("/") == 4], [one for one in found if one.count("/") != 4]
    assert len(ours) + len(rows) == 60 and 25 < len(ours) < 55  # two of three
    assert all(sorted(ours[n : n + 3]) == sorted(ids(EASY)) for n in range(0, len(ours) - 2, 3))
    assert max(Counter(rows).values()) - min(Counter(rows).values()) <= 1
    assert drawn(config, 14) == found[14:]


def test_a_stage_goes_on_only_with_the_questions_that_it_began_with(tmp_path: Path) -> None:
    first = graded(tmp_path / "g.jsonl")
    (tmp_path / "later").mkdir()
    second = graded(tmp_path / "later" / "g.jsonl", ASKED | {EASY[0]: 3})
    stored = {}
    for grade in (first, second):
        config = config_of(MixtureConfig(**GRID, difficulty="easy", grade=grade))
        if grade == second:
            with pytest.raises(ValueError, match=r"must be as it was .* easy questions of g.jsonl has changed"):
                Supply(config, config.stages[0], epath.Path(tmp_path / "run"), 1, stored)
            continue
        with Supply(config, config.stages[0], epath.Path(tmp_path / "run"), 0, {}) as supply:
            names = [info.sample_id for _ in range(3) for info in next(supply).samples]
            stored = supply.stored() | {"step": 3}
        with Supply(config, config.stages[0], epath.Path(tmp_path / "run"), 3, stored) as supply:
            names += [info.sample_id for _ in range(3) for info in next(supply).samples]
        assert names == drawn(config)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"grade": ""}, "mixture.grade must name a file of perc_jax.grade for easy questions, got ''"),
        ({"difficulty": "all"}, "mixture.grade must be empty for all questions, got"),
        ({"weights": (1.0, 2.0)}, "mixture.weights must be equal for easy questions"),
        ({"photo_share": 0.5}, "mixture.photo_share must be 0 for easy questions"),
        ({"curriculum": CurriculumConfig("stratified")}, "mixture.curriculum.kind must be none for easy questions"),
        ({"engines": (), "weights": (), "tables": (TableConfig("t.jsonl"),)}, "difficulty must be all without engines"),
    ],
)
def test_what_does_not_go_with_a_difficulty_is_refused(changes: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        config_of(MixtureConfig(**GRID | {"difficulty": "easy", "grade": "g.jsonl"} | changes))


def test_a_file_that_does_not_fit_is_one_line(tmp_path: Path) -> None:
    def told(difficulty: str, file: str) -> list[str]:
        config = config_of(MixtureConfig(**GRID, difficulty=difficulty, grade=file))
        return [str(one) for one in sound.violations(config) if "grade" in one.field]

    assert told("easy", graded(tmp_path / "g.jsonl")) == []
    [line] = told("hard", graded(tmp_path / "none.jsonl", {name: 4 for name in ASKED}))
    assert "has no hard one among 6 of the mixture's engines, levels and types" in line
    [line] = told("easy", graded(tmp_path / "other.jsonl", size_px=SIZE + 28))
    assert f"must be of engines' scenes as they are now at {SIZE} px" in line and "is of engines" in line
    with Records(tmp_path / "table.jsonl", {"suite": "words", "table": "abc"}):
        pass
    assert "is of words" in told("easy", str(tmp_path / "table.jsonl"))[0]
    assert "No such file" in told("easy", str(tmp_path / "nowhere.jsonl"))[0]
    (tmp_path / "torn.jsonl").write_text("no json\n")
    assert "must be of an evaluation's records" in told("easy", str(tmp_path / "torn.jsonl"))[0]
