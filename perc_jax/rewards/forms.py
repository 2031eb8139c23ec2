r"""Where a completion has its answer: one of seven forms, by config, read strictly and in linear time.

`read` gives the answer's text, or None for a completion that does not have the form: then it earns neither accuracy nor
format. Accuracy and format go by the same reading, so a text cannot be right in one form and formed in another.

| form | looks like |
|---|---|
| `strict` | anything, then `<answer>\boxed{…}</answer>` (`engines.verify`) |
| `answer` | `<answer>…</answer>` and nothing else |
| `think_answer` | `<think>…</think><answer>…</answer>` |
| `answer_think` | `<answer>…</answer><think>…</think>` |
| `boxed` | the last `\boxed{…}`, whatever stands around it |
| `sections` | headings, each at the beginning of a line, with text below each; what follows the last one |
| `plain` | the whole text |

Every mark occurs once, nothing stands between or around the blocks but spaces and line ends, and no part is empty: a
second answer, one inside another, or one in the thoughts is not read.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from engines.verify import BOX, MAX_COMPLETION_CHARS, extract
from perc_jax.config import DataConfig

MAX_ANSWER_CHARS = 2**14  # of an answer's text: 120 boxes with points, as JSON, are 10,000
BLANKS = " \t\r\n"
ANSWER, THINK = ("<answer>", "</answer>"), ("<think>", "</think>")
_BLOCKS = {"answer": (ANSWER,), "think_answer": (THINK, ANSWER), "answer_think": (ANSWER, THINK)}
_MARKED = _BLOCKS | {"strict": (ANSWER,)}  # forms with tags to show
_BRACES = re.compile(r"\\boxed\s*\{|\\.|[{}]", re.DOTALL)


class Form(NamedTuple):
    """An answer form with its headings."""

    kind: str = "strict"
    sections: tuple[str, ...] = ()  # of kind sections

    @classmethod
    def of(cls, data: DataConfig) -> "Form":
        """The form that a config asks for."""
        return cls(data.answer_form, data.answer_sections)

    @property
    def looks(self) -> str:
        """The form in a few words, for messages."""
        return _LOOKS.get(self.kind) or f"text below {', '.join(self.sections)}"


STRICT = Form()
_LOOKS = {
    "strict": r"<answer>\boxed{…}</answer>",
    "answer": "<answer>…</answer>",
    "think_answer": "<think>…</think><answer>…</answer>",
    "answer_think": "<answer>…</answer><think>…</think>",
    "boxed": r"\boxed{…}",
    "plain": "any text",
}


def read(text: str, form: Form = STRICT) -> str | None:
    """Give the text of a completion's answer, or None if the completion does not have the form."""
    if form.kind == "strict":
        return extract(text)
    if len(text) > MAX_COMPLETION_CHARS:
        return None
    if form.kind in _BLOCKS:
        found = _blocks(text, _BLOCKS[form.kind])
    elif form.kind == "boxed":
        found = _last_box(text)
    elif form.kind == "sections":
        found = below_last(text, form.sections)
    else:
        found = text
    found = found and found.strip(BLANKS)
    return found if found and len(found) <= MAX_ANSWER_CHARS else None


def shortest(answer: str, form: Form = STRICT) -> str:
    """Write the shortest completion of a form with an answer; three dots stand for what would be reasoned."""
    if form.kind in _BLOCKS:
        bodies = {ANSWER: answer, THINK: "..."}
        return "".join(f"{marks[0]}{bodies[marks]}{marks[1]}" for marks in _BLOCKS[form.kind])
    if form.kind == "sections":
        *before, last = form.sections
        return "".join(f"{heading}\n...\n" for heading in before) + f"{last}\n{answer}"
    boxed = f"{BOX}{{{answer}}}"
    return {"strict": f"{ANSWER[0]}{boxed}{ANSWER[1]}", "boxed": boxed, "plain": answer}[form.kind]


