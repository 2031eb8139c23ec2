"""The rules of a config, and the one walk that finds every value that breaks one.

A field carries its rules in its annotation, `steps: Annotated[int, at_least(0)]`: functions that say what a value must
be, or None where it is so. Types are rules too: whole numbers, finite numbers, choices. What spans fields is a
section's method `spans(sound)`, which gives violations; `sound(*paths)` says whether the fields it compares hold on
their own, so that it never reckons with a value that is none. A section is any dataclass; those inside it, and in a
tuple of it, are walked with it.

Sections check nothing when they are made. `Config` does, once, for everything below it, when it has made lists tuples
and numpy's numbers Python's, so that all mistakes are told together: `ValueError("<violation>; <violation>; …")`, each
`field rule, got value`, fields by their path on the command line.
"""

import dataclasses
import functools
import math
import numbers
import operator
import re
import typing
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal, NamedTuple

LARGEST = 2**31 - 1  # what counters on the device hold

Rule = Callable[[Any], str | None]  # what a value must be, such as "must be >= 0"; None where it is
Sound = Callable[..., bool]  # whether none of the fields of these paths, from the section on, breaks its own rule


class Violation(NamedTuple):
    """A value that breaks a rule."""

    field: str  # path from the config on, as on the command line
    rule: str
    value: object

    def __str__(self) -> str:
        return f"{self.field} {self.rule}, got {self.value!r}"


def unless(condition: bool, field: str, rule: str, value: object) -> Iterator[Violation]:
    """The violation, unless the condition holds."""
    if not condition:
        yield Violation(field, rule, value)


def refuse(found: Iterator[Violation]) -> None:
    """Raise one `ValueError` that names all violations, if there are any."""
    if told := "; ".join(map(str, found)):
        raise ValueError(told)


def check(section: object, path: str = "") -> None:
    """Raise `ValueError` for all that is wrong in a section, whose fields' paths begin with `path`."""
    refuse(violations(section, path))


def violations(section: object, path: str = "") -> Iterator[Violation]:
    """All that is wrong in a section: in its own fields, in those of the sections in it, and between them."""
    prefix, found = f"{path}." if path else "", []
    for name, annotation in fields_of(type(section)).items():
        found += _of_value(annotation, getattr(section, name), name)
    if spans := getattr(section, "spans", None):
        found += spans(functools.partial(_sound, [f"{violation.field}." for violation in found]))
    return (violation._replace(field=prefix + violation.field) for violation in found)


def _sound(broken: list[str], *paths: str) -> bool:
    """Whether none of the broken fields, each with a full stop behind, is one of these, lies in or around one."""
    wanted = [f"{path}." for path in paths]
    return not any(own.startswith(path) or path.startswith(own) for own in broken for path in wanted)


def make_plain(section: Any) -> None:
    """Put Python's own values into a frozen section and those in it: tuples for lists, its numbers for numpy's. A value
    that has no field's type stays, and the rules refuse it."""
    for name, annotation in fields_of(type(section)).items():
        value = getattr(section, name)
        if (plain := _plain(annotation, value)) is not value:
            object.__setattr__(section, name, plain)


def _plain(annotation: Any, value: Any) -> Any:
    """The plain value of a field, the same object where it is so already."""
    if typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    if dataclasses.is_dataclass(annotation) and isinstance(value, annotation):
        changes = {
            name: plain
            for name, below in fields_of(annotation).items()
            if (plain := _plain(below, old := getattr(value, name))) is not old
        }
        return dataclasses.replace(value, **changes) if changes else value
    if typing.get_origin(annotation) is tuple and isinstance(value, tuple | list):
        kinds = typing.get_args(annotation)
        if dataclasses.is_dataclass(kinds[0]) and isinstance(value, list):
            return value  # the rules ask for a tuple
        kinds = kinds[:1] * len(value) if kinds[-1] is Ellipsis else kinds
        items = tuple(map(_plain, kinds, value)) if len(kinds) == len(value) else tuple(value)
        is_same = isinstance(value, tuple) and all(map(operator.is_, items, value))
        return value if is_same else items
    if annotation is int and isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return int(value)
    if annotation is float and isinstance(value, numbers.Real) and not isinstance(value, int | float):
        return float(value)
    if annotation in (float, str) and isinstance(value, annotation) and type(value) is not annotation:
        return annotation(value)
    return value


@functools.cache
def fields_of(section: type) -> dict[str, Any]:
    """The annotation of each field of a section, with its rules."""
    hints = typing.get_type_hints(section, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(section)}


