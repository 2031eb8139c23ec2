"""Rows in an environment: openings with their states, shown conversations as lessons, tests that do not learn."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from configs import debug_cpu, jigsaw_cpu
from perc_jax.config import Config, EnvironmentConfig, EvaluationConfig, MixtureConfig, TableConfig
from perc_jax.data import doctor, sound, streams
from perc_jax.data.batches import Batch
from perc_jax.data.played import Played, environment_of
from perc_jax.data.tabled import Tabled
from perc_jax.environments.base import Move, Observation
from perc_jax.prompt.image import unpatchify
from perc_jax.prompt.tokenizer import IM_END, load

TOKENS = load("debug.model")


def jigsaw(**data: object) -> Config:
    """The shipped recipe with longer conversations to learn from, its data drawn in this process."""
    config = jigsaw_cpu.get_config()
    warmup, grpo = config.stages
    stages = (dataclasses.replace(warmup, prompts_per_step=16, environment=grpo.environment), grpo)
    data = {"workers": 0, "max_prompt_tokens": 256, "max_patches": 192} | data
    return dataclasses.replace(config, stages=stages, data=dataclasses.replace(config.data, **data))


def sheet(**fields: object) -> Config:
    """Engines' pictures on a sheet of nine, each shown at 56 px."""
    config = jigsaw(image_px=224)
    # The engines' own types at 224 px that cannot be read at 56: all.
    environment = EnvironmentConfig(
        **(
            {"name": "inspect", "side": 3, "view_px": 168, "turns": 3, "turn_tokens": 64, "shapes": ((192, 256),)}
            | fields
        )
    )
    stages = tuple(dataclasses.replace(stage, environment=environment) for stage in config.stages)
    terms = dataclasses.replace(stages[1].reward, terms=stages[1].reward.terms[:1])
    return dataclasses.replace(
        config,
        stages=(stages[0], dataclasses.replace(stages[1], reward=terms)),
        data=dataclasses.replace(config.data, max_prompt_tokens=512, max_patches=768, buckets=()),
        rollout=dataclasses.replace(config.rollout, max_tokens=256),
    )


def first(config: Config, place: int, position: int = 0) -> Batch:
    with streams.stream(config, config.stages[place], position) as stream:
        return next(stream)


def test_an_opening_shows_what_its_state_begins_with():
    config = jigsaw()
    batch = first(config, 1)
    assert batch.gold_tokens is None and len({info.sample_id for info in batch.samples}) == len(batch.samples)
    environment = environment_of(config.environment, config.data, config.model.vision)
    for row, info in enumerate(batch.samples):
        [shown] = environment.opening(info.state).pictures
        prompts = batch.prompts
        seen = unpatchify(prompts.pixels[row], prompts.patch_rowcol[row], prompts.patch_image[row], config.model.vision)
        assert (seen == shown).all() and seen.shape == (112, 112, 3)
        assert info.question in TOKENS.decode(prompts.tokens[row])
        ending = environment.step(Move(info.state, f"<answer>{info.answer.text()}</answer>")).outcome
        assert ending.correct and ending.well_formed


def turns_of(batch: Batch, row: int) -> list[str]:
    """What the assistant says in a lesson, read off the tokens that are learned."""
    said = batch.prompts.tokens[row][batch.gold_said[row]]
    last = batch.gold_tokens[row][batch.gold_mask[row]]
    marked = [*said.tolist(), *last.tolist()]
    ends = [place for place, token in enumerate(marked) if token == TOKENS.encode(IM_END)[0]]
    begins = [0, *(place + 1 for place in ends)]
    return [TOKENS.decode(marked[begin:end]) for begin, end in zip(begins, ends, strict=False)]


