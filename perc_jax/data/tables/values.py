"""Values of cells as plain data and as text: numbers by their digits, nesting bounded."""

import json
import math
import string
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from perc_jax.data.tables.errors import Where, wrong

DEPTH = 64  # lists and objects inside each other, in a cell
_LETTERED = "must be a list of texts, or an object of texts by letters (A, B, …) or by numbers from 0 or 1 on"


def plain(value: Any, where: Where, column: str) -> Any:
    """A value as JSON has it: bytes left out, dates and decimals as text, what is no finite number as null.

    Raises `ValueError` that names file, row and column for what is nested deeper than `DEPTH`.
    """
    try:
        return _plain(value, DEPTH)
    except RecursionError as error:
        raise wrong(where, column, f"must be nested at most {DEPTH} deep", type(value).__name__) from error


def _plain(value: Any, room: int) -> Any:
    if not isinstance(value, Mapping | list | tuple):
        if isinstance(value, float):
            return value if math.isfinite(value) else None
        if isinstance(value, Decimal):
            return digits(value)
        return value if isinstance(value, str | int | bool | None) else str(value)
    if not room:
        raise RecursionError
    if isinstance(value, Mapping):
        kept = {str(name): one for name, one in value.items() if not isinstance(one, bytes | bytearray)}
        return {name: _plain(one, room - 1) for name, one in kept.items()}
    return [_plain(one, room - 1) for one in value if not isinstance(one, bytes | bytearray)]


def digits(value: float | Decimal) -> str:
    """A number in digits without an exponent, the fewest that mean it: 0.00005, 10000000000000000, 2.0.

    Raises `ValueError` for one that is not finite.
    """
    exact = Decimal(repr(value)) if isinstance(value, float) else value
    if not exact.is_finite():
        raise ValueError(f"a number must be finite, got {value}")
    return format(exact, "f")


def written(value: Any, where: Where, column: str) -> str:
    """A value as the text of an answer: texts as they are, all else as JSON writes it, numbers as `digits` does.

    Raises `ValueError` that names file, row and column for a number that is not finite and for what is nested deeper
    than `DEPTH`.
    """
    if isinstance(value, str):
        return value
    is_other = not isinstance(value, Mapping | list | tuple | int | float | Decimal | None)  # a date
    try:
        return str(value) if is_other else _json(value, DEPTH)
    except RecursionError as error:
        raise wrong(where, column, f"must be nested at most {DEPTH} deep", type(value).__name__) from error
    except ValueError as error:
        raise wrong(where, column, "must hold finite numbers only", value) from error


def _json(value: Any, room: int) -> str:
    """JSON of what `plain` keeps of a value, numbers in digits. Raises `ValueError` for one that is not finite."""
    if isinstance(value, float | Decimal):
        return digits(value)
    if not isinstance(value, Mapping | list | tuple):
        return json.dumps(value if isinstance(value, str | int | None) else str(value), ensure_ascii=False)
    if not room:
        raise RecursionError
    if isinstance(value, Mapping):
        kept = {str(name): one for name, one in value.items() if not isinstance(one, bytes | bytearray)}
        pairs = (f"{json.dumps(name, ensure_ascii=False)}: {_json(one, room - 1)}" for name, one in kept.items())
        return f"{{{', '.join(pairs)}}}"
    return f"[{', '.join(_json(one, room - 1) for one in value if not isinstance(one, bytes | bytearray))}]"


def options(value: Any, index: str, where: Where, column: str) -> tuple[str, ...]:
    """The texts to choose from, each at its letter's place; an empty one is none.

    Args:
        value: a list; an object by letters or by numbers from 0 or 1 on, of which nulls are left out; None: none.
        index: from where the table's config says that options count: none, from_0, from_1.
        where: the row.
        column: its column.

    Raises `ValueError` that names file, row and column for anything else.
    """
    if value is None:
        return ()
    if isinstance(value, Mapping):
        value = _placed(value, index, where, column)
    if not isinstance(value, list) or not all(isinstance(one, str | int | float | Decimal) for one in value):
        raise wrong(where, column, _LETTERED, value)
    return tuple(written(one, where, column) if isinstance(one, float | Decimal) else str(one) for one in value)


def _placed(value: Mapping[str, Any], index: str, where: Where, column: str) -> Sequence[Any]:
    """An object's values, each at the place of its key."""
    keys = [str(key) for key in value if value[key] is not None]
    if all(key.isascii() and key.isdigit() and len(key) < 4 for key in keys):
        first = min((int(key) for key in map(str, value) if key.isascii() and key.isdigit()), default=1)
        first = min(first, 1)
        if keys and index != "none" and index != f"from_{first}":
            raise wrong(where, column, f"must count {index.replace('_', ' ')}, as the table's index says", value)
        places = [int(key) - first for key in keys]
    else:
        letters = string.ascii_lowercase if all(key.islower() for key in keys) else string.ascii_uppercase
        if not all(len(key) == 1 and key in letters for key in keys):
            raise wrong(where, column, _LETTERED, value)
        places = [letters.index(key) for key in keys]
    if len(set(places)) < len(places):
        raise wrong(where, column, "must have each place once", value)
    found = dict(zip(places, (value[key] for key in value if value[key] is not None), strict=True))
    return [found.get(place, "") for place in range(max(places, default=-1) + 1)]
