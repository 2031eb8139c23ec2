r"""Strict verification of a model's completion: `<answer>\boxed{…}</answer>`, once, and nothing after it.

Reasoning before the tags is free text. What stands in the box goes to the typed parser of `engines.answer`. The block
must lie in the last `TAIL_CHARS` characters, so only a completion whose end is right is read as a whole, and that in
linear time; no string raises, and nothing is evaluated. What is refused, and why, is kept as a corpus in
`tests/engines/cheats.py`.
"""

import itertools
import re

from engines.answer import MAX_CHARS, Answer

OPEN, CLOSE, BOX = "<answer>", "</answer>", "\\boxed"
TAIL_CHARS = 1024  # of the completion, in which the block, and the blanks around and in it, must lie
MAX_COMPLETION_CHARS = 2**16  # longer ones are no answer: 16,000 tokens of four characters
_ESCAPED = re.compile(r"\\.", re.DOTALL)
_STEPS = {"{": 1, "}": -1}


def extract(text: str) -> str | None:
    r"""Give what stands in the only box of the only answer block, or `None` if the completion is not of that form.

    The block must be the end of the completion (spaces and line ends may follow), the box must fill the block, its
    braces must balance, and `\boxed` must occur nowhere else. Of 1 to 256 characters, all of them printable.
    """
    found = _at_the_end(text)
    return found[0] if found is not None and _is_alone(text, found[1]) else None


def is_well_formed(text: str) -> bool:
    """Say whether a completion has the required form, whatever it answers."""
    return extract(text) is not None


def verify(text: str, answer: Answer) -> bool:
    """Say whether a completion has the required form and its boxed content is the answer."""
    found = _at_the_end(text)
    return found is not None and answer.accepts(found[0]) and _is_alone(text, found[1])


def _at_the_end(text: str) -> tuple[str, int] | None:
    """What stands in the box at the end of a completion, and where its block begins."""
    if len(text) > MAX_COMPLETION_CHARS:
        return None
    tail = text[-TAIL_CHARS:]
    block = tail.rstrip(" \r\n")
    start = tail.rfind(OPEN)
    if start < 0 or not block.endswith(CLOSE):
        return None
    body = block[start + len(OPEN) : -len(CLOSE)].strip(" \r\n")
    if not body.startswith(BOX + "{") or len(body) > MAX_CHARS + len(BOX) + 2:
        return None
    content = _boxed(body[len(BOX) :])
    if content is None or not content.strip() or BOX in content or CLOSE in content:
        return None
    return (content, len(text) - len(tail) + start) if content.isprintable() else None


def _is_alone(text: str, start: int) -> bool:
    """Whether nothing before the block at `start` looks like a part of another."""
    for mark in (OPEN, CLOSE, BOX):
        first = text.find(mark[0], 0, start)  # single characters are found ten times faster, and most texts have none
        if first >= 0 and text.find(mark, first, start) >= 0:
            return False
    return True


def _boxed(braced: str) -> str | None:
    """The inside of `{…}` if the brace that opens it is closed by the last character."""
    unescaped = _ESCAPED.sub("", braced)
    *depths, last = itertools.accumulate(_STEPS[char] for char in unescaped if char in _STEPS)
    return braced[1:-1] if last == 0 and 0 not in depths and unescaped.endswith("}") else None
