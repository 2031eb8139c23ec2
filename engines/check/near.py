"""Near misses: twenty wrong answers to a question, each close to the right one in value or in form.

What is generated is wrong by construction, not because the verifier says so: another value, or a form outside the
grammar of its kind (a hedge, a chain, a unit, a list where one item is asked for).
"""

import itertools
import math
from collections.abc import Callable, Iterator
from fractions import Fraction

from engines.answer import DECIMAL_PLACES, Answer

COUNT = 20
NO_WORDS = ("zzz", "unknown", "any", "both", "neither", "all", "yes", "no", "?", "other", "see picture", "many", "few")


def near_misses(answer: Answer) -> tuple[str, ...]:
    """Twenty different contents of a box, none of which may be accepted."""
    gold = answer.text()
    forms = (
        f"{gold} or {gold}",
        f"not {gold}",
        f"x = {gold}",
        f"{gold} {gold}",
        f"{gold}!",
        f"\\boxed{{{gold}}}",
        f"{gold}?",
        *NO_WORDS,
    )
    wrong = dict.fromkeys(itertools.islice(_BY_KIND[answer.kind](answer), COUNT - 4))
    wrong |= dict.fromkeys(itertools.islice((form for form in forms if form not in wrong), COUNT - len(wrong)))
    return tuple(wrong)


def _integers(answer: Answer) -> Iterator[str]:
    gold = answer.value
    others = [gold + d for s in (1, 2, 3, 5, 10, 100) for d in (s, -s)] + [-gold, 2 * gold, 10 * gold]
    others.append(int(str(abs(gold))[::-1]))
    yield from (str(other) for other in dict.fromkeys(others) if other != gold)
    yield from (f"{gold}.0", f"{gold}/1", f"{gold}, {gold + 1}", f"{gold}-{gold + 1}", f"{gold}%", f"({gold})")


def _decimals(answer: Answer) -> Iterator[str]:
    gold, tolerance, unit = answer.value, answer.tolerance, 10**DECIMAL_PLACES
    above = Fraction(math.floor((gold + tolerance) * unit) + 1, unit)  # the first that can be written and is too large
    below = Fraction(math.ceil((gold - tolerance) * unit) - 1, unit)
    step = max(tolerance, Fraction(1, 100))
    steps = [gold + sign * (tolerance + k * step) for k in (1, 2, 3, 5, 10) for sign in (1, -1)]
    for value in dict.fromkeys([above, below, *steps, -gold, gold * 10, gold / 10, gold * 100]):
        text = f"{float(value):.{DECIMAL_PLACES}f}"
        if abs(Fraction(text) - gold) > tolerance:
            yield text


def _fractions(answer: Answer) -> Iterator[str]:
    gold: Fraction = answer.value
    above, below = gold.numerator, gold.denominator
    tries = [(above + a, below + b) for a in (1, -1, 0, 2, -2) for b in (0, 1, -1, 2)] + [(-above, below)]
    tries += [(below, above)] if above > 0 else []
    for a, b in tries:
        if b > 0 and Fraction(a, b) != gold:
            yield f"{a}/{b}"


def _words(answer: Answer) -> Iterator[str]:
    gold = answer.value
    others = [word for word in answer.vocabulary if word != gold]
    yield from others[: COUNT - 8]
    yield from (f"{gold}, {other}" for other in others[:1])
    yield from (f"{gold} or {other}" for other in others[:2])
    yield from (f"{gold}s{gold}", f"'{gold}'", f"({gold})", f"{gold[:1]} {gold[1:]} {gold}")


def _choices(answer: Answer) -> Iterator[str]:
    gold = answer.value
    others = [letter for letter in answer.vocabulary if letter != gold]
    yield from others[:8]
    yield from (f"{gold}{other}" for other in others[:2] if gold + other not in answer.vocabulary)
    yield from (f"{gold} or {others[0]}", f"{gold}, {others[0]}", f"({gold})", f"{gold})", f"option {gold}")
    if gold.lower() not in answer.vocabulary:
        yield gold.lower()


def _pairs(answer: Answer) -> Iterator[str]:
    first, second = answer.value
    tries = [(second, first)]
    tries += [(first + a, second + b) for a, b in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (2, 0))]
    yield from (f"({a}, {b})" for a, b in dict.fromkeys(tries) if (a, b) != (first, second))
    yield from (f"({first})", f"({first} {second})", f"({first}; {second})", f"({first}, {second}, {second})")
    yield from (f"{first}", f"(({first}, {second}))", f"row {first}, column {second}")