def test_a_lesson_is_a_conversation_that_ends_right_and_only_what_is_said_is_learned():
    """What is learned, played again in the environment, gives the words and the number of pictures of the prompt."""
    config = jigsaw()
    batch, opened = first(config, 0), 0
    environment = environment_of(config.environment, config.data, config.model.vision)
    wanted = dataclasses.replace(config.stages[1], name=config.stages[0].name, prompts_per_step=16)
    with streams.stream(config, wanted) as stream:  # the same positions as openings
        states = [info.state for info in next(stream).samples]
    for row, (info, state) in enumerate(zip(batch.samples, states, strict=True)):
        assert info.state is None
        text, pictures = TOKENS.decode(batch.prompts.tokens[row]), 1
        for said in turns_of(batch, row):
            step = environment.step(Move(state, said))
            state = step.state
            if isinstance(step.outcome, Observation):
                pictures += len(step.outcome.pictures)
                assert step.outcome.parts[-1] in text
        assert step.outcome.correct and step.outcome.well_formed
        assert len(np.unique(batch.prompts.patch_image[row])) == pictures + (batch.prompts.patch_image[row] < 0).any()
        opened += len(turns_of(batch, row)) > 2
    assert opened > 3  # solutions of several calls are among them


def test_rows_are_functions_of_their_position():
    config = jigsaw()
    for place in (0, 1):
        count = config.stages[place].prompts_per_step
        one, other = first(config, place, count), first(config, place, 2 * count)
        again = first(config, place, count)
        assert (one.prompts.pixels == again.prompts.pixels).all() and (one.prompts.tokens == again.prompts.tokens).all()
        assert not {info.sample_id for info in one.samples} & {info.sample_id for info in other.samples}


def test_suites_are_asked_in_the_environment_about_pictures_of_their_own():
    config = jigsaw()
    with streams.exam(config, streams.of_suite(config, "test_a", 50)) as exam:
        samples = next(exam).samples
    assert all(info.split == "test_a" and info.state is not None for info in samples)
    debug = debug_cpu.get_config()
    with streams.exam(debug, streams.of_suite(debug, "test_a", 10)) as exam:
        assert all(info.state is None for info in next(exam).samples)


def test_a_sheet_asks_what_only_its_detail_shows():
    config = sheet()
    assert not list(sound.violations(config, trains=False))
    batch = first(config, 1)
    for info in batch.samples:
        assert info.state.scene.sheet.shape == (680, 680, 3) and "row" in info.question
        assert info.state.scene.asked.area < 57**2
    lesson = first(config, 0)
    assert all(turns_of(lesson, row)[-1].startswith("<answer>") for row in range(4))


def test_a_sheet_on_which_everything_is_legible_is_refused():
    config = sheet(view_px=336, side=2, shapes=((200, 576),))
    found = [str(violation) for violation in sound.violations(config, trains=False)]
    assert any("stages.0.environment.view_px must hide a type of chart at level 0" in line for line in found)


