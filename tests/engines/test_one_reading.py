"""Questions say what form their answer has, and mean one thing."""

import pytest

import engines
from engines.base import make_rng


def questions(name: str, level: int) -> set[str]:
    engine, _, kind = name.partition(".")
    pose = next(item.pose for item in engines.ENGINES[engine].types if item.name == kind)
    return {pose(make_rng("reading", name, index), level).question for index in range(24)}


@pytest.mark.parametrize("name, letter", [("function.root", "x"), ("function.y_intercept", "y")])
def test_one_number_of_a_point_is_asked_for_by_its_letter(name, letter):
    for question in questions(name, 1):
        assert letter in question.replace("-", " - ").rstrip("?.").split(), question
        assert not question.startswith("Where")


def test_a_range_is_asked_for_from_the_smallest_to_the_largest_not_from_end_to_end():
    assert not any("does the graph run" in question for question in questions("function.domain", 3))


def test_crossings_are_counted_within_the_grid_not_at_its_points():
    for question in questions("function.axis_crossings", 2):
        assert "points" not in question and ("within the grid" in question.lower() or "inside the grid" in question)


def test_the_second_bar_is_counted_from_a_bar_that_is_named_and_is_asked_for_in_words():
    for question in questions("chart.kth_largest", 4):
        assert "number" not in question and " on?" not in question
        asks_both_ends = question.startswith(("Order the bars from", "Go from"))
        ends = [word for word in ("highest", "lowest", "longest", "shortest") if word in question]
        assert len(ends) == 1 + asks_both_ends, question


def test_a_row_of_a_nonogram_is_asked_for_with_commas():
    assert all("with commas" in question for question in questions("logic.nonogram", 2))
