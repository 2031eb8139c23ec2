"""How a question program reads in English.

Each attribute says how it is spoken: before the noun (a red star), as the noun (a star), or after it (a star in
row 2). A set is spoken with its relation last: "red stars in row 2 that are below the blue circle". Where things
are the same as one thing, "other" says that this one is left out: "other stars that are in the same row as the disc".
"""

from typing import Literal, NamedTuple

import numpy as np

from engines.compose.program import THINGS, Node

COLOUR_ASKED = (  # how a colour is read, in all categories
    "What colour is {it}?",
    "What is the colour of {it}?",
    "Name the colour of {it}.",
    "Find {it}. What colour is it?",
)


class Attribute(NamedTuple):
    """One attribute of the things of a scene and its words; an empty text or tuple: not said, so never asked.

    `{it}` stands for a thing ("the red star"), `{value}` for a value, `{one}` and `{two}` for things.
    """

    name: str  # key of the rows
    vocabulary: tuple[str, ...] = ()  # its words; empty for whole numbers
    role: Literal["before", "noun", "after", "silent"] = "after"  # of the value in a noun phrase; silent: never there
    says: str = "{value}"  # the value in its role, such as "in row {value}"
    plurals: tuple[str, ...] = ()  # of the vocabulary, where the role is noun
    same: str = ""  # "in the same row as {it}"
    more: str = ""  # "below {it}"
    less: str = ""
    most: str = ""  # "lowest"
    least: str = ""
    read: tuple[str, ...] = ()  # "In which row is {it}?"
    gap: tuple[str, ...] = ()  # "How much higher is {one} than {two}?"
    sum: tuple[str, ...] = ()


class Kind(NamedTuple):
    """What the things of a category are called, and their attributes."""

    noun: str  # one of them, whatever its attributes
    plural: str
    attributes: tuple[Attribute, ...]
    keys: tuple[tuple[str, ...], ...] = ()  # attributes that no two things of a scene share

    def attribute(self, name: str) -> Attribute:
        """The attribute of this name."""
        return next(attribute for attribute in self.attributes if attribute.name == name)


HEADS = {
    "count": (
        "How many {0} are there?",
        "Count the {0}.",
        "What is the number of {0}?",
        "How many {0} do you see?",
    ),
    "difference": (
        "How many more {0} than {1} are there?",
        "By how many do the {0} outnumber the {1}?",
        "What is the number of {0} minus the number of {1}?",
        "Subtract the number of {1} from the number of {0}.",
    ),
    "total": (
        "How many {0} and {1} are there altogether?",
        "Add the number of {0} to the number of {1}.",
        "Count the {0} and the {1}. How many are they together?",
        "What is the number of {0} plus the number of {1}?",
    ),
    "compare": (
        "Of which are there more: first, the {0}, or second, the {1}? Answer first, second or equal.",
        "First, the {0}; second, the {1}. Of which are there more? Answer first, second or equal.",
        "Compare the number of {0} (first) with the number of {1} (second). Which is larger: first, second or equal?",
        "Are there more {0} (first) or more {1} (second)? Answer first, second or equal.",
    ),
}


def question(kind: Kind, node: Node, rng: np.random.Generator) -> str:
    """Say a question program in one of its phrasings."""
    text = _said(kind, node, rng)
    return text[0].upper() + text[1:]


def _said(kind: Kind, node: Node, rng: np.random.Generator) -> str:
    head = node[0]
    if head in HEADS:
        return _pick(rng, HEADS[head]).format(*(some(kind, part) for part in node[1:]))
    attribute = kind.attribute(node[1])
    if head == "read":
        return _pick(rng, attribute.read).format(it=the(kind, node[2]))
    phrasings = attribute.gap if head == "gap" else attribute.sum
    return _pick(rng, phrasings).format(one=the(kind, node[2]), two=the(kind, node[3]))


def some(kind: Kind, node: Node, *, is_one: bool = False, extreme: str = "") -> str:
    """Say a set, in the plural or as one of its members, without an article."""
    before, after, relation, other = [], [], "", ""
    noun = kind.noun if is_one else kind.plural
    while node[0] != "all":
        attribute, key = kind.attribute(node[1]), node[2]
        if node[0] == "is":
            if attribute.role == "noun":
                noun = key if is_one else attribute.plurals[attribute.vocabulary.index(key)]
            else:
                word = attribute.says.format(value=key)
                if attribute.role == "before":
                    before.append((kind.attributes.index(attribute), word))
                else:
                    after.append(word)
        else:
            said = {"same": attribute.same, "more": attribute.more, "less": attribute.less}[node[0]]
            relation = f"that {'is' if is_one else 'are'} {said.format(it=the(kind, key))}"
            other = "other" if node[0] == "same" else ""
        node = node[-1]
    # Words before a noun stand in the order in which the category lists its attributes: "small red".
    before = [word for _, word in sorted(before)]
    return " ".join(part for part in (extreme, other, *before, noun, *after, relation) if part)


def the(kind: Kind, node: Node) -> str:
    """Say one thing: "the lowest red star in row 2"."""
    extreme = ""
    if node[0] != "the":
        attribute = kind.attribute(node[1])
        extreme = attribute.most if node[0] == "most" else attribute.least
    return f"the {some(kind, node[-1], is_one=True, extreme=extreme)}"


def is_sayable(node: Node) -> bool:
    """Say whether a program reads unambiguously: one relation a set, its outermost clause, and no attribute twice."""
    if node[0] in ("is", "same", "more", "less"):
        names, inner = [], node
        while inner[0] != "all":
            if inner is not node and inner[0] != "is":
                return False
            names.append(inner[1])
            inner = inner[-1]
        if len(set(names)) < len(names):
            return False
    if node[0] in THINGS and node[-1][0] in ("same", "more", "less") and node[0] != "the":
        return False  # "the lowest star that is above ..." could be read either way
    return all(is_sayable(part) for part in node[1:] if isinstance(part, tuple))


def _pick(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(rng.integers(len(options)))]
