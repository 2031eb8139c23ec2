"""What a config names exists, or is named: engines, types, levels, files, weights; all without a device."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import engines
from perc_jax import cli
from perc_jax.config import (
    CodebookConfig,
    CodesConfig,
    Config,
    CurriculumConfig,
    MixtureConfig,
    RewardConfig,
    TableConfig,
    TermConfig,
)
from perc_jax.data import sound
from tests.config.test_config import CONFIG, GRPO, SFT


def mixed(mixture: MixtureConfig, **evaluation: object) -> Config:
    """The tiny config with one GRPO stage that draws a mixture."""
    asked = replace(CONFIG.evaluation, **evaluation)
    return replace(CONFIG, stages=(replace(GRPO, mixture=mixture),), evaluation=asked)


def told(config: Config, **how: bool) -> list[str]:
    return [*map(str, sound.violations(config, **how))]


@pytest.mark.parametrize("path", sorted(cli.CONFIGS.glob("[!_]*.py")), ids=lambda path: path.stem)
def test_the_shipped_configs_name_what_exists(path: Path) -> None:
    """All but tables, which are the user's own or the hub's, and a codebook that is to be taught first."""
    found = [line for line in told(cli.load_config(path)) if ".tables." not in line]
    assert [line for line in found if not line.startswith("codes.folder") or "runs/" not in line] == []


GRID = {"engines": ("grid",), "weights": (1.0,), "levels": (0,)}


@pytest.mark.parametrize(
    ("mixture", "told_as"),
    [
        ({"engines": ("gird",)}, f"engines must be of {', '.join(engines.ENGINES)}, got 'gird'"),
        ({"types": ("grid.locat",)}, "types must name trained types as engine.type (did you mean 'grid.locate'?), got"),
        ({"types": ("chart.second_bar",)}, "types must name trained types as engine.type"),  # held out
        ({"types": ("locate",)}, "types must name trained types as engine.type"),
        ({"types": ("chart.extreme_sector",)}, "types must be of engines that the mixture draws, got"),
        ({"levels": (0, 9)}, "levels must be legible for grid at data.image_px = 112, got [9]"),
    ],
)
def test_a_mixture_that_cannot_be_drawn_is_refused(mixture: dict, told_as: str) -> None:
    found = told(mixed(MixtureConfig(**GRID | mixture), suites=(), samples=(), hard_levels=()))
    assert len(found) == 1 and found[0].startswith(f"stages.0.mixture.{told_as}")


def test_a_map_that_nobody_has_and_a_codebook_that_is_not_there_are_refused() -> None:
    config = cli.load_config(cli.CONFIGS / "tokens_cpu.py")
    stage = replace(config.stages[1], mixture=replace(config.stages[1].mixture, engines=("sudoku",), types=()))
    found = told(replace(config, stages=(stage,), codes=replace(config.codes, folder="nowhere")))
    assert any(line.startswith("stages.0.mixture.engines must be of an engine that has maps: ") for line in found)
    assert any(line.startswith("stages.0.auxiliary.boxed must name types of engines that") for line in found)
    assert any(line.startswith("codes.folder must be a codebook of these settings (") for line in found)


def test_an_engine_of_weight_0_is_not_drawn() -> None:
    mixture = MixtureConfig(engines=("grid", "chart"), weights=(1.0, 0.0), levels=(0,), types=("chart.extreme_sector",))
    assert told(mixed(mixture)) == [
        "stages.0.mixture.types must be of engines that the mixture draws, got 'chart.extreme_sector'"
    ]


def test_a_suite_without_a_legible_question_is_refused() -> None:
    (found,) = told(mixed(MixtureConfig(**GRID), hard_levels=(8, 9)))
    assert found.startswith("evaluation.suites must have a question") and found.endswith("got 'test_c'")


@pytest.mark.parametrize("name", ["nowhere.model", "/nowhere/tokenizer", "nowhere", "a/b/c"])
def test_a_tokenizer_that_is_none_is_named(name: str) -> None:
    config = replace(CONFIG, data=replace(CONFIG.data, tokenizer=name))
    (found,) = told(config)
    assert found.startswith("data.tokenizer must be a") and found.endswith(f"got {name!r}")
    assert told(config, trains=False) == []  # a plan reads none


def test_a_tokenizer_must_be_one_and_fit_the_model(tmp_path: Path) -> None:
    (tmp_path / "bad.model").write_bytes(b"no pieces")
    (found,) = told(replace(CONFIG, data=replace(CONFIG.data, tokenizer=str(tmp_path / "bad.model"))))
    assert found.startswith("data.tokenizer must be a SentencePiece model")
    small = replace(CONFIG.model, text=replace(CONFIG.model.text, vocab_size=300))
    assert told(replace(CONFIG, model=small)) == [
        "model.text.vocab_size must be at least the tokenizer's 1024, got 300"
    ]


def test_a_random_start_must_have_room_for_what_is_added() -> None:
    book = CodebookConfig(side=4, codes=32, width=16, map_px=64, channels=32)
    added = replace(CONFIG, codes=CodesConfig("depth", book, "codes_tiny", 3))
    assert told(added) == [
        "model.text.vocab_size must be at least the tokenizer's 1061, 37 of codes among them, got 1024"
    ]
    room = replace(CONFIG.model, text=replace(CONFIG.model.text, vocab_size=1061))
    assert told(replace(added, model=room)) == []
    assert told(replace(added, pretrained="Qwen/Qwen2.5-VL-3B-Instruct")) == []  # its own is enlarged


def test_first_weights_and_gradings_must_exist_until_the_run_has_begun(tmp_path: Path) -> None:
    curriculum = CurriculumConfig(kind="stratified", grade=str(tmp_path / "grade.jsonl"))
    config = replace(mixed(MixtureConfig(**GRID, curriculum=curriculum)), pretrained=str(tmp_path / "model"))
    found = told(config)
    assert [line.split()[0] for line in found] == ["pretrained", "stages.0.mixture.curriculum.grade"]
    assert "No such file" in found[1] and told(config, begun=True) == []
    assert told(replace(config, pretrained="Qwen/Qwen2.5-VL-3B-Instruct")) == found[1:]


def test_a_grading_must_be_of_the_mixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "grade.jsonl"
    config = mixed(MixtureConfig(**GRID, curriculum=CurriculumConfig(kind="stratified", grade=str(file))))
    for name, words in (
        ("train/grid/locate/0/1", None),
        ("train/grid/locate/5/1", "must hold questions of the mixture"),
    ):
        file.write_text(json.dumps({"id": name, "correct": [True, False]}) + "\n")
        found = told(config)
        assert not found if words is None else words in found[0]
        if words is None:
            monkeypatch.setenv("HOME", str(tmp_path))
            home = CurriculumConfig(kind="stratified", grade="~/grade.jsonl")
            assert told(mixed(MixtureConfig(**GRID, curriculum=home))) == []
    file.write_text("no json\n")
    assert "must be lines of perc_jax.grade" in told(config)[0]


def test_a_column_that_a_reward_reads_must_be_one_of_what_is_drawn(tmp_path: Path) -> None:
    """One line before anything is compiled where no source has it; rows that lack it are counted as they come."""

    def asked(term: TermConfig, mixture: MixtureConfig) -> list[str]:
        stage = replace(GRPO, mixture=mixture, reward=RewardConfig((term, TermConfig("accuracy"))))
        evaluation = replace(CONFIG.evaluation, suites=(), samples=(), hard_levels=())
        return told(replace(CONFIG, stages=(stage,), evaluation=evaluation))

    rows = [{"question": "What?", "answer": "1"}] * 3 + [{"question": "What?", "answer": "1", "key_words": ["red"]}]
    (tmp_path / "some.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "none.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:3]))
    some, none = (TableConfig(str(tmp_path / f"{name}.jsonl")) for name in ("some", "none"))
    words = TermConfig("keywords", column="key_words")
    field = "stages.0.reward.terms.0.column must be a column of what the stage draws"
    assert asked(words, MixtureConfig((), (), tables=(some,))) == []
    assert asked(words, MixtureConfig((), (), tables=(none, some))) == []
    assert asked(words, MixtureConfig((), (), tables=(none,))) == [f"{field} (answer), got 'key_words'"]
    assert asked(words, MixtureConfig(**GRID)) == [f"{field} (facts), got 'key_words'"]
    assert asked(TermConfig("facts"), MixtureConfig(**GRID)) == []
    assert asked(TermConfig("facts"), MixtureConfig((), (), tables=(some,))) == [
        f"{field} (answer, key_words), got 'facts'"
    ]
    assert asked(TermConfig("keywords", column="gold"), MixtureConfig((), (), tables=(none,))) == []


def test_a_users_function_is_tried_before_a_run_and_again_when_it_goes_on(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def score(text, row):\n    return 1\n")
    terms = tuple(TermConfig(f"{tmp_path}/mine.py:{name}") for name in ("score", "scores"))
    config = replace(CONFIG, stages=(SFT, replace(GRPO, reward=RewardConfig(terms=terms))))
    for begun in (False, True):
        [found] = [line for line in told(config, begun=begun) if "reward" in line]
        rule = "stages.1.reward.terms.1.term must name a function of mine.py, which has no scores, got"
        assert found.startswith(rule)
    assert not [line for line in told(config, trains=False) if "reward" in line]


def test_a_run_has_stages_and_a_trained_one_groups() -> None:
    assert told(replace(CONFIG, stages=())) == ["stages must not be empty, got ()"]
    alone = replace(CONFIG, stages=(SFT, replace(GRPO, group_size=1)))
    assert told(alone) == ["stages.1.group_size must be >= 2 for grpo, got 1"] and told(alone, trains=False) == []


def test_nothing_of_it_loads_jax() -> None:
    code = (
        "import sys, perc_jax.data.sound; sys.exit(bool({'jax', 'flax', 'grain', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
