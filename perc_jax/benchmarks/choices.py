r"""Which option of a multiple-choice question a text chooses. One module for all benchmarks; linear time.

`exact` is for a text that should be the letter and nothing else. `pick` reads free text: what is marked as the answer
goes before phrases, phrases before loose letters, letters before the options' texts, later before earlier; where a
letter stands before the text of another option the text counts; where several are named with equal right, or one is
ruled out, it finds none. `token_rule`, `leading`, `mmmu_rule` and `mmmu_pro_rule` are other systems' rules.
"""

import re
from collections.abc import Sequence

from engines.answer import unwrap
from perc_jax.benchmarks import hedges, numbers, reading

MAX_TEXT_CHARS = 512  # of a text whose edit distance is taken
MAX_OPTION_CHARS = 256
MAX_CLAUSE_CHARS = 120  # behind a letter, where an option's text may be written out
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
_CLAUSE_END = re.compile(r"\n|[.!?;](?=\s|$)|,\s|\b(?:because|since|as|so|not|if|would)\b", re.IGNORECASE)
_DENIED = re.compile(r"(?:\bnot|n['’]t)\s(?:(?:be|the|an|a)\s){0,2}$")
_ROUND_ANY = re.compile(r"\(([A-Za-z])\)")
_LOOSE = re.compile(r"(?<![\w'’\\(])([A-Z])(?:\)|\.(?!\w)|:)(?!\w)")
_WORD = re.compile(r"(?<![\w'’])([A-Z])(?![\w'’])")
_TOKEN_MARKS = str.maketrans(dict.fromkeys(".()[],:;!*#{}", " "))
_VERBOSE = re.compile(r"answer\s+is\s+\**([ABCD])", re.IGNORECASE)
_FAILED = "Failed to obtain answer via API"
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


def alone(text: str, letters: str) -> str | None:
    """Read a text that is one letter, of either case, perhaps in brackets or in LaTeX's text."""
    return exact(unwrap(text).upper(), letters)


def pick(text: str, letters: str, options: Sequence[str]) -> str | None:
    """Read the option that free text chooses, or None.

    Args:
        text: the response.
        letters: the letters of the options.
        options: their texts, empty strings where there are none.
    """
    text = reading.reply(text)
    marked = reading.marked(text)
    if marked is not None:
        if hedges.is_open(marked, letters) or not hedges.without_negated(marked).strip(" .$"):
            return None
        found = exact(marked, letters) or _head(marked, letters, options) or _by_text(marked, letters, options)
        found = found or alone(marked, letters)
        if found:
            return found
    whole = exact(text, letters) or _equal(text, letters, options)
    if whole:
        return whole
    for phrase in reversed(reading.phrases(text)):
        if hedges.is_open(phrase, letters):
            return None
        found = _after_phrase(phrase, letters, options)
        if found:
            return found
    if hedges.says_none(text) or hedges.is_listing(text, letters, len(letters) if any(options) else 0):
        return None
    left = hedges.settled(text, letters)
    found = _last_line(left, letters, options) or _loose(left, letters, options)
    return found or _mentioned(text, letters, options) or _mentioned(text.rpartition("\n")[2], letters, options)


def _last_line(text: str, letters: str, options: Sequence[str]) -> str | None:
    """The option that stands alone in the last line, or in the last bold words."""
    bold = reading.bold(text)
    for part in (text.rpartition("\n")[2], *bold[-1:]):
        found = exact(part, letters) or _equal(part, letters, options)
        if found:
            return found
    return None


def _head(text: str, letters: str, options: Sequence[str]) -> str | None:
    """The letter at the head of a text, `B. red`, `(B) red`, `**B**`, or the option written out behind it."""
    found = _HEAD.match(text)
    letter = found and (found[1] or found[2] or found[3])
    return _written_out(letter, text[found.end() :], letters, options) if letter and letter in letters else None


def _written_out(letter: str, rest: str, letters: str, options: Sequence[str]) -> str:
    """The option whose text follows a letter in the same clause, where that is not the letter's own."""
    clause = _CLAUSE_END.split(rest[:MAX_CLAUSE_CHARS].lstrip(" ).:-–*]}\"'"), maxsplit=1)[0]
    own = options[letters.index(letter)] if any(options) else ""
    if not own or not clause.strip() or _occurs(same(own), same(clause)):
        return letter
    found = _by_text(clause, letters, options)
    long = found and (len(same(options[letters.index(found)])) > 1 or _equal(clause, letters, options))
    return found if long else letter  # "a" in a clause is rather an article than an option


def _equal(text: str, letters: str, options: Sequence[str]) -> str | None:
    """The only option whose text, or else whose number, this is."""
    wanted = same(text)
    found = [letter for letter, option in zip(letters, options, strict=False) if wanted and same(option) == wanted]
    if found:
        return found[0]  # options that read the same are the same answer
    number = numbers.read(text)
    if number is None:
        return None
    found = [
        letter
        for letter, option in zip(letters, options, strict=False)
        if (read := numbers.read(option)) and read.value == number.value and read.is_of(number)
    ]
    return found[0] if len(found) == 1 else None


