"""Drawing a question program: its answer first, then a scene and a program that have it.

The number of operations follows from the level. Programs that are undefined or idle in the scene are thrown away, and
so are those with another answer than the one drawn, which keeps answers balanced.
"""

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from engines.answer import Answer
from engines.base import Posed, Scene
from engines.compose.program import Node, Table, Thing, Undefined, states, tells
from engines.compose.program import operations as length_of
from engines.compose.wording import Kind, is_sayable, question

OPERATIONS = (1, 1, 2, 2, 3, 3, 4, 4, 5, 5)  # per level, of the program besides its question; fewer for few things
MOST = (3, 3, 4, 4, 5, 5, 5, 6, 6, 6)  # largest number that a count asks for, per level
TRIES_PER_SCENE = 60
TRIES_OF_PAIRS = 3  # per scene, of questions about two things: their descriptions are few and known
SAMPLED = 6  # sets of several values each, out of the many that a scene has
MOST_VALUES = 2  # in a set with a relation; more read badly
LONGEST_NAME = 3  # operations of a description without a relation
SCENES = 6  # tried for one question and answer, before another is drawn
TARGETS = 60  # tried for one name before the category is called too narrow
COMPARED = ("first", "second", "equal")


class _Target(NamedTuple):
    """What a question is to be, and the answer that it is to have."""

    head: str
    name: str  # attribute, of a question that reads one
    share: float  # place of the answer within the range of possible ones, in [0, 1)
    length: int  # of the program, in operations


class _Drafter:
    """Draws random programs over one scene's things, out of short descriptions that are known to mean one thing."""

    def __init__(self, kind: Kind, table: Table, rng: np.random.Generator):
        self.table, self._rng = table, rng
        self._most_counted = _most_counted(kind)
        self._dice = iter(())
        self._said = [attribute.name for attribute in kind.attributes if attribute.role != "silent"]
        self._relations = _forms(kind, "same", "more", "less")
        self._extremes = _forms(kind, "most", "least")
        self._singles = [("is", name, value, ("all",)) for name in self._said for value in table.values(name)]
        self._alone = {key[0] for key in kind.keys if len(key) == 1}  # values of these mean one thing
        self._names = functools.cache(lambda budget: list(self._every_name(budget)))
        self._lengths = functools.cache(self._lengths_of_names)

    def _roll(self, sides: int) -> int:
        """A number below `sides`; drawn in blocks, as single draws from numpy cost more than all else here."""
        roll = next(self._dice, None)
        if roll is None:
            self._dice = iter(self._rng.random(256).tolist())
            roll = next(self._dice)
        return int(roll * sides)

    def _pick(self, options: Sequence[Any]) -> Any:
        if not options:
            raise Undefined("nothing to choose from")
        return options[self._roll(len(options))]

    def _values(self, witness: int, count: int) -> Node:
        """All things, or those that share `count` values with the witness."""
        names, thing = [name for name in self._said if name not in self._alone], self.table.things[witness]
        if count > len(names):
            raise Undefined("more clauses than attributes")
        node: Node = ("all",)
        for _ in range(count):
            name = names.pop(self._roll(len(names)))
            node = ("is", name, thing[name], node)
        return node

    def _some(self, witness: int, budget: int, *, is_counted: bool = False) -> Node:
        """A set of `budget` operations that has the witness: values alone, or a relation as its outermost clause."""
        lengths = self._lengths(budget)
        if is_counted:
            lengths = [length for length in lengths if budget - 1 - length <= self._most_counted]
        if not self._relations or not lengths or (budget <= 2 and self._roll(2)):
            if is_counted and budget > self._most_counted:
                raise Undefined("a set of one member is not counted")
            return self._values(witness, budget)
        length = self._pick(lengths)
        place, key = self._pick(self._names(length))
        own, other = self.table.things[witness], self.table.things[place]
        if place == witness:
            raise Undefined("a thing is not related to itself")
        holding = [
            (form, name)
            for form, name in self._relations
            if _order(own[name], other[name]) == form and not states(key, name)
        ]
        return (*self._pick(holding), key, self._values(witness, budget - 1 - length))

    def _lengths_of_names(self, budget: int) -> list[int]:
        """How long a description can be that the outermost of `budget` operations refers to."""
        return [n for n in range(1, LONGEST_NAME + 1) if 0 <= budget - 1 - n <= MOST_VALUES and self._names(n)]

    def _the(self, witness: int, budget: int) -> Node:
        """The witness, described with `budget` operations if that happens to mean it alone."""
        own = [node for place, node in self._names(budget) if place == witness] if budget <= LONGEST_NAME else []
        return self._pick(own) if own and self._roll(2) else ("the", self._some(witness, budget))

    def _every_name(self, budget: int) -> Iterator[tuple[int, Node]]:
        """Things with descriptions by values and an extreme, none of them idle: the shortest, some longer ones."""
        table = self.table
        plain = self._singles if budget == 1 else self._sampled(budget)
        inner = [("all",)] if budget == 1 else self._sampled(budget - 1)
        for node in [*(("the", node) for node in plain), *((*e, node) for e in self._extremes for node in inner)]:
            place = table.place_of_concise(node)
            if place >= 0:
                yield place, node

    def _sampled(self, count: int) -> list[Node]:
        """Some of the many sets of `count` values."""
        if count > len(self._said) - len(self._alone):
            return []
        drawn = (self._values(self._roll(len(self.table.things)), count) for _ in range(SAMPLED))
        return list(dict.fromkeys(drawn))

    def draft(self, target: _Target, wanted: str | int) -> Node:
        """A question of the target's length. Raises `Undefined`, or gives one that may still be idle or unsayable."""
        head, name, budget = target.head, target.name, target.length
        anything = range(len(self.table.things))
        if head == "count":
            return ("count", self._some(self._pick(anything), budget, is_counted=True))
        if head == "read":
            having = [place for place in anything if self.table.things[place][name] == wanted]
            return ("read", name, self._the(self._pick(having), budget))
        if head in ("gap", "sum"):
            return self._pair(head, name, budget - 1, wanted)
        share = 1 + self._roll(budget - 2)
        one, two = self._pick(anything), self._pick(anything)
        first = self._some(one, share, is_counted=True)
        return (head, first, self._some(two, budget - 1 - share, is_counted=True))

    def _pair(self, head: str, name: str, budget: int, wanted: str | int) -> Node:
        """A question about two things of known descriptions whose values have the wanted difference or sum."""
        lengths = [n for n in range(1, budget) if max(n, budget - n) <= LONGEST_NAME]
        known = {n: [(place, key) for place, key in self._names(n) if not states(key, name)] for n in lengths}
        length = self._pick([n for n in lengths if known[n] and known[budget - n]])
        one, first = self._pick(known[length])
        value, sign = self.table.things[one][name], -1 if head == "gap" else 1
        seconds = known[budget - length]
        fitting = [node for two, node in seconds if value + sign * self.table.things[two][name] == wanted]
        return (head, name, first, self._pick(fitting))


