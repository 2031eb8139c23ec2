"""matplotlib's own look: data stand where it is said, texts are clear of each other, nothing depends on the machine."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest

from engines.base import Style
from engines.marks import contrast_faults, faults
from engines.plot import ONE_IN, Plot, looks_matplotlib
from engines.style import THEMES

EACH_THEME = pytest.mark.parametrize("theme", range(len(THEMES)))


def chart(style, size_px=448, **given):
    """A bar chart of eight named bars with crowded numbers; returns the drawing and where its data stand."""
    values, names = [10, 30, 20, 50, 80, 40, 10, 70], "ABCDEFGH"
    numbers = {value: str(value) for value in range(0, 91, 5)}
    given = {"title": "Points", "x_name": "Team", "y_name": "points", "thin": "y"} | given
    labels = dict(enumerate(names))
    with Plot(size_px, style, x_range=(-0.6, 7.6), y_range=(0, 95), x_ticks=labels, y_ticks=numbers, **given) as plot:
        plot.axes.bar(range(8), values, 0.7, color=plot.colour("red"))
        for index, name in enumerate(names):
            plot.part(name, plot.box((index - 0.35, 0), (index + 0.35, values[index])))
        return plot.drawing(), plot


def test_one_sample_in_ten_is_drawn_by_matplotlib():
    rng = np.random.default_rng(0)
    found = np.mean([looks_matplotlib(Style(0, int(rng.integers(2**31)))) for _ in range(4000)])
    assert found == pytest.approx(1 / ONE_IN, abs=0.02)


@EACH_THEME
@pytest.mark.parametrize("size_px", [140, 448])
def test_a_chart_is_legible_in_every_theme(theme, size_px):
    for seed in range(2):
        drawing, plot = chart(Style(theme, seed), size_px)
        assert list(faults(drawing)) == []
        assert list(contrast_faults(np.asarray(drawing.image), drawing.marks)) == []
        texts = [mark.name for mark in drawing.marks if mark.kind == "text"]
        assert set("ABCDEFGH") | {"Points", "Team", "points", "0"} <= set(texts)
        assert all(mark.x_height_px >= 0.99 * 0.547 * plot.text_px for mark in drawing.marks if mark.kind == "text")


def test_parts_stand_on_the_pixels_of_their_bars():
    for theme in (0, 1):
        drawing, _ = chart(Style(theme, 5), grid="")
        pixels = np.asarray(drawing.image).astype(int)
        red = (pixels[..., 0] > 150) & (pixels[..., 1:].max(2) < 90)
        for mark in drawing.marks:
            if mark.kind == "part":
                left, top, right, bottom = mark.box
                own = red[:, round(left) - 3 : round(right) + 4]
                rows, columns = np.nonzero(own)
                found = (columns.min() + round(left) - 3, rows.min(), columns.max() + round(left) - 2, rows.max() + 1)
                assert found == pytest.approx((left, top, right, bottom), abs=1.6), mark  # the axis covers the foot


def test_pixels_are_those_of_matplotlibs_own_transform():
    with Plot(448, Style(0, 0), x_range=(-3, 5), y_range=(2, 9), is_bare=True) as bare:
        pass
    _, full = chart(Style(2, 3))
    for plot, point in ((bare, (1.3, 4.4)), (full, (3.2, 41))):
        x, y = plot.axes.transData.transform(point)
        assert plot.pixel(*point) == pytest.approx((x, 448 - y))
    units = bare.pixel(1, 5)[0] - bare.pixel(0, 5)[0], bare.pixel(0, 5)[1] - bare.pixel(0, 6)[1]
    assert units[0] == pytest.approx(units[1])  # a circle is round


def test_numbers_are_thinned_around_zero_and_names_never():
    places = {value: str(value) for value in range(-20, 21)}

    def shown(**given):
        ranges = {"x_range": (-21, 21), "y_range": (-21, 21), "x_ticks": places, "y_ticks": places}
        with Plot(224, Style(0, 0), **ranges, **given) as plot:
            return plot.drawing()

    thinned = shown()
    texts = [mark.name for mark in thinned.marks]
    steps = {abs(int(text)) for text in texts}
    assert list(faults(thinned)) == [] and texts.count("0") == 2
    assert 6 < len(texts) < 60 and len(steps) > 3
    assert any("overlap" in fault for fault in faults(shown(thin="")))
    assert len(shown(thin="").marks) == 82


def test_a_bare_plot_writes_no_numbers():
    with Plot(224, Style(1, 0), x_range=(-1, 1), y_range=(-1, 1), title="Shares", is_bare=True) as plot:
        plot.axes.pie([3, 2, 1], colors=[plot.colour(name) for name in ("red", "blue", "green")])
        plot.write((0, 0), "half")
        drawing = plot.drawing()
    assert sorted(mark.name for mark in drawing.marks) == ["Shares", "half"] and list(faults(drawing)) == []


def test_legends_are_marked_and_legible():
    with Plot(448, Style(3, 1), x_range=(0, 4), y_range=(0, 4), x_ticks={1: "1"}, y_ticks={2: "2"}) as plot:
        plot.axes.plot([0, 4], [0, 4], color=plot.colour("blue"), label="north")
        plot.axes.plot([0, 4], [1, 2], color=plot.colour("red"), linestyle="--", label="SOUTH")
        plot.legend(loc="upper left")
        drawing = plot.drawing()
    assert {"north", "SOUTH"} <= {mark.name for mark in drawing.marks} and list(faults(drawing)) == []


def test_the_users_settings_change_nothing_and_are_left_alone():
    expected = np.asarray(chart(Style(0, 1))[0].image)
    with matplotlib.rc_context({"axes.facecolor": "black", "font.size": 30, "lines.linewidth": 9, "axes.grid": True}):
        assert (np.asarray(chart(Style(0, 1))[0].image) == expected).all()
        assert matplotlib.rcParams["font.size"] == 30 and matplotlib.rcParams["axes.grid"]


def test_figures_are_imported_with_the_first_of_them_and_pyplot_never():
    script = """
import sys
import engines
from engines.plot import Plot
from engines.base import Style
assert "matplotlib.figure" not in sys.modules and "matplotlib.axes" not in sys.modules
with Plot(112, Style(0, 0), x_range=(0, 1), y_range=(0, 1)) as plot:
    plot.drawing()
assert "matplotlib.figure" in sys.modules and "matplotlib.pyplot" not in sys.modules
"""
    run = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
