"""What a model writes in `<code>`, read by a grammar of a few lines. Nothing of it is ever executed.

    block     = statement { (line end | ";") statement }
    statement = [ name "=" ] ( call | value ) | nothing          # comments run from "#" to the line's end
    call      = Name "(" [ value { "," value } [","] ] ")"       # a Name that the environment allows
    value     = number | "text" | 'text' | "[" values "]" | "(" values ")" | name that was given a value before
    values    = [ value { "," value } [","] ]

Out: the calls in order, their arguments plain values. What is not of this form, or larger than the bounds below, is
`Refused` with one of `rewards.endings.REASONS`. Reading takes time linear in the text, whatever it is.

Worked example: `a = 1\nSwap(a, 4); Observe()` is `Call("Swap", (1, 4))` and `Call("Observe", ())`.
"""

import keyword
import re
from collections.abc import Mapping
from typing import NamedTuple

MAX_CHARS = 2000  # of a block
MAX_STATEMENTS = 16
MAX_ITEMS = 16  # of a list, and arguments of a call
MAX_DEPTH = 2  # of lists within lists

Value = int | float | str | tuple

_TOKENS = re.compile(
    r"(?P<blank>[ \t\r]+|\#[^\n]*)"
    r"|(?P<number>[+-]?(?:(?:0|[1-9]\d{0,5})(?:\.\d{0,6})?|\.\d{1,6})(?![\w.]))"
    r"|(?P<name>[A-Za-z_]\w{0,39}(?!\w))"
    r"|(?P<text>\"[^\"\\\n]{0,100}\"|'[^'\\\n]{0,100}')"
    r"|(?P<sign>[()\[\],=;\n])",
    re.ASCII,
)


class Refused(Exception):
    """A turn that is not of the form that is asked for: which of the reasons, and what the model is told."""

    def __init__(self, reason: str, words: str):
        super().__init__(reason, words)
        self.reason, self.words = reason, words


class Call(NamedTuple):
    """One call of what an environment allows."""

    name: str
    arguments: tuple[Value, ...]


class Signature(NamedTuple):
    """The arguments of a call: `whole` numbers or `number`s, by the names that the model is told."""

    arguments: tuple[tuple[str, str], ...]  # (name, kind)

    def told(self, name: str) -> str:
        """The call as it is to be written."""
        return f"{name}({', '.join(argument for argument, _ in self.arguments)})"


Allowed = Mapping[str, Signature]


def allowed(signatures: Allowed) -> str:
    """What may be called, in words."""
    return ", ".join(signature.told(name) for name, signature in signatures.items())


def read(block: str, signatures: Allowed) -> list[Call]:
    """Read a block of code: its calls, at least one. Raises `Refused`."""
    if len(block) > MAX_CHARS:
        raise Refused("too_long", f"The code must have at most {MAX_CHARS} characters.")
    calls = _Reader(block, signatures).block()
    if not calls:
        raise Refused("no_call", "The code calls nothing.")
    return calls


class _Token(NamedTuple):
    kind: str
    text: str


END = _Token("end", "")
OPEN, LIST, COMMA = _Token("sign", "("), _Token("sign", "["), _Token("sign", ",")
LINE = _Token("sign", "\n")


def _tokens(block: str) -> list[_Token]:
    """Cut a block; raises `Refused` at the first character that no token begins with."""
    found, at = [], 0
    while at < len(block):
        match = _TOKENS.match(block, at)
        if match is None:
            raise Refused("syntax", "The code must be calls and assignments of plain values, one a line.")
        if match.lastgroup != "blank":
            found.append(_Token(str(match.lastgroup), match[0]))
        at = match.end()
    return found


class _Reader:
    """A reader of one block, token by token."""

    def __init__(self, block: str, signatures: Allowed):
        self._tokens, self._at = _tokens(block), 0
        self._signatures, self._values = signatures, {"True": 1, "False": 0}
        self._had_comma = False  # behind the last entry of the list that was read last

    def block(self) -> list[Call]:
        calls: list[Call] = []
        statements = 0
        while self._next() != END:
            if self._next().text in (";", "\n"):
                self._take()
                continue
            statements += 1
            if statements > MAX_STATEMENTS:
                raise Refused("too_long", f"The code must have at most {MAX_STATEMENTS} statements.")
            calls += self._statement()
            if self._next() != END and self._next().text not in (";", "\n"):
                raise _wrong()
        return calls

    def _statement(self) -> list[Call]:
        target = ""
        if self._next().kind == "name" and self._next(1).text == "=":
            target = self._take().text
            self._take()
            if keyword.iskeyword(target):
                raise _wrong()
        if self._next().kind == "name" and self._next(1).text == "(":
            # A name that is given what a call returns has no value: pictures are shown, not handed on.
            self._values.pop(target, None)
            return [self._call()]
        value = self._value(0)
        if target:
            self._values[target] = value
        return []

    def _call(self) -> Call:
        name = self._take().text
        signature = self._signatures.get(name)
        if signature is None:
            raise Refused("unknown", "The code calls what is not there.")
        self._take()
        arguments = self._items(")", 0)
        kinds = [kind for _, kind in signature.arguments]
        fits = len(arguments) == len(kinds) and all(map(_is_kind, arguments, kinds))
        if not fits:
            raise Refused("arguments", f"{signature.told(name)} takes {_counted(signature)}.")
        return Call(name, arguments)

    def _value(self, depth: int) -> Value:
        token = self._take()
        if token.kind == "number":
            return float(token.text) if "." in token.text else int(token.text)
        if token.kind == "text":
            return token.text[1:-1]
        if token.kind == "name" and token.text in self._values:
            return self._values[token.text]
        if token in (OPEN, LIST):
            if depth == MAX_DEPTH:
                raise Refused("too_long", f"Lists must lie within each other {MAX_DEPTH} deep at most.")
            items = self._items(")" if token == OPEN else "]", depth + 1)
            is_bracketed = token == OPEN and len(items) == 1 and not self._had_comma
            return items[0] if is_bracketed else items
        raise _wrong()

    def _items(self, closing: str, depth: int) -> tuple[Value, ...]:
        """Values up to the closing sign, which is taken; line ends among them do not count."""
        items: list[Value] = []
        while True:
            self._skip_lines()
            if self._next() == _Token("sign", closing):
                self._take()
                return tuple(items)
            if len(items) == MAX_ITEMS:
                raise Refused("too_long", f"A list must have at most {MAX_ITEMS} entries.")
            items.append(self._value(depth))
            self._skip_lines()
            self._had_comma = self._next() == COMMA
            if self._had_comma:
                self._take()
            elif self._next() != _Token("sign", closing):
                raise _wrong()

    def _skip_lines(self) -> None:
        while self._next() == LINE:
            self._take()

    def _next(self, ahead: int = 0) -> _Token:
        place = self._at + ahead
        return self._tokens[place] if place < len(self._tokens) else END

    def _take(self) -> _Token:
        token = self._next()
        self._at += 1
        return token


def _wrong() -> Refused:
    return Refused("syntax", "The code must be calls and assignments of plain values, one a line.")


def _is_kind(value: Value, kind: str) -> bool:
    return isinstance(value, int) or (kind == "number" and isinstance(value, float))


def _counted(signature: Signature) -> str:
    """How many arguments of what kind, in words."""
    count = len(signature.arguments)
    if not count:
        return "nothing"
    whole = all(kind == "whole" for _, kind in signature.arguments)
    return f"{count} {'whole ' if whole else ''}number{'s' if count > 1 else ''}"
