"""The picture of a run: a PNG of its size from what the files hold; without evaluations there is nothing to draw."""

import json

import numpy as np
import pytest
from PIL import Image

from perc_jax.report.__main__ import main
from tests.report.test_report import suite, write_config, write_evaluations, write_metrics

SIZE = (1320, 506)  # 12 x 4.6 inches at 110 per inch


def test_a_run_is_drawn_as_a_small_png(tmp_path, capsys):
    for writer in (write_config, write_metrics, write_evaluations):
        writer(tmp_path)
    other = {"test_a": suite([0] * 8 + [1] * 2), "test_c": suite([0] * 2 + [1] * 8)}  # their curves part at the end
    (tmp_path / "eval" / "2_rl_000006.json").write_text(json.dumps(other))
    lines = [{"step": step, "stage": "rl", "rollout/accuracy": 0.1 * step} for step in range(1, 7)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    main([str(tmp_path), "--picture", str(tmp_path / "run.png")])
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / "report.html"), str(tmp_path / "run.png")]
    drawn = Image.open(tmp_path / "run.png")
    assert (drawn.format, drawn.size) == ("PNG", SIZE)
    pixels = np.asarray(drawn.convert("RGB")).astype(int)
    left, right = pixels[:, : SIZE[0] // 2], pixels[:, SIZE[0] // 2 :]
    assert left.std() > 20 and 0.7 < (right.min(axis=-1) > 250).mean() < 0.999  # pictures; curves on white
    colours = [np.array(colour) for colour in ((0, 114, 178), (224, 136, 0))]
    first, second = ((abs(right - colour).sum(axis=-1) < 60).sum() for colour in colours)
    assert first > 50 and second > 50  # a curve for each of the two test sets
    assert (tmp_path / "run.png").stat().st_size < 400_000


def test_a_run_without_evaluations_is_refused_in_a_line(tmp_path, capsys):
    write_config(tmp_path)
    write_metrics(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["--workdir", str(tmp_path), "--picture", str(tmp_path / "run.png")])
    err = capsys.readouterr().err
    assert end.value.code == 2 and err.startswith("error: ") and "must hold evaluations to be drawn, got none" in err
    assert not (tmp_path / "run.png").exists()