def _other_items(answer: Answer) -> list:
    """Items that could stand in a list or set but do not."""
    if answer.vocabulary:
        return [word for word in answer.vocabulary if word not in answer.value]
    return [item for item in range(max(answer.value, default=0) + 4, -4, -1) if item not in answer.value]


def _edited(answer: Answer) -> Iterator[tuple]:
    """Lists one edit away: an item fewer, more, or another."""
    items, others = answer.value, _other_items(answer)
    for place in range(min(4, len(items))):
        yield items[:place] + items[place + 1 :]
        for other in others[:2]:
            yield (*items[:place], other, *items[place + 1 :])
    yield from ((*items, other) for other in others[:2])


def _swapped(items: tuple) -> Iterator[tuple]:
    """Lists with two items exchanged, and the list read from the end."""
    yield items[::-1]
    for place in range(min(6, len(items) - 1)):
        yield (*items[:place], items[place + 1], items[place], *items[place + 2 :])


def _lists(answer: Answer) -> Iterator[str]:
    for items in dict.fromkeys([*_swapped(answer.value), *_edited(answer)]):
        if items and items != answer.value:
            yield _joined(items)
    if len(answer.value) > 1:
        yield _joined(answer.value, "; ")
    yield from (_joined((*answer.value, *answer.value)), "none")


def _sets(answer: Answer) -> Iterator[str]:
    for items in dict.fromkeys(_edited(answer)):
        yield _joined(items) or "none"
    if answer.value:
        yield from ("none", _joined((*answer.value, answer.value[0])), _joined((*answer.value, "none")))
    yield from ("nothing", "{}", "none, none", "empty")


def _permutations(answer: Answer) -> Iterator[str]:
    items = answer.value
    for other in dict.fromkeys(_swapped(items)):
        if other != items:
            yield _joined(other)
    yield from (_joined(items[:-1]), _joined((*items, items[0])), _joined((*items[:-1], items[0])), "".join(items))


def _names(answer: Answer) -> Iterator[str]:
    letters = answer.value
    for place, letter in enumerate(letters):
        for other in [chr(65 + (ord(letter) - 65 + k) % 26) for k in (1, 2, -1)]:
            if other not in letters:
                yield "".join((*letters[:place], other, *letters[place + 1 :]))
    if len(letters) == 3:
        yield from ("".join(letters[1:] + letters[:1]), "".join(letters[2:] + letters[:2]))
    name = "".join(letters)
    yield from (
        name[:-1],
        name + name[0],
        name.lower(),
        " ".join(letters),
        f"{name}{name}",
        f"({name})",
        f"{name}, {name}",
    )


def _grids(answer: Answer) -> Iterator[str]:
    rows = answer.value
    tries = [rows[::-1], tuple(row[::-1] for row in rows), tuple(zip(*rows, strict=True)), rows[1:], (*rows, rows[0])]
    tries.append(tuple(row[1:] for row in rows))
    for y, x in itertools.islice(itertools.product(range(len(rows)), range(len(rows[0]))), 10):
        tries += [(*rows[:y], (*rows[y][:x], rows[y][x] + d, *rows[y][x + 1 :]), *rows[y + 1 :]) for d in (1, -1)]
    for other in dict.fromkeys(tries):
        if other != rows and other and other[0]:
            yield "; ".join(" ".join(map(str, row)) for row in other)
    yield " ".join(str(cell) for row in rows for cell in row) + " ;"


def _points(answer: Answer) -> Iterator[str]:
    left, top, right, bottom = answer.value
    x, y = (left + right) // 2, (top + bottom) // 2
    yield from (f"({left - 1}, {y})", f"({right + 1}, {y})", f"({x}, {top - 1})", f"({x}, {bottom + 1})")
    yield from (f"({x})", f"({x}, {y}, {x})", f"{x} {y}", f"({x}.5, {y})")


def _joined(items: tuple, between: str = ", ") -> str:
    return between.join(map(str, items))


_BY_KIND: dict[str, Callable[[Answer], Iterator[str]]] = {
    "integer": _integers,
    "decimal": _decimals,
    "fraction": _fractions,
    "word": _words,
    "choice": _choices,
    "pair": _pairs,
    "list": _lists,
    "set": _sets,
    "permutation": _permutations,
    "name": _names,
    "grid": _grids,
    "point": _points,
}