@pytest.fixture
def table(tmp_path):
    """Pictures with words and answers, one of which is uniform and makes no puzzle."""
    rows, rng = [], np.random.default_rng(0)
    for number in range(6):
        pixels = rng.integers(0, 256, (120, 150, 3), dtype=np.uint8) if number else np.zeros((120, 150, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        rows.append({"question": "<image>Which?", "images": [f"{number}.png"], "answer": number})
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return TableConfig(str(path))


def inspecting(folder, rows, name="t", width=150, **data):
    """A config whose stages talk about a table's single pictures, and the table."""
    rng = np.random.default_rng(len(name))
    for number in range(3):
        pixels = rng.integers(0, 256, (120, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}{number}.png")
    (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    table = TableConfig(str(folder / f"{name}.jsonl"))
    config = jigsaw(**data)
    environment = dataclasses.replace(config.environment, name="inspect", side=1, view_px=84)
    mixture = MixtureConfig(engines=(), weights=(), tables=(table,))
    reward = dataclasses.replace(config.stages[1].reward, terms=config.stages[1].reward.terms[:1])
    stage = dataclasses.replace(config.stages[1], mixture=mixture, environment=environment, reward=reward)
    return dataclasses.replace(config, stages=(stage,)), table


@pytest.mark.parametrize(
    ("values", "more"),
    [
        ({"system": "In French."}, "a system line"),
        ({"history": True}, "2 earlier turns"),
        ({"images": ["t0.png", "t1.png"]}, "1 further picture"),
        (
            {"system": "In French.", "history": True, "images": ["t0.png", "t1.png", "t2.png"]},
            "a system line, 2 earlier turns, 2 further pictures",
        ),
        ({}, ""),
    ],
)
def test_inspect_refuses_a_row_of_which_it_would_show_a_part(tmp_path, values, more):
    """Of a row's chat it asks the last text about one picture; the doctor says so too."""
    before = [("user", "Look."), ("assistant", "I see.")] if values.get("history") else []
    chat = [{"role": role, "content": text} for role, text in (*before, ("user", "Which?"))]
    row = {"messages": chat, "images": ["t0.png"], "answer": "no"} | values
    config, table = inspecting(tmp_path, [{name: value for name, value in row.items() if name != "history"}])
    [looked] = doctor.look(config, table, [0])
    rows = Played(config, config.stages[0].environment, Tabled(config, table, ("x",), in_order=True), is_whole=True)
    if not more:
        assert looked.wrong == "" and "Which?" in rows.row(0).info.question
        return
    assert looked.wrong.endswith(f"t.jsonl:1 must be one text about one picture, got also {more}")
    with pytest.raises(ValueError, match="must be one text about one picture"):
        rows.row(0)


def test_patches_are_counted_as_windows_take_them(tmp_path):
    config, table = inspecting(tmp_path, [{"question": "Which?", "images": ["t0.png"], "answer": "1"}], width=300)
    [looked] = doctor.look(config, table, [0])
    prompt = Played(config, config.stages[0].environment, Tabled(config, table, ("x",))).row(0).prompt
    vision, real = config.model.vision, prompt.patch_image[0] >= 0
    windows = {(*place,) for place in prompt.patch_rowcol[0][real] // (vision.window_size // vision.patch_size)}
    assert looked.patches == len(windows) * vision.window_patches > real.sum()
    assert np.flatnonzero(real).max() < looked.patches


def test_rows_are_told_apart_by_what_they_ask_not_by_their_names(tmp_path):
    rows = [{"question": f"Which of {number}?", "image": f"{{}}{number}.png", "answer": "1"} for number in range(3)]

    def looked(folder, name, rows):
        (tmp_path / folder).mkdir()
        own = [row | {"image": row["image"].format(name)} for row in rows]
        config, table = inspecting(tmp_path / folder, own, name)
        return doctor.look(config, table, range(len(rows)))

    train, same, other = looked("a", "one", rows), looked("b", "two", rows[:2] + rows[:1]), looked("c", "four", rows)
    overlap = doctor.overlap({"train": train}, {"test": same})
    assert [one["count"] for one in overlap] == [3]
    assert doctor.overlap({"train": train}, {"test": other}) == []
    assert doctor._twice(same)["count"] == 1 and doctor._twice(train)["count"] == 0


@pytest.mark.parametrize("name", ["jigsaw", "inspect"])
def test_a_table_s_pictures_are_played_with(table, name):
    config = jigsaw()
    fields = {"side": 1, "view_px": 84} if name == "inspect" else {}
    environment = dataclasses.replace(config.environment, name=name, **fields)
    mixture = MixtureConfig(engines=(), weights=(), tables=(table,))
    reward = dataclasses.replace(config.stages[1].reward, terms=config.stages[1].reward.terms[:1])
    stages = [dataclasses.replace(stage, mixture=mixture, environment=environment) for stage in config.stages]
    config = dataclasses.replace(
        config,
        stages=(stages[0], dataclasses.replace(stages[1], reward=reward)),
        evaluation=EvaluationConfig(suites=(), samples=(), hard_levels=(), tables=(table,), batch=6, blind=0),
    )
    batch = first(config, 1)
    assert all(info.state is not None and info.engine == "rows" for info in batch.samples)
    if name == "inspect":
        assert {info.state.scene.sheet.shape for info in batch.samples} == {(120, 150, 3)}
        assert {info.answer.text() for info in batch.samples} == {str(number) for number in range(6)}
    else:
        assert not any(info.sample_id.endswith("rows.jsonl:1") for info in batch.samples)
        assert any("told apart" in line for line in batch.dropped)
        looked = doctor.look(config, table, range(6))
        assert "can be told apart" in looked[0].wrong and not any(one.wrong for one in looked[1:])
        assert {one.patches for one in looked[1:]} == {64}  # 84 x 112 px as it is shown, in four windows of 56 px
        assert doctor.longest_said(config, table) == 0
        with pytest.raises(ValueError, match="can be told apart"):  # a test leaves none out
            streams.of_table(config, table)[0]
