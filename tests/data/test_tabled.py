"""Tables as sources: the same rows as from the engines, epochs, mixtures, hosts, resumes, rows that cannot be used."""

import dataclasses
import functools
import json

import jax
import numpy as np
import pytest
from etils import epath
from PIL import Image

from configs.debug_cpu import get_config
from engines.answer import Answer
from perc_jax.batch import Share
from perc_jax.config import Config, MixtureConfig, TableConfig, from_dict, to_dict
from perc_jax.data import order, sound, streams, summary, table_prompts
from perc_jax.data.batches import Batch
from perc_jax.data.table_prompts import Lesson
from perc_jax.data.tabled import Tabled
from perc_jax.data.tables.table import Table, changes, open_table
from perc_jax.prompt.tokenizer import load
from perc_jax.records.lines import Record, Records
from perc_jax.rewards.verifier import judge
from perc_jax.run.supply import ORDER, Supply

ROWS = 23


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Tables: 23 rows with a number and a picture each, the same numbers in words, and one whose half is spoilt."""
    out = tmp_path_factory.mktemp("tables")
    pictured, worded, spoilt = [], [], []
    for number in range(ROWS):
        Image.fromarray(np.full((56, 56, 3), number, np.uint8)).save(out / f"{number}.png")
        pictured.append({"question": "<image>What?", "images": [f"{number}.png"], "answer": number})
        worded.append({"question": f"How many? {number}", "answer": number})
        spoilt.append(worded[-1] if number % 2 else {"question": "<image>Who?", "images": ["gone.png"], "answer": 1})
    for name, rows in (("pictured", pictured), ("worded", worded), ("spoilt", spoilt)):
        (out / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return out


def config_of(*tables: TableConfig, engines: bool = False, kind: str = "grpo", workers: int = 0) -> Config:
    debug = get_config()
    stage = debug.stages[kind == "grpo"]
    mixture = stage.mixture if engines else MixtureConfig(engines=(), weights=())
    mixture = dataclasses.replace(mixture, tables=tables)
    stage = dataclasses.replace(stage, mixture=mixture, steps=30, prompts_per_step=8, micro_batches=1)
    data = dataclasses.replace(debug.data, workers=workers)
    return dataclasses.replace(debug, data=data, stages=(stage,))


def batches(config: Config, count: int, position: int = 0, **how) -> list[Batch]:
    with streams.stream(config, config.stages[0], position, **how) as stream:
        return [next(stream) for _ in range(count)]


def ids(found: list[Batch]) -> list[str]:
    return [info.sample_id for batch in found for info in batch.samples]


def table(folder, name, **fields):
    return TableConfig(str(folder / f"{name}.jsonl"), **fields)


def test_an_epoch_has_each_row_once_and_the_next_another_order(folder):
    config = config_of(table(folder, "pictured"))
    names = ids(batches(config, 9))
    epochs = [names[start : start + ROWS] for start in range(0, 3 * ROWS, ROWS)]
    assert all(len(set(epoch)) == ROWS for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    other = ids(batches(dataclasses.replace(config, seed=1), 3))
    assert other[:ROWS] != epochs[0] and set(other[:ROWS]) == set(epochs[0])


@pytest.mark.parametrize("engines", [False, True])
def test_a_resume_and_two_hosts_draw_the_same(folder, engines):
    config = config_of(table(folder, "pictured", weight=5.0), table(folder, "worded", weight=3.0), engines=engines)
    whole = batches(config, 4)
    later = batches(config, 2, position=whole[1].position)
    for one, two in zip(whole[2:], later, strict=True):
        assert one.samples == two.samples and one.position == two.position
        jax.tree.map(np.testing.assert_array_equal, one.prompts, two.prompts)
    hosts = [batches(config, 4, share=Share(units=(unit,), of=2, process=unit, first=unit)) for unit in (0, 1)]
    for number, batch in enumerate(whole):
        assert batch.samples == hosts[0][number].samples + hosts[1][number].samples


@pytest.mark.parametrize("workers", [1])
def test_workers_draw_the_same(folder, workers):
    tables = table(folder, "pictured"), table(folder, "worded")
    here, there = (batches(config_of(*tables, workers=count), 3) for count in (0, workers))
    assert ids(here) == ids(there)
    jax.tree.map(np.testing.assert_array_equal, here[-1].prompts, there[-1].prompts)


def test_what_the_engines_draw_does_not_depend_on_the_tables_beside_them(folder):
    """At its positions a mixture asks the engines what they would be asked alone."""
    alone = ids(batches(config_of(engines=True), 6))
    mixed = ids(batches(config_of(table(folder, "worded", weight=10.0), engines=True), 6))
    same = [one == other for one, other in zip(alone, mixed, strict=True)]
    assert 0.3 < np.mean(same) < 0.7  # the engines' weights are 12 in all
    assert all(other.startswith("train/worded/") for other, is_same in zip(mixed, same, strict=True) if not is_same)


def test_rows_that_cannot_be_used_are_replaced_and_named(folder):
    found = batches(config_of(table(folder, "spoilt")), 4)
    assert all("line " in reason and "gone.png" in reason for batch in found for reason in batch.dropped)
    assert sum(len(batch.dropped) for batch in found) > 8
    assert {info.question for batch in found for info in batch.samples} <= {f"How many? {n}" for n in range(ROWS)}


def test_a_test_table_leaves_no_row_out(folder):
    config = config_of(engines=True)
    config = dataclasses.replace(config, evaluation=dataclasses.replace(config.evaluation, batch=8))
    with streams.exam(config, streams.of_table(config, table(folder, "worded"))) as stream:
        found = list(stream)
    real = [info.index for batch in found for info, keep in zip(batch.samples, batch.real, strict=True) if keep]
    assert real == list(range(ROWS))
    with (
        streams.exam(config, streams.of_table(config, table(folder, "spoilt"))) as stream,
        pytest.raises(ValueError, match=r"spoilt.jsonl.* line 1: .*gone.png"),
    ):
        next(stream)


def test_supervised_rows_say_the_answer_in_its_form(folder):
    config = config_of(table(folder, "worded"), kind="sft")
    for form, around in (("strict", r"<answer>\boxed{%s}</answer>"), ("answer", "<answer>%s</answer>")):
        data = dataclasses.replace(config.data, answer_form=form)
        batch = batches(dataclasses.replace(config, data=data), 1)[0]
        tokens = load(data.tokenizer)
        for row, mask, info in zip(batch.gold_tokens, batch.gold_mask, batch.samples, strict=True):
            assert tokens.decode(row[mask].tolist()).startswith(around % info.answer.text())


def test_engines_written_to_a_table_are_the_same_prompts_and_rewards(tmp_path):
    """Bit for bit: pictures as PNG, the question below its picture, the answers judged alike."""
    config = config_of(engines=True)
    [drawn] = batches(config, 1)
    source = streams.stream(config, config.stages[0]).batches.rows
    rows = []
    for position, info in enumerate(drawn.samples):
        sample = source.sample(position, 0)
        Image.fromarray(sample.image).save(tmp_path / f"{position}.png")
        rows.append({"question": info.question, "image": f"{position}.png", "answer": info.answer.text()})
    (tmp_path / "written.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    written = TableConfig(str(tmp_path / "written.jsonl"))
    tabled = Tabled(config, written, ("x",), Lesson(config.rollout.max_tokens, all_turns=True), in_order=True)
    for position, info in enumerate(drawn.samples):
        row = tabled.row(position)
        for name, mine, theirs in zip(row.prompt._fields, row.prompt, drawn.prompts, strict=True):
            if mine is not None:
                np.testing.assert_array_equal(mine[0], theirs[position], err_msg=name)
        np.testing.assert_array_equal(row.gold[0], drawn.gold_tokens[position])
        other = Answer.integer(7).text() if info.answer.text() != "7" else "8"
        for said in (info.answer.text(), info.answer.text().upper(), other, "", "nothing"):
            text = rf"<answer>\boxed{{{said}}}</answer>"
            assert judge(text, row.info.answer).correct == judge(text, info.answer).correct, (info.sample_id, said)


@pytest.mark.parametrize("rule", ["of fingerprints", "of places", "unknown"])
def test_a_stage_goes_on_only_in_the_order_of_rows_that_it_began_with(folder, tmp_path, monkeypatch, rule):
    """Files are as they were, but another version of this package would draw their rows in another order."""
    config = config_of(table(folder, "worded"))
    begin = functools.partial(Supply, config, config.stages[0], epath.Path(tmp_path))
    with begin(0, {}) as supply:
        next(supply)
        stored = json.loads(json.dumps(supply.stored() | {"step": 1}))
    with begin(1, stored):
        pass
    if rule == "of fingerprints":
        table_prompts.opened.cache_clear()
        monkeypatch.setattr(Table, "fingerprint", "another")
    elif rule == "of places":
        monkeypatch.setattr(order, "ROUNDS", order.ROUNDS + 4)
    else:
        del stored["tables"]["worded"][ORDER]  # a version that did not say
    with pytest.raises(ValueError, match=r"table worded of stages.* must be as it was when the stage began") as error:
        begin(1, stored)
    assert str(error.value).endswith(f"but {ORDER} {'is new' if rule == 'unknown' else 'has changed'}")


@pytest.mark.parametrize("length", [2, 1000])
def test_the_order_s_digest_tells_fingerprints_and_lengths_apart(length):
    digests = [order.order_of(str(name), length + more) for name in range(6) for more in (0, 1)]
    assert len(set(digests)) == len(digests) and order.order_of("0", length) == digests[0]


@pytest.mark.parametrize("kind", ["auto", "number", "math"])
def test_the_table_s_tolerance_is_that_of_its_answers(folder, kind):
    where = table(folder, "worded", kind=kind, tolerance=0.25)
    opened = open_table(where)
    gold = table_prompts.gold_of(opened, 3, opened[3])
    assert gold.accepts("3.25") and not gold.accepts("3.3")


def test_a_config_with_tables_goes_through_json(folder):
    config = config_of(table(folder, "worded", kind="number", tolerance=0.5))
    assert from_dict(Config, json.loads(json.dumps(to_dict(config)))) == config


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"engines": (), "weights": ()}, "mixture.engines must not be empty without tables"),
        ({"tables": (TableConfig("a/x.jsonl"), TableConfig("b/x.jsonl"))}, "tables must have different names"),
        ({"tables": (TableConfig("grid.jsonl"),)}, "tables must have different names"),
    ],
)
def test_a_mixture_that_is_none_is_one_line(change, rule):
    with pytest.raises(ValueError, match=rule):
        config = get_config()
        stage = dataclasses.replace(config.stages[1], mixture=dataclasses.replace(MixtureConfig(), **change))
        dataclasses.replace(config, stages=(stage,))


def test_what_will_be_drawn_is_told_beforehand(folder):
    config = config_of(table(folder, "pictured", weight=9.0), table(folder, "worded", weight=3.0), engines=True)
    lines = list(summary.stage(config, config.stages[0]))
    assert lines[0].endswith(": 240 prompts in all")
    assert any(line.startswith("grid 12.5%: ") for line in lines)  # 3 of 12 + 12
    assert any(line.startswith("pictured 37.5%: 23 rows of ") and line.endswith(", 3.9 times") for line in lines)
    ours = TableConfig(str(folder / "worded.jsonl"), name="ours")
    asked = dataclasses.replace(config.evaluation, suites=(), samples=(), tables=(ours,))
    assert list(summary.suites(dataclasses.replace(config, evaluation=asked))) == ["ours 23 questions, between stages"]


def graded(folder, wanted: TableConfig, rights: dict[int, int], k: int = 4) -> str:
    """A file as `perc_jax.grade` writes it, of the rows that `rights` has: how many of their answers were right."""
    opened = table_prompts.opened(wanted)
    names, out = opened.names(), folder / f"{wanted.label}_grade.jsonl"
    with Records(out, {"suite": opened.name, "table": opened.fingerprint}) as records:
        records.append(
            Record(names[row], names[row], "", ("x",) * k, (True,) * k, tuple(n < right for n in range(k)))
            for row, right in rights.items()
        )
        records.append([Record(names[22], names[22], "", reason=("not asked: too long",))])
    return str(out)


def test_rows_are_chosen_by_their_difficulty(folder, tmp_path):
    """Easy and medium rows are disjoint parts of a table, each whole in every epoch; the same file in other hands is
    refused, and a new grading is a changed table."""
    whole = table(folder, "worded")
    grade = graded(tmp_path, whole, {0: 4, 1: 0, 2: 1, 3: 3, 7: 4, 9: 4})
    wanted = {"easy": [0, 7, 9], "medium": [2, 3], "hard": [1]}
    for difficulty, rows in wanted.items():
        part = dataclasses.replace(whole, difficulty=difficulty, grade=grade)
        opened = table_prompts.opened(part)
        assert [opened[n].answer for n in range(len(opened))] == [str(row) for row in rows]
        assert opened.names() == [table_prompts.opened(whole).names()[row] for row in rows]
        found = [info.answer.text() for batch in batches(config_of(part), 3) for info in batch.samples]
        for epoch in range(24 // len(rows)):
            assert sorted(found[epoch * len(rows) :][: len(rows)], key=int) == [str(row) for row in rows]
        with pytest.raises(IndexError):
            opened[len(rows)]
    easy = dataclasses.replace(whole, difficulty="easy", grade=grade)
    other = graded(folder, whole, {0: 4})
    digests = [open_table(dataclasses.replace(easy, grade=file)).digests for file in (grade, other)]
    assert changes(*digests) and not changes(digests[0], open_table(easy).digests)
    with pytest.raises(ValueError, match=r"difficulty must be that of a row, .* has no hard one among 1 that were"):
        open_table(dataclasses.replace(easy, grade=other, difficulty="hard"))
    with pytest.raises(ValueError, match=r"grade must be of this table as it is now, .* is of worded "):
        open_table(dataclasses.replace(table(folder, "pictured"), difficulty="easy", grade=grade))
    for fault in ({"difficulty": "easy"}, {"grade": grade}):
        with pytest.raises(ValueError, match=r"mixture\.tables\.0\.grade must"):
            config_of(dataclasses.replace(whole, **fault))
    missing = config_of(dataclasses.replace(easy, grade=str(tmp_path / "none.jsonl")))
    assert "none.jsonl" in next(str(one) for one in sound.violations(missing) if "tables.0" in one.field)
