r"""Which option of a multiple-choice question a text chooses. One module for all benchmarks; linear time.

`exact` is for a text that should be the letter and nothing else. `pick` reads free text: what is marked as the answer
goes before phrases, phrases before loose letters, letters before the options' texts, later before earlier; where two
options stand with equal right it finds none. `token_rule`, `leading`, `mmmu_rule` are other systems' rules.
"""

import re
from collections.abc import Sequence

from perc_jax.benchmarks import numbers, reading

MAX_TEXT_CHARS = 512  # of a text whose edit distance is taken
MAX_OPTION_CHARS = 256
_EXACT = re.compile(r"[\s(\[{*]*([A-Z])[\s)\]}.:*]*")
_HEAD = re.compile(r"\s*(?:\(([A-Z])\)|\*\*\(?([A-Z])\)?\*\*|([A-Z])(?:[.):,]|\s*\n|\s*$))")
_AFTER_PHRASE = re.compile(
    r"[\s\"'“*:$]{0,4}(?:(?:the\s|an\s|a\s)?(?:option|choice|answer|letter)\s)?[\s\"'“*:$]{0,4}"
    r"(?:\\(?:text|mathrm|boxed)\{)?[(\[]?([A-Z])"
    r"(?:[)\]}]|[.:,*\"'”$]|\s*$|\s(?=[-–(:]|[A-Z]|because|since|as\b|\d)|(?=[^\x00-\x7f]))"
)
_NAMED = re.compile(
    r"\b(?:option|choice|answer)\s{0,2}\(?([A-Z])\)?(?![\w']|\s(?:or|and)\s\(?(?-i:[A-Z])\b)", re.IGNORECASE
)
_ROUND = re.compile(r"\(([A-Z])\)")
_ROUND_ANY = re.compile(r"\(([A-Za-z])\)")
_LOOSE = re.compile(r"(?<![\w'’\\(])([A-Z])(?:\)|\.(?!\w)|:)(?!\w)")
_WORD = re.compile(r"(?<![\w'’])([A-Z])(?![\w'’])")
_TOKEN_MARKS = str.maketrans(dict.fromkeys(".()[],:;!*#{}", " "))
_REFUSALS = ("Sorry, I can't help with images of people yet.", "I can't process this file.")
_REFUSALS += ("I'm sorry, but without the image provided", "Cannot determine the answer")


def exact(text: str, letters: str) -> str | None:
    """Read a text that is one letter, perhaps in brackets or with a full stop."""
    found = _EXACT.fullmatch(text)
    return found[1] if found and found[1] in letters else None


def lettered(text: str) -> list[str]:
    """List the single letters in round brackets, of either case."""
    return _ROUND_ANY.findall(text)


def same(text: str) -> str:
    """Give an option's text without what does not count: case, spaces, dollar signs, a final full stop."""
    return " ".join(text.replace("$", "").lower().split()).removesuffix(".").strip(" \"'“”")


def pick(text: str, letters: str, options: Sequence[str]) -> str | None:
    """Read the option that free text chooses, or None.

    Args:
        text: the response.
        letters: the letters of the options.
        options: their texts, empty strings where there are none.
    """
    text = reading.after_thought(text).strip()
    marked = reading.marked(text)
    if marked is not None:
        found = exact(marked, letters) or _head(marked, letters) or _by_text(marked, letters, options)
        if found:
            return found
    whole = exact(text, letters) or _equal(text, letters, options)
    if whole:
        return whole
    for phrase in reversed(reading.phrases(text)):
        found = _after_phrase(phrase, letters, options)
        if found:
            return found
    return _last_line(text, letters, options) or _loose(text, letters, options)


def _last_line(text: str, letters: str, options: Sequence[str]) -> str | None:
    """The option that stands alone in the last line, or in the last bold words."""
    bold = reading.bold(text)
    for part in (text.rpartition("\n")[2], *bold[-1:]):
        found = exact(part, letters) or _equal(part, letters, options)
        if found:
            return found
    return None


def _head(text: str, letters: str) -> str | None:
    """The letter at the head of a text: `B. red`, `(B) red`, `**B**`."""
    found = _HEAD.match(text)
    letter = found and (found[1] or found[2] or found[3])
    return letter if letter and letter in letters else None


def _equal(text: str, letters: str, options: Sequence[str]) -> str | None:
    """The only option whose text, or else whose number, this is."""
    wanted = same(text)
    found = [letter for letter, option in zip(letters, options, strict=False) if wanted and same(option) == wanted]
    if found:
        return found[0]  # options that read the same are the same answer
    number = numbers.value(text)
    if number is None:
        return None
    found = [letter for letter, option in zip(letters, options, strict=False) if numbers.value(option) == number]
    return found[0] if len(found) == 1 else None


def _by_text(text: str, letters: str, options: Sequence[str]) -> str | None:
    """The option whose text this is, or the only one whose text occurs in it."""
    return _equal(text, letters, options) or _mentioned(text, letters, options)


def _after_phrase(phrase: str, letters: str, options: Sequence[str]) -> str | None:
    """What a text that begins after "the answer is" chooses."""
    found = _AFTER_PHRASE.match(phrase)
    if found and found[1] in letters:
        return found[1]
    sentence = re.split(r"[.!?](?=\s|$)", phrase, maxsplit=1)[0]
    for pattern in (_NAMED, _ROUND):
        named = [letter.upper() for letter in pattern.findall(sentence) if letter.upper() in letters]
        if len(set(named)) == 1:
            return named[0]
    return _by_text(sentence, letters, options)


