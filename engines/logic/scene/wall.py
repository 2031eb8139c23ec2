"""A wall of bricks, each the sum of the two below it, some with their numbers."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Wall:
    """Numbers by layer from the bottom and from the left; None where no number is shown."""

    layers: tuple[tuple[int | None, ...], ...]
    asked: tuple[int, int]  # layer and place, from 0, of the brick with the question mark
    rounds: int  # of sums and differences of three bricks that it takes; one more than possible if equations are needed

    def __post_init__(self):
        """Check that each layer has a brick fewer than the one below."""
        if [len(layer) for layer in self.layers] != list(range(len(self.layers), 0, -1)):
            raise ValueError(f"wall.layers must have one brick fewer each, got {[len(x) for x in self.layers]}")

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        return {
            "kind": "wall",
            "layers": [list(layer) for layer in self.layers],
            "asked": list(self.asked),
        }

    def describe(self) -> str:
        """The scene in words, from the bottom."""
        lines = ["A wall of bricks."]
        for height, layer in enumerate(self.layers):
            said = [
                "question mark" if (height, i) == self.asked else n if n is not None else "empty"
                for i, n in enumerate(layer)
            ]
            lines.append(f"Layer {height + 1}: " + ", ".join(map(str, said)) + ".")
        return "\n".join(lines)

    def complexity(self) -> float:
        """Bricks, and steps of reasoning."""
        return sum(map(len, self.layers)) + 4 * self.rounds
