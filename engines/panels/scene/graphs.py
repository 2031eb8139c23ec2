"""Graphs of polynomials in windows of one width, and a graph over strips in each of which it bends one way."""

import itertools
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

HALF = 4  # a window reaches from -HALF to HALF
LETTERS = "ABCDE"


class Graph(NamedTuple):
    """A polynomial under a name; heights are drawn to the scale at which its middle part fills the window."""

    name: str  # a letter, or what it is called where it is given
    numbers: tuple[Fraction, ...]  # coefficients of 1, x, x^2, ...
    low: int  # the part that fills the window
    high: int

    def at(self, x: Fraction | float) -> Fraction | float:
        """The value at x, exact for what is exact."""
        value: Fraction | float = 0
        for number in reversed(self.numbers):
            value = value * x + number
        return value

    def to_json(self) -> dict[str, Any]:
        """The graph as JSON-ready data."""
        return {"name": self.name, "numbers": [str(number) for number in self.numbers]}


@dataclass(frozen=True)
class Graphs:
    """Given graphs, and those to choose from; all are drawn from -`HALF` to `HALF`."""

    given: tuple[Graph, ...]
    options: tuple[Graph, ...]
    steps: int  # of thought that the question takes, in all

    def __post_init__(self):
        """Check that graphs have names of their own and curves that are not flat."""
        names = [graph.name for graph in self.graphs]
        if len(set(names)) < len(names) or any(len(graph.numbers) < 2 for graph in self.graphs):
            raise ValueError(f"graphs must have names of their own and degrees of 1 or more, got {names}")

    @property
    def graphs(self) -> tuple[Graph, ...]:
        """All of them."""
        return (*self.given, *self.options)

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        return {
            "kind": "graphs",
            "half": HALF,
            "given": [graph.to_json() for graph in self.given],
            "options": [graph.to_json() for graph in self.options],
        }

    def describe(self) -> str:
        """The scene in words."""
        told = []
        for graph in self.graphs:
            terms = [f"{number} x^{power}" for power, number in enumerate(graph.numbers) if number]
            told.append(f"Graph {graph.name}: y = {' + '.join(terms)}.")
        return "\n".join(told)

    def complexity(self) -> float:
        """Bends of all graphs, and steps of thought."""
        return sum(len(graph.numbers) for graph in self.graphs) / 2 + 10 * self.steps


@dataclass(frozen=True)
class Strips:
    """A function f over lettered strips of one width, in each of which f'' is constant and not 0.

    f' is known at the edges of the strips and straight between them; f begins at 0. Either f or f' is drawn.
    """

    slopes: tuple[int, ...]  # f' at the edges
    is_slope: bool  # the picture shows f' and not f
    steps: int

    def __post_init__(self):
        """Check that the graph bends in every strip."""
        if any(a == b for a, b in itertools.pairwise(self.slopes)):
            raise ValueError(f"strips.slopes must change in every strip, got {self.slopes}")

    @property
    def letters(self) -> str:
        """The strips from the left."""
        return LETTERS[: len(self.slopes) - 1]

    def heights(self) -> list[Fraction]:
        """f at the edges, in widths of a strip."""
        means = (Fraction(a + b, 2) for a, b in itertools.pairwise(self.slopes))
        return list(itertools.accumulate(means, initial=Fraction(0)))

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        shown = "f'" if self.is_slope else "f"
        return {"kind": "strips", "slopes": list(self.slopes), "shown": shown}

    def describe(self) -> str:
        """The scene in words."""
        shown = "f'" if self.is_slope else "f"
        told = ", ".join(map(str, self.slopes))
        return f"A graph of {shown} over strips {', '.join(self.letters)}; f' at their edges is {told}."

    def complexity(self) -> float:
        """Strips, and steps of thought."""
        return len(self.slopes) + 10 * self.steps
