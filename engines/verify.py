r"""Strict verification of a model's completion: `<answer>\boxed{…}</answer>`, once, and nothing after it.

Reasoning before the tags is free text. What stands in the box goes to the typed parser of `engines.answer`. Time is
linear in the completion's length, no string raises, and nothing is evaluated. What is refused, and why, is kept as a
corpus in `tests/test_verify.py`.
"""

import unicodedata

from engines.answer import MAX_CHARS, Answer

OPEN, CLOSE, BOX = "<answer>", "</answer>", "\\boxed"


def extract(text: str) -> str | None:
    r"""Give what stands in the only box of the only answer block, or `None` if the completion is not of that form.

    The block must be the end of the completion (spaces and line ends may follow), the box must fill the block, its
    braces must balance, and `\boxed` must occur nowhere else. Of 1 to 256 characters, without control characters.
    """
    if text.count(OPEN) != 1 or text.count(CLOSE) != 1 or text.count(BOX) != 1:
        return None
    start, end = text.index(OPEN) + len(OPEN), text.index(CLOSE)
    if start > end or text[end + len(CLOSE) :].strip(" \r\n"):
        return None
    body = text[start:end].strip(" \r\n")
    if not body.startswith(BOX + "{") or len(body) > MAX_CHARS + len(BOX) + 2:
        return None
    content = _boxed(body[len(BOX) :])
    if content is None or not content.strip():
        return None
    return None if any(unicodedata.category(char) in ("Cc", "Cf") for char in content) else content


def is_well_formed(text: str) -> bool:
    """Say whether a completion has the required form, whatever it answers."""
    return extract(text) is not None


def verify(text: str, answer: Answer) -> bool:
    """Say whether a completion has the required form and its boxed content is the answer."""
    content = extract(text)
    return content is not None and answer.accepts(content)


def _boxed(braced: str) -> str | None:
    """The inside of `{…}` if the brace that opens it is closed by the last character."""
    depth, is_escaped = 0, False
    for place, char in enumerate(braced):
        if is_escaped or char == "\\":
            is_escaped = not is_escaped
            continue
        depth += (char == "{") - (char == "}")
        if depth == 0:
            return braced[1:-1] if place == len(braced) - 1 else None
    return None
