"""A tangle: lines from left to right that change places two by two."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Tangle:
    """Lines in as many lanes, counted from the top from 0; in each layer some neighbouring lanes swap their lines."""

    starts: tuple[str, ...]  # letters at the left, by lane
    ends: tuple[str, ...]  # numbers at the right, by lane
    layers: tuple[tuple[int, ...], ...]  # by layer: upper lanes of the pairs that are exchanged
    colours: tuple[str, ...]  # of the lines, in the order of `starts`; empty: all are drawn in one ink

    def __post_init__(self):
        """Check that pairs of lanes share none and exist."""
        for layer in self.layers:
            lanes = [lane for upper in layer for lane in (upper, upper + 1)]
            if len(set(lanes)) < len(lanes) or not all(0 <= lane < len(self.starts) for lane in lanes):
                raise ValueError(f"tangle.layers must exchange lanes of 0..{len(self.starts) - 1} once, got {layer}")

    def lanes(self) -> list[list[int]]:
        """By line, in the order of `starts`: its lane before the first layer and after each."""
        order, history = list(range(len(self.starts))), [[lane] for lane in range(len(self.starts))]
        for layer in self.layers:
            for upper in layer:
                order[upper], order[upper + 1] = order[upper + 1], order[upper]
            for lane, line in enumerate(order):
                history[line].append(lane)
        return history

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        return {
            "kind": "tangle",
            "starts": list(self.starts),
            "ends": list(self.ends),
            "layers": [list(layer) for layer in self.layers],
            "colours": list(self.colours),
        }

    def describe(self) -> str:
        """The scene in words."""
        lines = [
            f"Left, from the top: {', '.join(self.starts)}.",
            f"Right, from the top: {', '.join(self.ends)}.",
        ]
        for number, layer in enumerate(self.layers, 1):
            pairs = ", ".join(f"({upper + 1}, {upper + 2})" for upper in layer) or "none"
            lines.append(f"Step {number}, lanes that cross: {pairs}.")
        lines += [f"Line {letter}: {colour}." for letter, colour in zip(self.starts, self.colours, strict=False)]
        return "\n".join(lines)

    def complexity(self) -> float:
        """Lines, crossings, and as many again where colours do not tell the lines apart."""
        crossings = sum(map(len, self.layers))
        return len(self.starts) + crossings * (1 if self.colours else 2)
