"""The report: any part of a run may be missing, text is escaped, charts stay within their frame."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from perc_jax.records.metrics import Metrics
from perc_jax.report.__main__ import main
from perc_jax.report.chart import HEIGHT, WIDTH, Series, Span, line_chart, percent, short, smooth, ticks
from perc_jax.report.runs import write_report

VOID = {"meta", "img", "br", "wbr"}  # HTML tags that never close


class Checker(HTMLParser):
    """Every tag that opens closes, in order; nothing is fetched from anywhere."""

    def __init__(self):
        super().__init__()
        self.open, self.tags = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            assert name not in ("src", "href") or value.startswith("data:"), value
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def check_html(text):
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    assert "script" not in checker.tags and "nan" not in re.sub(r"<style>.*?</style>|>[^<]*<", "", text)
    return text


def suite(correct):
    n = len(correct)
    cell = {"n": n, "accuracy": sum(correct) / n}
    by = {
        "engine": {"grid": cell, "cube": cell},
        "type": {"grid.count": cell},
        "level": {"0": cell, "10": cell, "2": cell},
    }
    return cell | {"ci95": [0.1, 0.9], "by": by, "correct": correct}


def write_config(workdir):
    stages = [
        {"name": name, "kind": kind, "steps": 3, "prompts_per_step": 8, "group_size": group}
        for name, kind, group in (("warmup", "sft", 1), ("rl", "grpo", 4))
    ]
    config = {"name": "tiny <run>", "stages": stages}
    (workdir / "config.json").write_text(json.dumps(config))
    (workdir / "run.json").write_text(json.dumps({"device": "cpu & friends", "parameters": 1312768}))


def write_metrics(workdir):
    metrics = Metrics(str(workdir))
    for step in (1, 2, 3):
        metrics.write(step, "warmup", {"train/loss": 3.0 / step, "time/update_s": 0.5, "time/step_s": 0.5})
    for step in (4, 5, 6):
        values = {
            "rollout/reward": 0.1 * step,
            "rollout/accuracy/grid": 0.5,
            "train/loss": float("nan"),
            "odd/one": 7.0,
        }
        metrics.write(step, "rl", values | {"odd/two": step, "time/rollout_s": 1.0, "time/step_s": 1.0})
    metrics.close()


def write_evaluations(workdir):
    (workdir / "eval").mkdir()
    before, after = [0] * 60 + [1] * 40, [0] * 30 + [1] * 70
    for name, correct in (("0_start_000000", before), ("1_warmup_000003", before), ("2_rl_000006", after)):
        (workdir / "eval" / f"{name}.json").write_text(json.dumps({"test_a": suite(correct), "test_c": suite(correct)}))


def write_samples(workdir, count=1):
    (workdir / "samples").mkdir()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(workdir / "samples" / "a.png")
    answers = [
        {"text": "<script>alert(1)</script>", "parsed": None, "reward": 0.0, "accuracy": 0.0, "well_formed": False,
         "ended": False, "advantage": -1.0},
        {"text": "\\boxed{7}", "parsed": "7", "reward": 1.0, "accuracy": 1.0, "well_formed": True, "ended": True,
         "advantage": None},
    ]  # fmt: skip
    common = {"engine": "grid", "question_type": "count", "level": 0, "gold": "7", "answers": answers}
    sheet = [common | {"question": "How many?", "image": "a.png"}, common | {"question": "Gone?", "image": "b.png"}]
    for number in range(count):
        (workdir / "samples" / f"{number:06d}_rl.json").write_text(json.dumps(sheet))


WRITERS = (write_config, write_metrics, write_evaluations, write_samples)


@pytest.mark.parametrize("parts", range(16))
def test_any_part_may_be_missing(tmp_path, parts):
    for number, writer in enumerate(WRITERS):
        if parts >> number & 1:
            writer(tmp_path)
    if not parts:
        with pytest.raises(ValueError, match=r"must be the folder of a run, got .*which has neither config\.json"):
            open_report(tmp_path)
        return
    text = check_html(open_report(tmp_path))
    assert ("No steps yet" in text) == (not parts & 2)
    assert ("No evaluation yet" in text) == (not parts & 4)
    assert ("None kept yet" in text) == (not parts & 8)


def open_report(workdir):
    with open(write_report(str(workdir)), encoding="utf-8") as file:
        return file.read()


def test_the_page_says_what_the_files_say(tmp_path):
    for writer in WRITERS:
        writer(tmp_path)
    text = open_report(tmp_path)
    assert "tiny &lt;run&gt;" in text and "cpu &amp; friends" in text and "1,312,768" in text
    assert (
        "70.0 %" in text and '<b class="good">+30.0</b>' in text and "p &lt; 0.001" in text.replace("p < ", "p &lt; ")
    )
    assert '<b class="">+0.0</b>' in text  # the warm-up changed nothing: not coloured
    assert "6 of 6" in text and "finished" in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert text.count("data:image/png;base64,") == 1 and "no picture" in text
    assert "1 of 2 right" in text and "not well-formed, cut off" in text
    assert "<code>odd/one</code> 7" in text and "<h3>odd/two</h3>" in text
    assert text.index("<th>0</th>") < text.index("<th>2</th>") < text.index("<th>10</th>")  # levels by number
    assert list(tmp_path.glob("*.part")) == []


def test_sheets_are_few_and_keep_first_and_last(tmp_path):
    write_samples(tmp_path, count=30)
    text = open_report(tmp_path)
    steps = [int(step) for step in re.findall(r"<summary>rl, step (\d+)</summary>", text)]
    assert len(steps) == 8 and steps[0] == 29 and steps[-1] == 0 and steps == sorted(steps, reverse=True)


def test_bad_input_gives_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(["--workdir", str(tmp_path / "none")])
    assert end.value.code != 0
    assert capsys.readouterr().err.startswith("error: --workdir must be the folder of a run, got ")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json must hold JSON"):
        write_report(str(tmp_path))


def test_command_line(tmp_path):
    write_metrics(tmp_path)
    command = [sys.executable, "-m", "perc_jax.report", "--workdir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, str(tmp_path / "report.html")), done.stderr


values = st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=1, max_size=60)


@given(values, st.sampled_from([None, 0.0]))
def test_charts_stay_within_the_frame(y, floor):
    line = Series("a", "#000", [float(x) for x in range(len(y))], y)
    svg = line_chart([line], [Span("one", 0.0, 5.0), Span("two", 5.0, 99.0)], form=short, floor=floor)
    for points in re.findall(r'points="([^"]*)"', svg):
        for pair in points.split():
            px, py = map(float, pair.split(","))
            assert 0 <= px <= WIDTH and 0 <= py <= HEIGHT
    assert svg.count('class="grid"') >= 2


@given(values)
def test_smoothing_keeps_length_and_range(y):
    smoothed = smooth(y)
    assert len(smoothed) == len(y)
    slack = 1e-6 * max(1.0, max(map(abs, y))) * len(y)
    assert min(y) - slack <= min(smoothed) and max(smoothed) <= max(y) + slack


@given(st.floats(-1e5, 1e5), st.floats(1e-4, 1e5), st.integers(2, 8))
def test_ticks_are_few_round_and_inside(low, span, count):
    marks = ticks(low, low + span, count)
    assert 0 <= len(marks) <= count + 1
    assert all(low - 1e-6 * span <= mark <= low + span * (1 + 1e-6) for mark in marks)


def test_points_show_their_intervals():
    svg = line_chart([Series("test_a", "#000", [0.0, 9.0], [0.2, 0.4], [(0.1, 0.3), (0.3, 0.5)])], [], form=percent)
    assert svg.count('class="whisker"') == 2
    assert "test_a, step 9: 40 % (30 % to 50 %)" in svg


def test_numbers_are_short():
    assert [short(x) for x in (0.0, 0.25, 12.0, 34000.0, 2e6, 2e-5)] == ["0", "0.25", "12", "34k", "2M", "2e-05"]
    assert [percent(x) for x in (0.0, 0.5, 0.0012)] == ["0 %", "50 %", "0.12 %"]


def test_points_of_a_step_stay_nearer_to_it_than_to_the_next():
    """However many runs and evaluations: they stand in the order of the steps."""
    steps = [10.0 * step for step in range(20)]
    lines = [Series(f"run {n}", "#000", steps, [0.5] * 20, [(0.4, 0.6)] * 20) for n in range(7)]
    svg = line_chart(lines, [], form=percent)
    x = np.array([float(at) for at in re.findall(r'<circle cx="([\d.]+)"', svg)]).reshape(7, 20)
    spread, step = x[-1] - x[0], np.diff(x[0]).min()
    assert (np.diff(x, axis=0) > 0).all() and (spread > 0).all() and (spread < 0.7 * step).all()
    assert x.min() >= 0 and x.max() <= WIDTH


def test_points_stand_neither_before_the_first_step_nor_past_the_last():
    lines = [Series(f"test_{n}", "#000", [0.0, 50.0, 100.0], [0.5] * 3, [(0.4, 0.6)] * 3) for n in range(4)]
    svg = line_chart(lines, [], form=percent)
    x = np.array([float(at) for at in re.findall(r'<circle cx="([\d.]+)"', svg)]).reshape(4, 3)
    first, last = (float(re.search(rf'x="([\d.]+)" y="211" text-anchor="middle">{step}<', svg)[1]) for step in (0, 100))
    assert x.min() == first and x.max() == last and (x[:, 0] >= first).all() and (x[:, 2] <= last).all()
    assert x[:, 1].mean() == pytest.approx((first + last) / 2, abs=0.1)


def test_a_line_that_lies_on_others_has_gaps_in_which_they_are_seen():
    x, zeros = [float(step) for step in range(20)], [0.0] * 20
    values = {"a": zeros, "b": zeros, "c": [0.5 + step / 100 for step in range(20)], "d": zeros[:15] + [0.3] * 5}
    svg = line_chart([Series(name, f"#{name * 3}", x, y) for name, y in values.items()], [], form=percent)
    smoothed = dict(re.findall(r'class="smooth" fill="none" stroke="#(\w)\w+"( stroke-dasharray="[^"]+")? ', svg))
    assert smoothed == {
        "a": "",
        "b": ' stroke-dasharray="6 6"',
        "c": "",
        "d": ' stroke-dasharray="6 12"',
    }


def lines_of(workdir, steps):
    (workdir / "metrics.jsonl").write_text("".join(f'{{"step": {n}, "stage": "rl"}}\n' for n in steps))


def test_metrics_that_are_missing_cut_or_torn_are_told_on_screen_and_page(tmp_path, capsys):
    write_config(tmp_path)
    write_evaluations(tmp_path)  # the newest is of step 6

    def told():
        main([str(tmp_path)])
        out, err = capsys.readouterr()
        text = check_html((tmp_path / "report.html").read_text())
        warnings = [line.removeprefix("warning: ") for line in err.splitlines()]
        assert out.strip() == str(tmp_path / "report.html") and err.count("warning: ") == len(warnings)
        assert all(warning in text for warning in warnings) and ('class="warning"' in text) == bool(warnings)
        return warnings

    [missing] = told()
    assert "metrics.jsonl is missing, though the run has come to step 6" in missing
    lines_of(tmp_path, range(1, 7))
    assert told() == []
    lines_of(tmp_path, range(1, 4))
    [short_of] = told()
    assert "metrics.jsonl ends at step 3, though the run has come to step 6" in short_of
    lines_of(tmp_path, (1, 2, 5, 6))
    assert "should go on from step 2 to the next, but goes on to 5" in told()[0]
    lines_of(tmp_path, range(1, 7))
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 7, "sta')
    [torn] = told()
    assert "metrics.jsonl is damaged in line 7" in torn
    for commit in (8, 9):
        (tmp_path / "checkpoints" / str(commit)).mkdir(parents=True)
    (tmp_path / "checkpoints" / "8" / "commit.json").write_text("{}")
    assert "ends at step 6, though the run has come to step 8" in told()[0]


def test_a_run_may_be_given_with_its_name_alone_or_as_workdir(tmp_path, capsys):
    write_metrics(tmp_path)
    for words in ([str(tmp_path)], ["--workdir", str(tmp_path)]):
        main(words)
        assert capsys.readouterr() == (f"{tmp_path / 'report.html'}\n", "")
        (tmp_path / "report.html").unlink()


@pytest.mark.parametrize(
    ("reward", "words"),
    [
        ({}, "accuracy"),
        ({"format_weight": 0.0}, "accuracy"),
        ({"format_weight": 0.5}, "accuracy + 0.5 × format"),
        ({"terms": [{"term": "boxes", "weight": 2.0}, {"term": "a/b.py:mine", "weight": 1.0}]}, "2 × boxes + mine"),
        ({"terms": [{"term": "length", "weight": 1.0, "name": "brevity"}]}, "brevity"),
        ({"control": "random"}, "a coin (control)"),
    ],
)
def test_a_recipe_says_what_it_rewards(tmp_path, reward, words):
    stage = {"name": "rl", "kind": "grpo", "steps": 3, "prompts_per_step": 8, "group_size": 4, "reward": reward}
    (tmp_path / "config.json").write_text(json.dumps({"name": "x", "stages": [stage]}))
    assert f">{words}<" in open_report(tmp_path)


def test_the_parts_of_terms_have_charts_of_their_own(tmp_path):
    """Shares and lengths on one scale would hide each other."""
    write_config(tmp_path)
    write_metrics(tmp_path)
    metrics = Metrics(str(tmp_path))
    values = {"facts": 0.5, "facts/recall": 0.4, "facts/precision": 0.9, "keywords": 0.3, "keywords/words": 41.0}
    values |= {"clip": 0.7, "clip/cosine": 0.28}
    for step in (7, 8):
        metrics.write(step, "rl", {f"rollout/reward/{name}": value + step / 100 for name, value in values.items()})
    metrics.close()
    figures = re.findall(r"<figure>.*?</figure>", check_html(open_report(tmp_path)), re.DOTALL)
    shown = {
        re.search("<h3>(.*?)</h3>", figure)[1]: {name for name in values if f">{name}<" in figure} for figure in figures
    }
    assert shown["Reward by term"] == {"facts", "keywords", "clip"}
    assert shown["Descriptions"] == {"facts/recall", "facts/precision"}
    assert "Description length" in shown and "Description and picture" in shown


def test_the_terms_of_a_reward_stand_beside_it(tmp_path):
    write_config(tmp_path)
    write_metrics(tmp_path)
    write_samples(tmp_path)
    text = open_report(tmp_path)
    assert "brevity" not in text and "Reward by term" not in text
    metrics = Metrics(str(tmp_path))
    for step in (7, 8):
        metrics.write(step, "rl", {"rollout/reward/accuracy": 0.5, "rollout/reward/brevity": 0.25 * step})
    metrics.close()
    [path] = (tmp_path / "samples").glob("*.json")
    sheet = json.loads(path.read_text())
    for answer in (answer for sample in sheet for answer in sample["answers"]):
        answer["terms"] = {"accuracy": 0.0, "brevity": 0.375, "brevity/words": 12.0}
    path.write_text(json.dumps(sheet))
    text = check_html(open_report(tmp_path))
    assert "Reward by term" in text
    assert '<th class="number">brevity</th>' in text and 'data-label="brevity">0.375<' in text
    assert 'data-label="brevity/words">12<' in text