def _of_value(annotation: Any, value: Any, path: str) -> Iterator[Violation]:
    """What is wrong with the value of one field; the first of its own rules that it breaks."""
    rules: tuple[Rule, ...] = ()
    if typing.get_origin(annotation) is Annotated:
        annotation, *rules = typing.get_args(annotation)
    if dataclasses.is_dataclass(annotation):
        if isinstance(value, annotation):
            yield from violations(value, path)
        else:
            yield Violation(path, f"must be a {annotation.__name__}", value)
    elif typing.get_origin(annotation) is tuple and dataclasses.is_dataclass(item := typing.get_args(annotation)[0]):
        if isinstance(value, tuple):
            for number, one in enumerate(value):
                yield from _of_value(item, one, f"{path}.{number}")
        else:
            yield Violation(path, f"must be a tuple of {item.__name__}", value)
    elif words := _wrong_type(annotation, value) or next(filter(None, (rule(value) for rule in rules)), None):
        yield Violation(path, words, value)


def _wrong_type(annotation: Any, value: Any) -> str | None:
    """What a value must be to have a field's type; None if it has."""
    if typing.get_origin(annotation) is Literal:
        choices = typing.get_args(annotation)
        return None if value in choices else f"must be one of {', '.join(map(repr, choices))}"
    if typing.get_origin(annotation) is tuple:
        return _wrong_items(typing.get_args(annotation), value)
    if annotation is bool:
        return None if isinstance(value, bool) else "must be True or False"
    if annotation is int:
        is_number = isinstance(value, numbers.Integral) and not isinstance(value, bool)
        return None if is_number else "must be a whole number"
    if annotation is float:
        is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        return None if is_number and math.isfinite(value) else "must be a finite number"
    return None if isinstance(value, annotation) else f"must be a {annotation.__name__}"


def _wrong_items(kinds: tuple[Any, ...], values: Any) -> str | None:
    if not isinstance(values, tuple | list):
        return "must be a tuple"
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(values)
    if len(values) != len(kinds):
        return f"must have {len(kinds)} entries"
    return next(filter(None, (_wrong_type(kind, value) for kind, value in zip(kinds, values, strict=True))), None)


# --- the rules -----------------------------------------------------------------------------------------------------


def anything(_: object) -> None:
    """Every value of the type is right."""


def at_least(least: int) -> Rule:
    """Allow `least` and more, up to what counters hold; of whole numbers, the others say their own upper bound."""

    def rule(value: int) -> str | None:
        if value < least:
            return f"must be >= {least}"
        return None if value <= LARGEST else f"must be <= {LARGEST}"

    return rule


def within(low: int | float, high: int | float, *, open_low: bool = False) -> Rule:
    """Allow what lies between two bounds; an open one itself is not allowed."""
    words = f"must be within {f'({low}, {high}]' if open_low else f'{low}..{high}'}"

    def rule(value: int | float) -> str | None:
        inside = (low < value if open_low else low <= value) and value <= high
        return None if inside else words

    return rule


def or_zero(rule: Rule) -> Rule:
    """Allow what a rule allows, and 0, which means something else than a little of it."""

    def wider(value: int | float) -> str | None:
        words = None if value == 0 else rule(value)
        return words and words.replace("must be", "must be 0 or", 1)

    return wider


def each(rule: Rule) -> Rule:
    """Ask the same of every entry."""

    def of_all(values: tuple[Any, ...]) -> str | None:
        return next(filter(None, map(rule, values)), None)

    return of_all


def one_of(*choices: str) -> Rule:
    """Allow these texts."""
    return lambda value: None if value in choices else f"must be one of {', '.join(choices)}"


def filled(value: str | tuple[Any, ...]) -> str | None:
    """Not without characters, or entries."""
    return None if (value.strip() if isinstance(value, str) else value) else "must not be empty"


def distinct(values: tuple[Any, ...]) -> str | None:
    """Nothing twice."""
    return None if len(set(values)) == len(values) else "must not name anything twice"


def pattern(value: str) -> str | None:
    """A regular expression."""
    try:
        re.compile(value)
    except re.error as error:
        return f"must be a regular expression ({error})"
    return None


def file_name(value: str) -> str | None:
    """What can stand in the name of a file, on every file system, without leaving its folder."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", value):
        return None
    return "must be at most 100 letters, digits, '.', '_' and '-', of which the first is a letter or a digit"
