"""Answers about solids found by another way: arrays turned by numpy, and all stacks tried out."""

import itertools

import numpy as np

from engines.base import Sample


def _options(sample: Sample) -> list[np.ndarray]:
    return [np.array(option) for option in sample.scene["options"]]


def _given(sample: Sample) -> list[np.ndarray]:
    return [np.array(cells) for _, cells, _ in sample.scene["given"]]


def _only(flags: list[bool]) -> str:
    if sum(flags) != 1:
        raise ValueError(f"one option must be right, got {sum(flags)}")
    return "ABCD"[flags.index(True)]


def _corner(sample: Sample) -> str:
    (heights,) = _given(sample)
    turns = [np.rot90(heights, turn).tolist() for turn in range(4)]
    return _only([option.tolist() in turns for option in _options(sample)])


def _section(sample: Sample) -> str:
    (heights,) = _given(sample)
    cubes = np.arange(heights.max())[:, None, None] < heights  # layer, row, column
    layer = cubes[sample.query["layer"] - 1].astype(int)
    return _only([option.tolist() == layer.tolist() for option in _options(sample)])


def _shadow(heights: np.ndarray, where: str, tallest: int) -> np.ndarray:
    """What light from a side leaves dark: rows from the top."""
    turned = np.rot90(heights, {"front": 0, "right": -1, "back": 2, "left": 1}[where])
    cubes = np.arange(tallest)[:, None, None] < turned
    return cubes.any(1)[::-1].astype(int)


def _seen(sample: Sample) -> str:
    (heights,) = _given(sample)
    options = _options(sample)
    wanted = _shadow(heights, sample.query["where"], len(options[0]))
    return _only([option.tolist() == wanted.tolist() for option in options])


def _plan(sample: Sample) -> str:
    views = _given(sample)
    return _only(
        [
            all(
                _shadow(plan, where, len(view)).tolist() == view.tolist()
                for where, view in zip(("front", "right"), views, strict=True)
            )
            for plan in _options(sample)
        ]
    )


def _counts(sample: Sample) -> tuple[int, int]:
    """The fewest and the most cubes of all stacks that have both views, which are laid row by row from the back."""
    front, right = ([int(column.sum()) for column in view.T] for view in _given(sample))
    # Of stacks that begin alike only matters which columns have reached their height, and the fewest and most cubes.
    states = {tuple(top == 0 for top in front): (0, 0)}
    for top in right[::-1]:
        lines = [line for line in itertools.product(*[range(min(top, most) + 1) for most in front]) if max(line) == top]
        after: dict[tuple[bool, ...], tuple[int, int]] = {}
        for (reached, (low, high)), line in itertools.product(states.items(), lines):
            now = tuple(flag or cube == most for flag, cube, most in zip(reached, line, front, strict=True))
            count = sum(line)
            least, most_yet = after.get(now, (low + count, high + count))
            after[now] = min(least, low + count), max(most_yet, high + count)
        states = after
    return states[(True,) * len(front)]


ORACLES = {
    "corner": _corner,
    "section": _section,
    "plan_view": _seen,
    "views_plan": _plan,
    "views_most": lambda sample: str(_counts(sample)[1]),
    "views_least": lambda sample: str(_counts(sample)[0]),
    "built": lambda sample: _only([option.tolist() == _given(sample)[0].tolist() for option in _options(sample)]),
}