def _by_text(text: str, letters: str, options: Sequence[str]) -> str | None:
    """The option whose text this is, or the only one whose text occurs in it."""
    return _equal(text, letters, options) or _mentioned(text, letters, options)


def _after_phrase(phrase: str, letters: str, options: Sequence[str]) -> str | None:
    """What a text that begins after "the answer is" chooses."""
    found = _AFTER_PHRASE.match(phrase)
    if found and found[1] in letters:
        return _written_out(found[1], phrase[found.end() :], letters, options)
    sentence = re.split(r"[.!?](?=\s|$)", phrase, maxsplit=1)[0]
    left = hedges.settled(sentence, letters)
    return _only(left, (_NAMED, _ROUND), letters, options) or (
        _rest_of(left, letters) if left != sentence else _by_text(sentence, letters, options)
    )


def _rest_of(text: str, letters: str) -> str | None:
    """The only letter that is left of a text without those that it rules out."""
    found = hedges.named(text, letters)
    return found[0] if len(found) == 1 else None


def _only(text: str, patterns: Sequence[re.Pattern], letters: str, options: Sequence[str]) -> str | None:
    """The only letter that the first of several patterns with just one finds, or the option written out behind it."""
    for pattern in patterns:
        named = [found for found in pattern.finditer(text) if found[1].upper() in letters]
        if len({found[1].upper() for found in named}) == 1:
            return _written_out(named[-1][1].upper(), text[named[-1].end() :], letters, options)
    return None


def _loose(text: str, letters: str, options: Sequence[str]) -> str | None:
    """What a text without a phrase chooses: a letter at its head, a named option, the only one in the last line."""
    found = _head(text, letters, options) or _only(text, (_NAMED, _ROUND, _LOOSE), letters, options)
    if found:
        return found
    last = text.splitlines()[-1] if text else ""
    words = {letter for letter in _WORD.findall(last) if letter in letters} - {"A", "I"}
    return words.pop() if len(words) == 1 and not any(options) else None


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
        grown = grown or before[-1:].isalnum() or before[-1:] in (".", "/", "-", "−")
        if not grown and not _DENIED.search(text[max(0, place - 16) : place]):
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
    """Read the option by VLMEvalKit's rule (`can_infer`, since a67ace50), before it asks a model; `Z` is a refusal.

    A letter counts as a word of its own if it is the only letter that occurs and among the last five words; else the
    letter A to D after the first "answer is"; else the only option whose text occurs, in a text that is not long
    against the options. Quirk that is copied: "the answer is a cat" chooses A, "the answer is Below" B.
    """
    if _FAILED not in text:
        if any(refusal in text for refusal in _REFUSALS):
            return "Z"
        words = text.translate(_TOKEN_MARKS).split()
        found = [letter for letter in letters if letter in words]
        if len(found) == 1 and words.index(found[0]) > len(words) - 5:
            return found[0]
        if not found and "Z" in words:
            return "Z"
        verbose = _VERBOSE.search(text)
        if verbose and verbose[1].upper() in letters:
            return verbose[1].upper()
    lowered = text.lower()
    if len(lowered) > 2 * sum(len(option) for option in options):
        return None
    named = [letter for letter, option in zip(letters, options, strict=False) if option.lower() in lowered]
    return named[0] if len(named) == 1 else None


def mmmu_rule(text: str, letters: str, options: Sequence[str]) -> str | None:
    """Read the option by MMMU's own rule, None where that rule would choose one at random.

    `(B)` anywhere, else `B` between spaces; else, in more than five words, an option's text; the last of several.
    """
    return _last_form(text, letters, options, (("({})", "({})"), (" {} ", " {} ")))


def mmmu_pro_rule(text: str, letters: str, options: Sequence[str]) -> str | None:
    """Read the option by MMMU-Pro's rule, None where that rule would choose one at random.

    The only letter that occurs behind the last "Answer:", else `(B)` anywhere, else `B` before a space, else `B.`;
    else as `mmmu_rule`. Quirk that is copied: a word that ends in a capital letter ("DNA ") counts as that letter.
    """
    _, mark, tail = text.rpartition("Answer:")
    found = [letter for letter in letters if mark and letter in tail]
    if len(found) == 1:
        return found[0]
    return _last_form(text, letters, options, (("({})", "({})"), ("{} ", " {} "), ("{}.", " {} ")))


def _last_form(text: str, letters: str, options: Sequence[str], forms: Sequence[tuple[str, str]]) -> str | None:
    """The letter in the first form that occurs, the last by place of several; else the last text of an option."""
    for mark in ",.!?;:'":
        text = text.strip(mark)
    text = f" {text} "
    for form, place in forms:
        found = [letter for letter in letters if form.format(letter) in text]
        if found:
            return max(found, key=lambda letter: text.rfind(place.format(letter)))
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