class Part(NamedTuple):
    """A piece of a completion, to be shown: what opens it, what is in it, what closes it."""

    number: int  # of its mark in the form, from 1; 0 for what stands in no part
    mark: str
    text: str
    end: str = ""  # the closing tag; empty where there is none


def parts(text: str, form: Form = STRICT) -> list[Part]:
    """Divide a completion by its form's headings or tags; mark, text and end of all parts make up the whole text.

    Made for people who look at completions, so it takes those that do not have the form: a mark counts where it is the
    first behind the one before it, a heading at the beginning of a line; marks that are not there are passed over, and
    others are text. An empty text has no parts.
    """
    pairs = [(heading, "") for heading in form.sections] or _MARKED.get(form.kind, ())
    marks, begin = [], 0
    for number, (opening, closing) in enumerate(pairs, 1):
        place = _at_line(text, opening, begin) if not closing else text.find(opening, begin)
        if place < 0:
            continue
        begin = place + len(opening)
        marks.append((place, number, opening))
        place = text.find(closing, begin) if closing else -1
        if place >= 0:
            begin = place + len(closing)
            marks.append((place, 0, closing))
    ends = [place for place, _, _ in marks] + [len(text)]
    found = [Part(0, "", text[: ends[0]])]
    for (place, number, mark), end in zip(marks, ends[1:], strict=True):
        rest = text[place + len(mark) : end]
        if number:
            found.append(Part(number, mark, rest))
        else:
            found[-1] = found[-1]._replace(end=mark)
            found.append(Part(0, "", rest))
    return [part for part in found if part.mark or part.text]


def _at_line(text: str, heading: str, begin: int) -> int:
    """Where a heading first stands at the beginning of a line, from `begin` on; -1 if nowhere."""
    place = text.find(heading, begin)
    while place > 0 and text[place - 1] != "\n":
        place = text.find(heading, place + 1)
    return place


def _blocks(text: str, blocks: tuple[tuple[str, str], ...]) -> str | None:
    """What stands in the answer's block of a text that is these blocks, one after the other, and nothing else."""
    if any(text.count(mark) != (pair in blocks) for pair in (ANSWER, THINK) for mark in pair):
        return None
    bodies, rest = {}, text.strip(BLANKS)
    for opening, closing in blocks:
        if not rest.startswith(opening):
            return None
        body, found, rest = rest.removeprefix(opening).partition(closing)
        if not found or not body.strip(BLANKS):
            return None
        bodies[opening], rest = body, rest.lstrip(BLANKS)
    return None if rest else bodies[ANSWER[0]]


def _last_box(text: str) -> str | None:
    """What stands in the last box; None where that one does not end, or boxes stand in boxes."""
    begin, depth, found = -1, 0, None  # where the content of an open box begins; braces that are open in it
    for mark in _BRACES.finditer(text):
        token = mark[0]
        if token.startswith(BOX):
            if begin >= 0:
                return None
            begin, depth, found = mark.end(), 0, None
        elif begin < 0:
            continue  # braces around boxes are prose
        elif token == "{":
            depth += 1
        elif token == "}" and depth:
            depth -= 1
        elif token == "}":
            begin, found = -1, text[begin : mark.start()]
    return found


def standing(text: str, headings: Sequence[str]) -> list[re.Match[str]]:
    """Where headings stand in a text, anywhere in a line, in order. Where one contains another, the longer one that
    stands there is not the shorter one too."""
    longest_first = sorted(headings, key=len, reverse=True)
    return list(re.finditer("|".join(map(re.escape, longest_first)), text)) if headings else []


def below_last(text: str, headings: Sequence[str]) -> str | None:
    """What follows the last heading, if all stand there in order, each once, each with a text below it.

    See `standing` for headings of which one contains another.
    """
    found = standing(text, headings)
    if [one[0] for one in found] != list(headings):
        return None
    ends = [*(one.start() for one in found[1:]), len(text)]
    for one, end in zip(found, ends, strict=True):
        at_line = not one.start() or text[one.start() - 1] == "\n"
        if not at_line or not text[one.end() : end].strip(BLANKS):
            return None
    return text[found[-1].end() :]