@functools.cache
def _most_counted(kind: Kind) -> int:
    """How many values a set can fix without having one member at most."""
    said = [a.name for a in kind.attributes if a.role != "silent"]
    sizes = range(len(said), 0, -1)
    free = (
        n for n in sizes for some in itertools.combinations(said, n) if not any(set(k) <= {*some} for k in kind.keys)
    )
    return next(free, 0)


def _order(own: str | int, other: str | int) -> str:
    """The relation in which one value stands to another; words are the same or unordered."""
    if own == other:
        return "same"
    return "" if isinstance(own, str) else "more" if own > other else "less"


def _forms(kind: Kind, *forms: str) -> list[tuple[str, str]]:
    """Every (form, attribute) that can be said."""
    return [(form, a.name) for a in kind.attributes for form in forms if getattr(a, form)]


def make_pose(
    kind: Kind | Callable[[int], Kind],
    random_scene: Callable[[np.random.Generator, int], Scene],
    things: Callable[[Any], Sequence[Thing]],
    operations: Sequence[int] = OPERATIONS,
    most: Sequence[int] = MOST,
    skew: Sequence[float] = (1.0,) * 10,
    lengths: Mapping[str, Sequence[int]] = MappingProxyType({}),
) -> "Composed":
    """Build the `pose` of a compositional question type over a category's random scenes.

    `kind` is what the things are called, or gives it by level. `operations` and `most` say per level how long programs
    are and how far is counted; `skew`, how much likelier than the average of the answers drawn the commonest is: where
    sets are small, programs that count one thing abound. `lengths` give questions of some heads other numbers of
    operations, 0 where things have too few attributes for any. Raises `RuntimeError` from `pose` if no scene has a
    question with one of the answers drawn.
    """
    of_level = kind if callable(kind) else lambda _: kind
    return Composed(of_level, random_scene, things, (operations, most, skew), lengths)


