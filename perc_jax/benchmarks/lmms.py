r"""lmms-eval's reasoning score (lmms_eval/tasks/_task_utils/reasoning_utils.py) without its optional judge.

The answer is the first `<answer>…</answer>`, else the last balanced `\boxed{…}`, else the last line's final number.
A gold letter is compared with the letter that a ranking of positions finds; anything else as text, one within the other
if that is at least nine tenths of it, and then as mathematics. Quirks that are copied: an answer that stands before the
first letter wins over one after "the answer is"; without a better sign any capital A to H in the answer counts; text
without `$` is no LaTeX, so that `2\sqrt{3}` is 2 and does not equal `\sqrt{12}` (`plain`).
"""

import re

from perc_jax.benchmarks import reading
from perc_jax.benchmarks.base import Compare, Scored, verdict

LETTERS = "ABCDEFGH"
SHARE = 0.9
_OPEN, _CLOSE = "<answer>", "</answer>"
_FINAL_NUMBER = re.compile(r"\b(\d{1,30}(?:\.\d{1,30})?)\s{0,9}\.?\s{0,9}$")
_SIGNS = ("({})", "{}.", "{}:", "{})", "{} ", "{}-", "{}_", "{}=")  # from the strongest to the weakest
_RANKS = (6, 5, 4, 3, 2, 1, 1, 1)
_PHRASES = ("answer", "the option is", "option is", "correct option is", "the choice is", "choice is")
_PHRASES += ("i choose", "i select", "i pick")
_START, _END, _NUMBERED, _PHRASE, _ANY = 10, 9, 8, 7, 0


def score(gold: str, response: str, compare: Compare) -> Scored:
    """Score a response against a gold letter, text or formula."""
    answer, gold = _plain(_answer(response.strip()).strip()), _plain(gold)
    if not answer:
        return verdict(False, None, "lmms-eval")
    if len(gold) == 1 and gold in LETTERS:
        letter = _letter(answer)
        return verdict(letter == gold, letter, "lmms-eval")
    if _overlap(answer, gold) or _overlap(gold, answer):
        return verdict(True, answer, "lmms-eval")
    outcome = compare(gold, answer, "plain")
    if outcome is None:
        return Scored(False, answer, "comparison ran past its deadline")
    return verdict(outcome, answer, "lmms-eval")


def _plain(text: str) -> str:
    return text.removesuffix(".").strip()


def _overlap(part: str, whole: str) -> bool:
    """Whether a text is most of another."""
    return part in whole and len(part) >= SHARE * len(whole)


def _answer(text: str) -> str:
    start = text.find(_OPEN)
    end = text.find(_CLOSE, start) if start >= 0 else -1
    if end >= 0:
        return text[start + len(_OPEN) : end]
    box = reading.last_box(text)
    if box:
        return box
    for line in reversed(text.split("\n")):
        found = _FINAL_NUMBER.search(line[-200:])
        if found:
            return found[1]
    return ""


def _letter(text: str) -> str | None:
    """The letter of the highest rank, the first of several in the text."""
    text = text.strip().strip(",.!?;:'\"")
    padded = f" {text} "
    found = [
        (rank, -padded.rfind(sign.format(letter)), letter)
        for sign, rank in zip(_SIGNS, _RANKS, strict=True)
        for letter in LETTERS
        if sign.format(letter) in padded
    ]
    lowered = padded.lower()
    for phrase in _PHRASES:
        start = lowered.find(phrase)
        if start >= 0:
            places = ((padded.find(letter, start), letter) for letter in LETTERS)
            found += [(_PHRASE, -place, letter) for place, letter in places if place >= 0]
    found += [(_START, 0, letter) for letter in LETTERS if text.startswith(letter)]
    found += [(_END, 1 - len(padded), letter) for letter in LETTERS if text.endswith(letter)]
    found += [(_NUMBERED, 0, letter) for i, letter in enumerate(LETTERS, 1) if f"{i}. {letter}" in padded]
    found = found or [(_ANY, -padded.rfind(letter), letter) for letter in LETTERS if letter in padded]
    return max(found, key=lambda candidate: candidate[:2])[2] if found else None