def _loose(text: str, letters: str, options: Sequence[str]) -> str | None:
    """What a text without a phrase chooses: a letter at its head, a named option, a text that is the only one."""
    found = _head(text, letters)
    if found:
        return found
    for pattern in (_NAMED, _ROUND, _LOOSE):
        named = [letter.upper() for letter in pattern.findall(text) if letter.upper() in letters]
        if named and len(set(named)) == 1:
            return named[0]
    last = text.splitlines()[-1] if text else ""
    words = {letter for letter in _WORD.findall(last) if letter in letters} - {"A", "I"}
    if len(words) == 1 and not any(options):
        return words.pop()
    return _mentioned(text, letters, options) or _mentioned(last, letters, options)


def _mentioned(text: str, letters: str, options: Sequence[str]) -> str | None:
    """The only option whose text occurs as words; an option that is a part of another that occurs does not count."""
    text = same(text)
    found: dict[str, str] = {}
    for letter, option in zip(letters, options, strict=False):
        wanted = same(option)
        if wanted and len(wanted) <= MAX_OPTION_CHARS and _occurs(wanted, text):
            found[letter] = wanted
    longest = {
        letter: wanted
        for letter, wanted in found.items()
        if not any(wanted != other and wanted in other for other in found.values())
    }
    return next(iter(longest)) if len(longest) == 1 else None


def _occurs(wanted: str, text: str) -> bool:
    """Whether a text occurs in another with no letter, digit or decimal point grown on either side."""
    place = text.find(wanted)
    while place >= 0:
        before, after = text[max(0, place - 2) : place], text[place + len(wanted) : place + len(wanted) + 2]
        grown = after[:1].isalnum() or (after[:1] in (".", ",", "/") and after[1:2].isdigit())
        grown = grown or (before[-1:] == "," and before[:1].isdigit() and wanted[:1].isdigit())
        if not before[-1:].isalnum() and before[-1:] not in (".", "/", "-", "−") and not grown:
            return True
        place = text.find(wanted, place + 1)
    return False


def leading(text: str, letters: str) -> str | None:
    """Read the letter at the beginning, in any case, whatever follows: lmms-eval's rule for BLINK and CV-Bench.

    Quirk that is copied: "A cat" and "Both" choose A and B.
    """
    found = re.match(r"[(\s]*([A-Za-z])", text)
    return found[1].upper() if found and found[1].upper() in letters else None


def token_rule(text: str, letters: str, options: Sequence[str]) -> str | None:
    """Read the option by VLMEvalKit's rule, before it would ask a model; `Z` is a refusal.

    A letter counts as a word of its own if it is the only letter that occurs and among the last five words; else the
    only option whose text occurs, in a text that is not long against the options.
    """
    if any(refusal in text for refusal in _REFUSALS):
        return "Z"
    words = text.translate(_TOKEN_MARKS).split()
    found = [letter for letter in letters if letter in words]
    if len(found) == 1 and words.index(found[0]) > len(words) - 5:
        return found[0]
    if not found and "Z" in words:
        return "Z"
    lowered = text.lower()
    if len(lowered) > 2 * sum(len(option) for option in options):
        return None
    named = [letter for letter, option in zip(letters, options, strict=False) if option.lower() in lowered]
    return named[0] if len(named) == 1 else None


def mmmu_rule(text: str, letters: str, options: Sequence[str]) -> str | None:
    """Read the option by MMMU's rule, None where that rule would choose one at random.

    `(B)` anywhere, else a `B` before a space, else a `B.`; else, in more than five words, an option's text; the last of
    several. Quirk that is copied: a word that ends in a capital letter ("vitamin A ") counts as that letter.
    """
    for mark in ",.!?;:'":
        text = text.strip(mark)
    text = f" {text} "
    for form, place in (("({})", "({})"), ("{} ", " {} "), ("{}.", " {} ")):
        found = [letter for letter in letters if form.format(letter) in text]
        if found:
            return max(found, key=lambda letter: text.rfind(place.format(letter))) if len(found) > 1 else found[0]
    if len(text.split()) <= 5:
        return None
    lowered = text.lower()
    named = [letter for letter, option in zip(letters, options, strict=False) if option.lower() in lowered]
    positions = {letter: lowered.rfind(options[letters.index(letter)].lower()) for letter in named}
    return max(named, key=lambda letter: positions[letter]) if named else None


def nearest(text: str, options: Sequence[str]) -> int:
    """Give the index of the option at the smallest edit distance, the first of several.

    Deviation: of texts longer than `MAX_TEXT_CHARS` only the head is compared, to bound the work.
    """
    distances = [edit_distance(text[:MAX_TEXT_CHARS], option[:MAX_OPTION_CHARS]) for option in options]
    return distances.index(min(distances))


def edit_distance(first: str, second: str) -> int:
    """Give Levenshtein's distance: the fewest insertions, deletions and substitutions (dynamic programme by rows)."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        above = row
        row = [i]
        for j, b in enumerate(second, 1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a != b)))
    return row[-1]