class Composed:
    """A `pose` of compositional questions, which can also be asked again about other scenes."""

    def __init__(
        self,
        kind: Callable[[int], Kind],
        random_scene: Callable[[np.random.Generator, int], Scene],
        things: Callable[[Any], Sequence[Thing]],
        knobs: tuple[Sequence[int], Sequence[int], Sequence[float]],
        lengths: Mapping[str, Sequence[int]],
    ):
        self._kind, self._random_scene, self._things, self._lengths = kind, random_scene, things, lengths
        self._operations, self._most, self._skew = knobs

    def __call__(self, rng: np.random.Generator, level: int) -> Posed:
        """Draw a question and a scene that has its answer."""
        kind, most, skew = self._kind(level), self._most[level], self._skew[level]
        lengths = {head: by_level[level] for head, by_level in self._lengths.items()}
        for _ in range(TARGETS):
            target = _target(kind, rng, self._operations[level], lengths)
            for _ in range(SCENES):
                scene = self._random_scene(rng, level)
                table = Table(self._things(scene))
                options = _options(kind, table, target, most) if table.things else ()
                if not options:
                    continue
                wanted = options[int(target.share * len(options))]
                node = _search(_Drafter(kind, table, rng), kind, target, wanted)
                if node is not None:
                    return _posed(kind, scene, node, wanted, min(1.0, skew / len(options)), rng)
        raise RuntimeError(f"no question about {kind.plural} at level {level} in {TARGETS * SCENES} scenes")

    def again(self, asked: Posed, rng: np.random.Generator, level: int) -> Posed | None:
        """The same question, word for word, about another random scene; `None` if it means nothing there or is idle."""
        scene = self._random_scene(rng, level)
        node, table = _tuples(asked.query["program"]), Table(self._things(scene))
        try:
            value = table.answer(node)
            is_idle = table.is_idle(node)
        except (Undefined, KeyError):  # a value that no thing of this scene has
            return None
        if is_idle or (node[0] == "compare" and not table.is_close(node)) or (isinstance(value, int) and value < 1):
            return None
        return asked._replace(scene=scene, answer=_answer(self._kind(level), node, value))


def _target(kind: Kind, rng: np.random.Generator, budget: int, lengths: Mapping[str, int]) -> _Target:
    heads = [("count", ""), *(("read", a.name) for a in kind.attributes if a.read)]
    if budget >= 3:
        heads += [("difference", ""), ("total", ""), ("compare", "")]
        heads += [(head, a.name) for a in kind.attributes for head in ("gap", "sum") if getattr(a, head)]
    heads = [head for head in heads if lengths.get(head[0], budget)]
    head, name = heads[int(rng.integers(len(heads)))]
    return _Target(head, name, float(rng.random()), lengths.get(head, budget))


def _options(kind: Kind, table: Table, target: _Target, most: int) -> Sequence[str | int]:
    """The answers that are equally likely to be asked for."""
    head = target.head
    if head == "read":
        attribute = kind.attribute(target.name)
        return attribute.vocabulary or table.values(target.name)
    if head == "compare":
        return COMPARED
    if head == "count":
        return range(1, most + 1)
    if head == "difference":
        return range(1, most // 2 + 2)
    if head == "total":
        return range(2, most + 2)
    values = table.values(target.name)
    reach = values[-1] - values[0]
    return range(1, max(2, reach)) if head == "gap" else range(2 * values[0] + 1, 2 * values[-1])


def _search(drafter: _Drafter, kind: Kind, target: _Target, wanted: str | int) -> Node | None:
    """A sayable program of the target's length with the wanted answer, if some tries find one."""
    table, budget = drafter.table, target.length
    if isinstance(wanted, str) and target.head == "read" and wanted not in table.where[target.name]:
        return None
    for _ in range(TRIES_OF_PAIRS if target.head in ("gap", "sum") else TRIES_PER_SCENE):
        try:
            node = drafter.draft(target, wanted)
            is_wanted = table.answer(node) == wanted
        except Undefined:
            continue
        if not is_wanted or length_of(node) != budget or not is_sayable(node) or tells(node, kind.keys):
            continue
        if not table.is_idle(node) and (target.head != "compare" or table.is_close(node)):
            return node
    return None


def _posed(
    kind: Kind, scene: Scene, node: Node, wanted: str | int, guess_rate: float, rng: np.random.Generator
) -> Posed:
    query = {"ask": "compose", "program": _plain(node)}
    return Posed(scene, question(kind, node, rng), _answer(kind, node, wanted), guess_rate=guess_rate, query=query)


def _answer(kind: Kind, node: Node, value: str | int) -> Answer:
    """A value of a program as an answer."""
    if not isinstance(value, str):
        return Answer.integer(value)
    return Answer.word(value, kind.attribute(node[1]).vocabulary if node[0] == "read" else COMPARED)


def _plain(node: Node) -> list:
    """The program as JSON-ready data."""
    return [_plain(part) if isinstance(part, tuple) else part for part in node]


def _tuples(program: Sequence[Any]) -> Node:
    """The program from JSON-ready data."""
    return tuple(_tuples(part) if isinstance(part, list | tuple) else part for part in program)
