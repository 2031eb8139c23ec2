"""Question programs and what they mean. A program is a tree of tuples of strings and whole numbers (lists in JSON).

- a set: `("all",)`, `("is", attribute, value, set)`, `("same", attribute, thing, set)`, and `more`, `less` like `same`
- one thing: `("the", set)`, `("most", attribute, set)`, `("least", attribute, set)`
- a question: `("count", set)`, `("read", attribute, thing)`, `("difference", set, set)`, `("total", set, set)`,
  `("compare", set, set)`, `("gap", attribute, thing, thing)`, `("sum", attribute, thing, thing)`

`same` leaves out the thing itself. A program is undefined where a set has not exactly one member or an extreme is
shared; it is idle where one of its clauses could be dropped without a change. Neither is ever asked.
"""

from collections.abc import Iterator, Mapping, Sequence

Node = tuple  # of strings, whole numbers and nodes
Thing = Mapping[str, str | int]
CLAUSES = ("is", "same", "more", "less")
THINGS = ("the", "most", "least")


class Undefined(ValueError):
    """A part of a program that means nothing in this scene."""


class Table:
    """The things of a scene, with sets of them as bit masks: each operation is one look-up and one AND."""

    def __init__(self, things: Sequence[Thing]):
        self.things = things
        self.everything = (1 << len(things)) - 1
        self.where: dict[str, dict[str | int, int]] = {}
        for place, thing in enumerate(things):
            for name, value in thing.items():
                masks = self.where.setdefault(name, {})
                masks[value] = masks.get(value, 0) | 1 << place
        self._ascending = {name: [masks[value] for value in sorted(masks)] for name, masks in self.where.items()}

    def values(self, attribute: str) -> list[str | int]:
        """The values that an attribute takes, in ascending order."""
        return sorted(self.where[attribute])

    def members(self, node: Node) -> int:
        """Evaluate a set. Raises `Undefined` if a thing in it is undefined."""
        if node[0] == "all":
            return self.everything
        kind, attribute, key, inner = node
        inside = self.members(inner)
        if kind == "is":
            return inside & self.where[attribute].get(key, 0)
        place = self.place(key)
        value = self.things[place][attribute]
        if kind == "same":
            return inside & self.where[attribute][value] & ~(1 << place)
        masks = self.where[attribute].items()
        is_more = kind == "more"
        return inside & sum(mask for other, mask in masks if (other > value if is_more else other < value))

    def place(self, node: Node) -> int:
        """Evaluate one thing to its place among the things. Raises `Undefined` unless exactly one is meant."""
        inside = self.members(node[-1])
        if not inside:
            raise Undefined("an empty set")
        if node[0] != "the":
            ascending = self._ascending[node[1]]
            ordered = reversed(ascending) if node[0] == "most" else ascending
            inside = next(inside & mask for mask in ordered if inside & mask)
        if inside & (inside - 1):
            raise Undefined("more than one thing")
        return inside.bit_length() - 1

    def answer(self, node: Node) -> str | int:
        """Evaluate a question; `compare` gives "first", "second" or "equal". Raises `Undefined`."""
        head = node[0]
        if head == "count":
            return self.members(node[1]).bit_count()
        if head == "read":
            return self.things[self.place(node[2])][node[1]]
        if head in ("gap", "sum"):
            one, two = (self.things[self.place(part)][node[1]] for part in node[2:])
            return one - two if head == "gap" else one + two
        first, second = (self.members(part) for part in node[1:])
        if head == "total":
            if first & second:
                raise Undefined("sets that share a thing")
            return first.bit_count() + second.bit_count()
        one, two = first.bit_count(), second.bit_count()
        if head == "difference":
            return one - two
        return "first" if one > two else "second" if two > one else "equal"

    def is_idle(self, node: Node) -> bool:
        """Say whether some clause of a question does nothing: dropped, its set has the same size or its thing stays."""
        return any(self.keeps(part) for part in _operands(node))

    def keeps(self, operand: Node) -> bool:
        """Say whether an operand, a set or a thing, means the same with one of its own clauses dropped."""
        is_thing = operand[0] in THINGS
        meant = self.place(operand) if is_thing else self.members(operand).bit_count()
        for shorter in _shortened(operand):
            try:
                found = self.place(shorter) if is_thing else self.members(shorter).bit_count()
            except Undefined:
                continue
            if found == meant:
                return True
        return False


def operations(node: Node) -> int:
    """How many operations a program has, its question apart: clauses, extremes, and one for each further operand."""
    own = node[0] in CLAUSES or node[0] in ("most", "least")
    inner = [part for part in node[1:] if isinstance(part, tuple)]
    further = len(inner) - 1 if node[0] not in CLAUSES and len(inner) > 1 else 0
    return own + further + sum(operations(part) for part in inner)


def _operands(node: Node) -> Iterator[Node]:
    """Every thing in a program, and every set that is counted."""
    if node[0] in ("count", "difference", "total", "compare"):
        yield from node[1:]
    if node[0] in THINGS:
        yield node
    for part in node[1:]:
        if isinstance(part, tuple):
            yield from _operands(part)


def _shortened(operand: Node) -> Iterator[Node]:
    """The operand without one of the clauses of its own chain; things inside the chain speak for themselves."""
    if operand[0] in THINGS:
        yield from ((*operand[:-1], inner) for inner in _shortened(operand[-1]))
    elif operand[0] in CLAUSES:
        yield operand[-1]
        yield from ((*operand[:-1], inner) for inner in _shortened(operand[-1]))
