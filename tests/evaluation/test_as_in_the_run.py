"""What asks a run later asks as the run did: pictures as large, tables read alike, the same words around a question."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from configs import jigsaw_cpu, smoke_cpu
from perc_jax import sample
from perc_jax.batch import WHOLE
from perc_jax.config import Config, MixtureConfig, TableConfig
from perc_jax.data import table_prompts
from perc_jax.data.curriculum import Cell
from perc_jax.evaluation import answering, subject
from perc_jax.evaluation.exams import SuiteExam
from perc_jax.evaluation.grading import CellsExam
from perc_jax.evaluation.table_exam import TableExam, own_table
from perc_jax.prompt import pretrained, tokenizer
from perc_jax.prompt.pretrained import Processor
from perc_jax.rewards.verifier import Verifier
from perc_jax.weights import hf_folder
from tests.model.cases import random_params
from tests.weights.exported_runs import save_run
from tests.weights.published_folders import SMALL, edit, write_small_files

OWN = Processor(4000, 20_000)  # of the run's tables; the published ones are 3,136 and 12,845,056


def with_data(**fields: object) -> Config:
    """A small run's config, its data as they say."""
    config = smoke_cpu.get_config()
    return dataclasses.replace(config, data=dataclasses.replace(config.data, **fields))


def with_table(config: Config, table: TableConfig, tested: TableConfig | None = None) -> Config:
    """The same, which trains on a table alone, and may test one."""
    stage = dataclasses.replace(config.stages[-1], mixture=MixtureConfig(engines=(), weights=(), tables=(table,)))
    evaluation = dataclasses.replace(config.evaluation, tables=(tested,) if tested else ())
    return dataclasses.replace(config, stages=(*config.stages[:-1], stage), evaluation=evaluation)


@pytest.fixture
def table(tmp_path: Path) -> TableConfig:
    """A row about a picture of 300 by 200, whose columns only the config names."""
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 300, 3)).astype(np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "mine.jsonl").write_text(json.dumps({"q": "<image>How many?", "p": ["a.png"], "gold": "3.5"}) + "\n")
    path = str(tmp_path / "mine.jsonl")
    return TableConfig(path, question="q", images="p", answer="gold", kind="number", tolerance=0.1)


@pytest.mark.parametrize("begun", ["at random", "from a folder"])
def test_a_table_s_pictures_are_as_large_as_in_training(table, begun, tmp_path):
    """Tokens and patches of the row in the run's own stream, and in an exam of the table."""
    config = with_table(with_data(**OWN._asdict(), max_prompt_tokens=512, max_patches=256), table)
    if begun == "from a folder":
        config = dataclasses.replace(config, pretrained=str(write_small_files(tmp_path / "start")))
    trained = table_prompts.make(config, table_prompts.opened(table), 0, "train", None).prompt
    described = subject.Description("run", config, tokenizer.of(config), None, "", subject.pixels_of_run(config))
    with Verifier.of(config) as verifier:
        exam = TableExam(config, own_table(config, table.path), described.reader(4096, of_table=True), verifier)
        [asked] = exam.batches((), 1, WHOLE)
    assert (asked.prompts.patch_image >= 0).sum() == (trained.patch_image >= 0).sum() > 0
    assert asked.prompts.tokens[asked.prompts.mask].tolist() == trained.tokens[trained.mask].tolist()
    assert described.pixels == OWN  # so are those of a benchmark, both allow them
    assert described.reader(4096, of_table=True, max_pixels=9000).pixels == (4000, 9000)


def test_other_pictures_have_bounds_that_the_run_and_its_processor_allow(table, tmp_path):
    start = write_small_files(tmp_path / "start")
    edit(start / "preprocessor_config.json", min_pixels=784, max_pixels=9000)
    begun = dataclasses.replace(with_data(**OWN._asdict()), pretrained=str(start))
    assert subject.pixels_of_run(with_table(begun, table)) == (4000, 9000)
    assert subject.pixels_of_run(begun) == (784, 9000)  # engines alone: data's bounds were never met
    edit(start / "preprocessor_config.json", max_pixels=1000)  # nothing is within both
    assert subject.pixels_of_run(with_table(begun, table)) == OWN
    side = smoke_cpu.get_config().data.image_px
    assert subject.pixels_of_run(smoke_cpu.get_config()) == (min(3136, side**2), side**2)


@pytest.mark.parametrize("form", ["made", "copied", "copied from transformers 5"])
def test_an_exported_folder_has_the_run_s_bounds(table, form, tmp_path):
    config = with_table(dataclasses.replace(with_data(**OWN._asdict()), model=SMALL), table)
    save_run(tmp_path / "run", config, random_params(SMALL, seed=1))
    like = write_small_files(tmp_path / "like")
    if form == "copied from transformers 5":
        part = json.loads((like / "preprocessor_config.json").read_text())
        part |= {"size": {"shortest_edge": part.pop("min_pixels"), "longest_edge": part.pop("max_pixels")}}
        (like / "processor_config.json").write_text(json.dumps({"image_processor": part}))
    told = hf_folder.export(str(tmp_path / "run"), str(tmp_path / "out"), like="" if form == "made" else str(like))
    assert pretrained.processor(tmp_path / "out") == OWN
    assert form == "made" or any("the run's bounds on a picture's area, 4000 and 20000" in line for line in told)
    (tmp_path / "out" / "processor_config.json").unlink(missing_ok=True)  # as older programs read it
    assert pretrained.processor(tmp_path / "out") == OWN


