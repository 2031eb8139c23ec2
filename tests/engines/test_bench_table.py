"""The engines' bench: what it counts adds up, and its command writes what it prints."""

import json

import pytest

import engines
from engines import bench


def test_stages_are_parts_of_the_whole_and_rates_follow_from_times():
    found = bench.stages("grid", 8, 448)
    assert found.keys() == {f"{stage}_ms" for stage in bench.STAGES} | {
        "canvas_per_s",
        "clean_per_s",
        "training_per_s",
    }
    assert 0 < found["pose_ms"] < found["whole_ms"] and 0 < found["draw_ms"] < found["whole_ms"]
    assert found["clean_per_s"] == pytest.approx(1e3 / found["whole_ms"]) and found["photo_ms"] > 0
    both = (found["whole_ms"] + found["whole_ms"] + found["photo_ms"]) / 2
    assert found["training_per_s"] == pytest.approx(1e3 / both)


def test_a_mixture_takes_the_mean_of_times_not_of_rates():
    parts = [{f"{stage}_ms": ms for stage in bench.STAGES} for ms in (2.0, 6.0)]
    found = bench.together(parts)
    assert (
        found["whole_ms"] == 4.0 and found["clean_per_s"] == 250.0 and found["training_per_s"] == pytest.approx(1e3 / 6)
    )


def test_the_mixture_has_all_categories_levels_and_half_of_it_photographs(monkeypatch):
    made = []
    monkeypatch.setattr(engines, "sample", lambda name, **given: made.append((name, given)))
    names = ("grid", "cube", "chart")
    for index in range(60 * len(names)):
        bench._mixed(names, index, 448)
    for name in names:
        of_name = [given for other, given in made if other == name]
        assert sum(given["photo"] for given in of_name) == len(of_name) // 2
        for level in range(10):
            assert {given["photo"] for given in of_name if given["level"] == level} == {True, False}
    assert len({given["index"] for _, given in made}) == len(made)


def test_memory_and_workers_are_measured():
    found = bench.memory(("grid",), 12, 448)
    assert found["samples"] == 12 and 0 < found["begin_mib"] <= found["end_mib"]
    assert bench.in_workers(("grid",), 1, 10, 448)["per_s"] > 0


def test_the_command_writes_what_it_prints(tmp_path, capsys):
    path = tmp_path / "bench.json"
    assert bench.main(["--engines", "grid,geometry", "--samples", "4", "--json", str(path)]) == 0
    found = json.loads(path.read_text())
    assert list(found["engines"]) == ["grid", "geometry"] and found["size_px"] == 448
    assert f"{found['all']['clean_per_s']:.0f}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--engines", "maze"], "must be categories (grid"),
        (["--size-px", "112"], "must be large enough for grid at level 5, got 112"),
        (["--samples", "0"], "must be a whole number > 0"),
        (["--json", "/nowhere/at/all.json"], "must be in a folder that exists"),
    ],
)
def test_a_wrong_argument_gives_one_clear_line(arguments, words, capsys):
    with pytest.raises(SystemExit) as stop:
        bench.main(arguments)
    assert stop.value.code == 2 and words in capsys.readouterr().err
