"""The data doctor: what it finds in tables that are sick in known ways, what it tells, and what a run is told."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from configs.debug_cpu import get_config
from perc_jax import inspect
from perc_jax.config import EvaluationConfig, MixtureConfig, TableConfig
from perc_jax.data import doctor
from perc_jax.processes import interrupts
from tests import ROOT

SICK = {  # what is wrong with rows 3, 5, …, and what is said of it
    3: ({"question": "<image>What?", "images": ["gone.png"], "answer": "1"}, "gone.png"),
    5: ({"question": "<image><image>What?", "images": ["good.png"], "answer": "1"}, "images"),
    7: ({"question": "<image>What?", "images": ["cut.png"], "answer": "1"}, "cut.png"),
    8: ({"question": "What?", "images": [], "answer": None}, "answer"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("sick")
    noise = np.random.default_rng(0).integers(0, 256, (112, 112, 3)).astype(np.uint8)
    Image.fromarray(noise).save(out / "good.png")
    (out / "cut.png").write_bytes((out / "good.png").read_bytes()[:2000])
    rows = [{"question": f"<image>What is {n}?", "images": ["good.png"], "answer": str(n)} for n in range(40)]
    rows[10] = rows[9]
    rows[11] = {"question": "Long? " + "word " * 100, "images": [], "answer": "1"}
    for number, (row, _) in SICK.items():
        rows[number] = row
    (out / "train.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    test = [{"question": f"<image>What is {n}?", "images": ["good.png"], "answer": str(n)} for n in (20, 21, 77)]
    (out / "test.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in test))
    return out


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "perc_jax.inspect", *map(str, arguments)], capture_output=True, text=True, cwd=ROOT
    )


def config_of(folder, test=("test",)):
    debug = get_config()
    mixture = MixtureConfig(engines=(), weights=(), tables=(TableConfig(str(folder / "train.jsonl")),))
    stage = dataclasses.replace(debug.stages[1], mixture=mixture)
    tables = tuple(TableConfig(str(folder / f"{name}.jsonl")) for name in test)
    return dataclasses.replace(
        debug, stages=(stage,), evaluation=EvaluationConfig((), (), hard_levels=(), tables=tables)
    )


def test_each_sick_row_is_named_and_the_others_are_counted(folder):
    config = config_of(folder)
    [table] = config.stages[0].mixture.tables
    found = doctor.look(config, table, range(40))
    assert {row.number: bool(row.wrong) for row in found if row.wrong} == dict.fromkeys(SICK, True)
    for number, (_, word) in SICK.items():
        assert f"train.jsonl line {number + 1}: " in found[number].wrong and word in found[number].wrong
    one = doctor.report(config, table, found, most_said=0)
    assert (one["rows"], one["looked_at"], one["wrong"]) == (40, 40, len(SICK))
    assert one["duplicates"]["count"] == 1 and "line 11 asks what" in one["duplicates"]["rows"][0]
    tokens = one["lengths"]["max_prompt_tokens"]
    assert tokens["most"] > 64 and tokens["fit_share"] == pytest.approx(35 / 36)
    assert sum(count for _, _, count in tokens["histogram"]) == 36
    assert one["lengths"]["max_patches"]["all_need"] == 64
    assert any(
        "2.8 % of the prompts are longer than data.max_prompt_tokens = 64" in line
        for line in doctor.advice("train", one)
    )


def test_learned_rows_that_teach_another_form_are_counted_and_a_run_is_told(folder, tmp_path):
    """A warm-up's row without the description that the run's form asks for."""
    headings = ("### Seen:", "### So:")
    whole, lacks = "### Seen:\na cube\n### So:\n7", "### So:\n7"
    rows = [{"question": "What?", "answer": "7", "completion": lacks if n % 4 else whole} for n in range(8)]
    table = TableConfig(str(tmp_path / "taught.jsonl"), completion="completion")
    (tmp_path / "taught.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    debug = config_of(folder)
    config = dataclasses.replace(
        debug, data=dataclasses.replace(debug.data, answer_form="sections", answer_sections=headings)
    )
    found = doctor.look(config, table, range(8), is_learned=True)
    assert [row.has_form for row in found] == [n % 4 == 0 for n in range(8)] and not any(row.wrong for row in found)
    one = doctor.report(config, table, found, most_said=100)
    assert one["without_form"] == 6
    assert "taught: 6 learned rows say nothing that data.answer_form reads as an answer" in doctor.advice("taught", one)
    said = doctor.check(config, table, 100, every=False)
    assert said.startswith("6 of 8 rows of table taught that were looked at teach what is no answer by ")
    assert "taught.jsonl line 2" in said
    assert doctor.check(config, table, 0, every=False) == ""  # rewarded steps learn nothing of it
    assert doctor.report(config, table, doctor.look(config, table, range(8)), most_said=0)["without_form"] == 0


def test_what_is_trained_and_tested_is_found_in_both(folder):
    config = config_of(folder)
    train, test = config.stages[0].mixture.tables[0], config.evaluation.tables[0]
    found = {t.label: doctor.look(config, t, range(n)) for t, n in ((train, 40), (test, 3))}
    [both] = doctor.overlap({"train": found["train"]}, {"test": found["test"]})
    assert both["count"] == 2 and "line 1 asks what" in both["rows"][0] and "line 21" in both["rows"][0]


def test_tables_of_one_label_are_looked_at_apart_and_one_table_once(tmp_path, capsys, monkeypatch):
    """Splits of a folder, a table in two stages with other limits, and one that is trained and tested."""
    split = tmp_path / "geo"
    split.mkdir()
    for part, numbers in (("train", range(5)), ("test", range(5, 8))):
        rows = [{"question": f"What is {number}?", "answer": str(number)} for number in numbers]
        (split / f"{part}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (tmp_path / "config.py").write_text(
        f"from tests.test_inspect import apart\n\n\ndef get_config():\n    return apart({str(split)!r})\n"
    )
    stored = tmp_path / "found.json"
    given = ["--config", str(tmp_path / "config.py"), "--processes", "1"]
    with pytest.raises(SystemExit):  # row by row what is trained on is tested too, in the table that is both
        inspect.main([*given, "--json", str(stored), "--html", str(tmp_path / "rows.html")])
    found = json.loads(stored.read_text())
    capsys.readouterr()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        inspect.main([*given, "--json", "-"])
    assert json.loads(capsys.readouterr().out) == found and not (tmp_path / "-").exists()
    counts = {
        name: (one["looked_at"], one["rows"], one["duplicates"]["count"]) for name, one in found["tables"].items()
    }
    assert counts == {
        "geo (split train, limit not given)": (5, 5, 0),
        "geo (split train, limit 3)": (3, 3, 0),
        "geo (split test, limit not given)": (3, 3, 0),
        "both": (2, 2, 0),
    }
    assert {(one["test"], one["train"]) for one in found["overlaps"]} == {
        ("both", name) for name in counts if "train" in name or name == "both"
    }


def apart(path: str):
    """The config of the test above."""
    debug, own = get_config(), TableConfig(path)
    both = TableConfig(path, name="both", limit=2)
    drawn = ((own, both), (dataclasses.replace(own, limit=3),))
    stages = tuple(
        dataclasses.replace(stage, mixture=MixtureConfig(engines=(), weights=(), tables=tables))
        for stage, tables in zip(debug.stages, drawn, strict=True)
    )
    tests = (dataclasses.replace(own, split="test"), both)
    return dataclasses.replace(debug, stages=stages, evaluation=EvaluationConfig((), (), hard_levels=(), tables=tests))


def test_a_run_is_warned_of_some_rows_and_refuses_a_test_table_with_one(folder):
    config = config_of(folder)
    said = []
    doctor.before_run(config, said.append)
    [warning] = said
    assert warning.startswith("warning: 5 of 40 rows of table train that were looked at cannot be used, the first: ")
    with pytest.raises(ValueError, match=r"table train: .*train.jsonl line 4: .*gone.png.*; and 4 more"):
        doctor.before_run(config_of(folder, ("test", "train")), said.append)


def test_one_command_prints_stores_and_shows_it_all(folder, tmp_path):
    page, stored = tmp_path / "rows.html", tmp_path / "found.json"
    ended = run(folder / "train.jsonl", "--html", page, "--json", stored)
    assert ended.returncode == 1 and "40 of 40 rows looked at, 4 wrong, 1 repeated" in ended.stdout, ended
    assert "as perc_jax writes it" in ended.stdout and "gone.png" in ended.stdout
    assert json.loads(stored.read_text())["tables"]["train"]["wrong"] == 4
    html = page.read_text()
    assert html.count('class="sample"') == 24 and "data:image/png;base64," in html and "gone.png" in html
    assert "&lt;|vision_start|&gt;" in html and "<script" not in html
    order = ["Wrong: 4<", "gone.png", "Repeated: 1<", "Rows as the model sees them", 'class="sample"']
    places = [html.index(words) for words in order]
    assert places == sorted(places), dict(zip(order, places, strict=True))  # what is to be mended comes first


def test_sound_tables_end_with_code_0(folder):
    ended = run(folder / "test.jsonl")
    assert ended.returncode == 0 and "3 of 3 rows looked at, 0 wrong" in ended.stdout, ended


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere.jsonl",), "nowhere.jsonl"),
        (("--config", "configs/debug_cpu.py"), "--config must have tables"),
        (("--rows", "-1"), "--rows must be >= 0, got -1"),
        (("--processes", "0"), "--processes must be >= 1, got 0"),
    ],
)
def test_a_mistake_is_one_line(arguments, words, monkeypatch, capsys):
    monkeypatch.setattr(interrupts, "leave_with", lambda *_: None)  # this process goes on
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as end:
        inspect.main(arguments)
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "") and words in err and len(err.splitlines()) == 1, err


def test_no_jax_is_needed():
    code = "import sys, perc_jax.inspect; assert not {'jax', 'grain', 'torch'} & set(sys.modules), 'slow'"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
