"""Question programs and what they mean. A program is a tree of tuples of strings and whole numbers (lists in JSON).

- a set: `("all",)`, `("is", attribute, value, set)`, `("same", attribute, thing, set)`, and `more`, `less` like `same`
- one thing: `("the", set)`, `("most", attribute, set)`, `("least", attribute, set)`
- a question: `("count", set)`, `("read", attribute, thing)`, `("difference", set, set)`, `("total", set, set)`,
  `("compare", set, set)`, `("gap", attribute, thing, thing)`, `("sum", attribute, thing, thing)`

`same` leaves out the thing itself, and the wording says so ("other"). A program is undefined where a set has not
exactly one member or an extreme is shared; it is idle where one of its clauses could be dropped without a change, or
where an extreme chooses among fewer than two things. Neither is ever asked.
"""

from collections.abc import Iterator, Mapping, Sequence

Node = tuple  # of strings, whole numbers and nodes
Thing = Mapping[str, str | int]
CLAUSES = ("is", "same", "more", "less")
THINGS = ("the", "most", "least")
CLOSE = 2  # members by which two sets that are compared differ at most


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
        return self._all_of(self._clauses(node))

    def place(self, node: Node) -> int:
        """Evaluate one thing to its place among the things. Raises `Undefined` unless exactly one is meant."""
        inside = self.members(node[-1])
        place = self._only(node, inside)
        if place < 0:
            raise Undefined("more than one thing" if inside else "an empty set")
        return place

    def place_of_concise(self, node: Node) -> int:
        """Evaluate one thing that no part of its description could be dropped from; -1 if one could, or if undefined.

        Raises `Undefined` if a thing in it is undefined.
        """
        masks = self._clauses(node[-1])
        inside = self._all_of(masks)
        place = self._only(node, inside)
        is_idle = place >= 0 and self._has_idle(node, masks, inside, place)
        return -1 if is_idle else place

    def _has_idle(self, node: Node, masks: list[int], inside: int, place: int) -> bool:
        """Say whether a description means the same without one of its clauses, or chooses an extreme of one thing."""
        if node[0] != "the" and inside & (inside - 1) == 0:
            return True
        return any(self._only(node, wider) == place for wider in self._less_one(masks))

    def _clauses(self, node: Node) -> list[int]:
        """What each clause of a set holds for, whatever the others say; outermost first."""
        masks = []
        while node[0] != "all":
            kind, attribute, key, node = node
            is_plain = kind == "is"
            masks.append(self.where[attribute].get(key, 0) if is_plain else self._related(kind, attribute, key))
        return masks

    def _related(self, kind: str, attribute: str, other: Node) -> int:
        """The things with the same value as one other thing, with more or with less."""
        place = self.place(other)
        value = self.things[place][attribute]
        if kind == "same":
            return self.where[attribute][value] & ~(1 << place)
        masks = self.where[attribute].items()
        is_more = kind == "more"
        return sum(mask for its, mask in masks if (its > value if is_more else its < value))

    def _all_of(self, masks: list[int]) -> int:
        inside = self.everything
        for mask in masks:
            inside &= mask
        return inside

    def _less_one(self, masks: list[int]) -> Iterator[int]:
        """The set without one of its clauses, for each of them."""
        for left_out in range(len(masks)):
            yield self._all_of(masks[:left_out] + masks[left_out + 1 :])

    def _only(self, node: Node, inside: int) -> int:
        """The one thing of a set that a node's head picks; -1 if there is none or several."""
        if node[0] != "the":
            ascending = self._ascending[node[1]]
            for mask in reversed(ascending) if node[0] == "most" else ascending:
                if inside & mask:
                    inside &= mask
                    break
        return inside.bit_length() - 1 if inside & (inside - 1) == 0 else -1

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
        """Say whether some part of a question does nothing: dropped, its set has the same size or its thing stays."""
        return any(self.keeps(part) for part in _operands(node))

    def is_close(self, node: Node) -> bool:
        """Say whether two sets that are compared have nearly as many members: else most of their words do nothing."""
        one, two = (self.members(part).bit_count() for part in node[1:])
        return abs(one - two) <= CLOSE

    def keeps(self, operand: Node) -> bool:
        """Say whether an operand, a set or a thing, means the same with one of its own parts dropped."""
        if operand[0] in THINGS:
            masks = self._clauses(operand[-1])
            return self._has_idle(operand, masks, self._all_of(masks), self.place(operand))
        masks = self._clauses(operand)
        count = self._all_of(masks).bit_count()
        return any(inside.bit_count() == count for inside in self._less_one(masks))


def operations(node: Node) -> int:
    """How many operations a program has, its question apart: clauses, extremes, and one for each further operand."""
    own = node[0] in CLAUSES or node[0] in ("most", "least")
    inner = [part for part in node[1:] if isinstance(part, tuple)]
    further = len(inner) - 1 if node[0] not in CLAUSES and len(inner) > 1 else 0
    return own + further + sum(operations(part) for part in inner)


def states(thing: Node, attribute: str) -> bool:
    """Say whether the description of a thing tells its attribute: by its value, or as that of another thing."""
    clause = thing[-1]
    while clause[0] != "all":
        if clause[0] in ("is", "same") and clause[1] == attribute:
            return True
        clause = clause[-1]
    return False


def tells(node: Node, keys: Sequence[Sequence[str]]) -> bool:
    """Say whether the words of a question answer it, or a part of it, without the picture.

    `keys` are sets of attributes that no two things share: a set that fixes them all has one member at most, so it is
    not counted. Nor is a thing read, or compared with others, by what its own description states; no two equal things
    are put together, and no set with one that holds it by its words.
    """
    head = node[0]
    if head in CLAUSES and head != "is" and states(node[2], node[1]):
        return True
    if head in ("read", "gap", "sum") and any(states(part, node[1]) for part in node[2:]):
        return True
    if head in ("count", "difference", "total", "compare") and any(_is_keyed(part, keys) for part in node[1:]):
        return True
    if head in ("gap", "sum") and node[-1] == node[-2]:
        return True
    if head in ("difference", "total", "compare"):
        one, other = (_said(part) for part in node[1:])
        if one <= other or other <= one:
            return True
    return any(tells(part, keys) for part in node[1:] if isinstance(part, tuple))


def _said(node: Node) -> set[Node]:
    """The clauses of a set, each by itself."""
    clauses = set()
    while node[0] != "all":
        clauses.add(node[:-1])
        node = node[-1]
    return clauses


def _is_keyed(node: Node, keys: Sequence[Sequence[str]]) -> bool:
    """Say whether a set fixes all attributes of some key."""
    fixed = set()
    while node[0] != "all":
        if node[0] in ("is", "same"):
            fixed.add(node[1])
        node = node[-1]
    return any(fixed.issuperset(key) for key in keys)


def _operands(node: Node) -> Iterator[Node]:
    """Every thing in a program, and every set that is counted."""
    if node[0] in ("count", "difference", "total", "compare"):
        yield from node[1:]
    if node[0] in THINGS:
        yield node
    for part in node[1:]:
        if isinstance(part, tuple):
            yield from _operands(part)