def test_sample_puts_the_run_s_system_line_and_makes_pictures_as_large(table, tmp_path, monkeypatch, capsys):
    config = dataclasses.replace(
        with_data(**OWN._asdict(), system="Think hard.", max_prompt_tokens=512, max_patches=256), model=SMALL
    )
    config = with_table(config, dataclasses.replace(table, kind="text", tolerance=0.0))
    save_run(tmp_path / "run", config, random_params(SMALL, seed=1))
    trained = table_prompts.make(config, table_prompts.opened(config.stages[-1].mixture.tables[0]), 0, "", None).prompt
    asked = []

    def make_answer(*_, **__):
        def answer(params, batch, seed):
            asked.append(batch)
            yield answering.Sampled(tokenizer.of(config).ids.ends[0], -0.5, True)

        return answer

    monkeypatch.setattr(answering, "make_answer", make_answer)
    given = ["--model", str(tmp_path / "run"), "--question", "How many?", "--image", str(tmp_path / "a.png")]
    sample.main(given)
    sample.main([*given, "--system", "Be brief."])
    tokens = [batch.tokens[batch.mask].tolist() for batch in asked]
    assert tokens[0] == trained.tokens[trained.mask].tolist()
    assert "Be brief." in tokenizer.of(config).decode(tokens[1])
    assert "Think hard." not in tokenizer.of(config).decode(tokens[1])


@pytest.mark.parametrize(
    ("turn_tokens", "max_tokens", "given", "bound", "whole"),
    [(24, 160, (), 24, 160), (24, 160, ("--max-tokens", "9"), 9, 160), (24, 160, ("--max-tokens", "999"), 160, 160)],
)
def test_a_conversation_is_as_long_as_in_the_run(
    tmp_path, monkeypatch, capsys, turn_tokens, max_tokens, given, bound, whole
):
    config = jigsaw_cpu.get_config()
    played = dataclasses.replace(config.environment, turn_tokens=turn_tokens)
    stages = tuple(dataclasses.replace(stage, environment=played) for stage in config.stages)
    rollout = dataclasses.replace(config.rollout, max_tokens=max_tokens, short_rings=())
    config = dataclasses.replace(config, model=SMALL, stages=stages, rollout=rollout)
    save_run(tmp_path / "run", config, random_params(SMALL, seed=1))
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (112, 112, 3)).astype(np.uint8)).save(tmp_path / "a.png")
    asked = []

    def make_answer(*_, **how):
        asked.append(how["max_tokens"])

        def answer(params, batch, seed):
            yield from (answering.Sampled(40, -0.5, False) for _ in range(how["max_tokens"]))

        return answer

    monkeypatch.setattr(answering, "make_answer", make_answer)
    command = ["--model", str(tmp_path / "run"), "--image", str(tmp_path / "a.png"), "--environment", "jigsaw", *given]
    sample.main([*command, "--json", str(tmp_path / "a.json")])
    result = json.loads((tmp_path / "a.json").read_text())
    assert asked == [bound] and len(result["tokens"]) == bound
    cut = "overlong" if bound < whole else "no_room"
    assert [turn["cut"] for turn in result["turns"]] == [cut] and result["ending"]["counts"][cut] == 1
    most = f"a turn has {bound}" if bound < whole else f"the conversation has {whole}"
    assert f"> cut after {bound} tokens, {most} at most\n" in capsys.readouterr().out


def test_a_path_is_read_as_the_config_reads_it(table, tmp_path, monkeypatch):
    plain = smoke_cpu.get_config()
    tests = dataclasses.replace(table, tolerance=0.2)
    monkeypatch.chdir(tmp_path)
    for is_graded in (False, True):
        trains = with_table(plain, dataclasses.replace(table, difficulty="hard", grade="grade.jsonl"))
        assert own_table(trains, table.path, is_graded=is_graded) == table  # of all difficulties
        assert own_table(trains, "mine.jsonl", is_graded=is_graded) == table
        only_tests = dataclasses.replace(plain, evaluation=dataclasses.replace(plain.evaluation, tables=(tests,)))
        assert own_table(only_tests, table.path, is_graded=is_graded) == tests
        assert own_table(plain, table.path, is_graded=is_graded) == TableConfig(table.path)
    both = with_table(plain, table, tests)
    assert own_table(both, table.path) == tests and own_table(both, table.path, is_graded=True) == table


def test_other_words_around_a_question_are_another_head():
    """Kept answers to prompts of another system line, or read by another form, are not gone on with."""
    changed = [{}, {"system": "Think hard."}, {"answer_form": "boxed"}, {"instruction": "Say it."}]
    cells = [Cell("grid", "count_colour", 0)]
    with Verifier.of(smoke_cpu.get_config()) as verifier:
        for heads in (
            [SuiteExam(with_data(**fields), "test_a", 8, verifier).head() for fields in changed],
            [CellsExam(with_data(**fields), cells, 2, verifier).head() for fields in changed],
        ):
            assert len({json.dumps(head) for head in heads}) == len(heads)
