r"""MATH-Vision (Wang et al. 2024, arXiv 2402.14804): 3,040 questions of the test split, choices and free answers.

The official protocol is a pure rule, so `official` is that rule in own words: the text after "the answer is", else the
last box, cleaned of units and LaTeX's decoration; right if it equals the gold letter, or the option's text, as text, as
a tuple rounded to two decimals, or as a number rounded to two decimals. Copied quirks: everything is lower case, so the
box is found as `oxed{`; only the first `}` without `{` before it ends it; 0.5 becomes a fraction; an option counts also
by its value; what has a unit or a word in it has no value, so that the option `36°` is not 36. Deviation: numbers are
computed by math-verify's grammar in place of latex2sympy and Python's `eval`. Agreement with the authors' own labels of
four systems, on the half of the ids that was held out: 5,900 of 5,900 extractions, 5,899 of 5,900 labels.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from perc_jax.benchmarks import base, choices, files, free, numbers, reading
from perc_jax.benchmarks.base import Benchmark, Compare, Item, Problem, Scored, no_symbols, verdict

_PHRASES = ("the final answer is", "the answer is", "the correct answer is", "the answer should be")
_BOX = "oxed{"
_DROPPED = ("\\text", "\\mbox", "\\left", "\\right", "^{\\circ}", "^\\circ", "{m}^3", "m^3", "{units}")
_DROPPED += ("units", "{km}", "km", "\n", "\\!", "\\$", "$", "\\%")
_ROUND, _CURLY = re.compile(r"\(([a-e])\)"), re.compile(r"\{([a-e])\}")
_HAS_VALUE = re.compile(r"(?:\\(?:d?frac|sqrt|pi|cdot|times|displaystyle)|[\d.,:+*/^(){}\s$-])+")
_SLASH = re.compile(r"(-?\d+)/(-?\d+)")
_ROOT = re.compile(r"\\sqrt([^{])")


class MathVision(Benchmark):
    """See the module."""

    name = "mathvision"
    hub = "MathLLMs/MathVision"
    symbolic = True
    modes: ClassVar[Mapping[str, str]] = {
        "official": "the official rule; numbers by math-verify in place of eval (99.98 % of 5,900 held-out labels)",
        "vlmevalkit": "VLMEvalKit's rules without its judge: first box or option words; numbers within 1e-6",
        "strict": base.STRICT,
    }

    def problems(self, folder: Path) -> list[Problem]:
        """`test.jsonl` or `testmini.jsonl` of the repository, or the hub's Parquet."""
        found = []
        for row in files.rows(folder, "test.jsonl", "test-*.parquet", "testmini.jsonl", "testmini-*.parquet"):
            options = row.texts("options")
            found.append(
                Problem(
                    id=row.filled("id"),
                    question=row.text("question"),
                    images=row.images("decoded_image", folder=folder, path=row.text("image")),
                    gold=row.one_of("answer", base.letter_names(len(options)), "letters of options")
                    if options
                    else row.filled("answer"),
                    kind="choice" if options else "free",
                    options=options,
                    meta={"level": row.text("level"), "subject": row.text("subject")},
                )
            )
        return found

    def ask(self, problem: Problem) -> str:
        """Ask for a box, with the options below the question, as the authors' prompt does."""
        options = ""
        if problem.options and any(text != letter for text, letter in zip(problem.options, "ABCDE", strict=False)):
            options = "".join(
                f"\n({letter}) {text}" for letter, text in zip(problem.letters, problem.options, strict=True)
            )
        task = "Please solve the problem and put your answer in one \\boxed{}."
        if problem.options:
            task += " If it is a multiple choice question, only one letter is allowed in the \\boxed{}."
        return f"{task}\n{problem.question}{options}"

    def judge(self, problem: Problem, response: str, mode: str, compare: Compare) -> Scored:
        """See `modes`."""
        if mode == "vlmevalkit":
            return _vlmevalkit(problem, response, compare)
        answer = extract(response)
        return _against(problem, answer, compare)

    def accept(self, problem: Problem, content: str, compare: Compare) -> Scored:
        """A letter; a free answer of the gold answer's type, numbers and formulas by the official comparison."""
        if problem.kind == "choice":
            letter = choices.exact(content, problem.letters)
            return verdict(letter == problem.gold, letter, "strict")
        gold, answer = free.read(problem.gold), free.read(content)
        if gold.kind == answer.kind == "number":
            right = gold.is_of(answer) and round(gold.value, 2) == round(answer.value, 2)
            return verdict(right, content, "strict, two decimals")
        kinds = {gold.kind, answer.kind}
        has_value = kinds <= {"number", "formula"} and gold.is_of(answer)
        same = free.same(problem.gold, content, no_symbols) is True
        if same or not has_value or ("=" in numbers.unnamed(content) and "=" not in problem.gold):
            return verdict(same, content, "strict")
        return _against(problem, find_answer(content), compare)

    def summary(self, items: Sequence[Item], mode: str = "official") -> dict[str, Any]:
        """Accuracy by subject, by level, by both, and of choices and free answers."""
        return {
            "subject": self.by(items, lambda problem: problem.meta["subject"]),
            "level": self.by(items, lambda problem: problem.meta["level"]),
            "level_subject": self.by(items, lambda problem: f"{problem.meta['level']}_{problem.meta['subject']}"),
            "kind": self.by(items, lambda problem: problem.kind),
        }


def extract(response: str) -> str:
    """Read the answer from a response by the official rule; it may be empty, it may be the whole response."""
    text = response.strip()
    for letter in "ABCDE":
        ends = text.endswith((f" {letter}.", f" ({letter})."))
        if ends or text.startswith((f"{letter}\n", f"({letter})\n", f"({letter}) {letter}\n")):
            text = letter
    tail = text.rsplit("is ", 1)[-1].rstrip(".")
    if _is_float(tail):
        text = tail
    if _BOX not in text:
        for phrase in _PHRASES:
            for written in (phrase, phrase.replace("the", "The")):
                found = written in text
                text = text.rsplit(written, 1)[-1].strip()
                if found:
                    text = text.split("\n", 1)[0].split(". ", 1)[0]
    elif text.count(_BOX) > 1:
        text = "\\boxed{" + text.rsplit(_BOX, 1)[-1]
    cleaned = _CURLY.sub(r"\1", _ROUND.sub(r"\1", find_answer(text)))
    return cleaned.rstrip(".").lstrip(":").strip()


def find_answer(text: str) -> str:
    """Take the content of the box, if there is one, and clean it, by the official rule."""
    text = text.lower().replace("{}", "")
    start, end = text.find(_BOX), text.rfind("}")
    answer = text[start + len(_BOX) : end] if 0 <= start < end else text
    closing, opening = answer.find("}"), answer.find("{")
    if closing >= 0 and (opening < 0 or closing < opening):
        answer = answer[:closing]
    answer = answer.rsplit("=", 1)[-1].rsplit("\\approx", 1)[-1].replace(" ", "").replace("\\,", "")
    answer = answer.replace("∞", "\\infty").replace("+\\infty", "\\infty").replace("bmatrix", "pmatrix")
    answer = answer.replace("\\\\", "\\")
    for part in _DROPPED:
        answer = answer.replace(part, "")
    return _plain(answer.replace("\\\\", "\\"))


def _plain(text: str) -> str:
    """Write fractions and roots in one form."""
    text = text.replace("tfrac", "frac").replace("dfrac", "frac").replace("{.", "{0.")
    if text.startswith("."):
        text = "0" + text
    text = _ROOT.sub(r"\\sqrt{\1}", text)
    if text == "0.5":
        return "\\frac{1}{2}"
    return _SLASH.sub(r"\\frac{\1}{\2}", text) if _SLASH.fullmatch(text) else text


def _is_float(text: str) -> bool:
    """Whether Python reads a text as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _against(problem: Problem, answer: str, compare: Compare) -> Scored:
    """Compare an extracted answer with the gold letter or answer, then with the gold option's text."""
    if not answer:
        return verdict(False, None, "official rule")
    golds = [problem.gold]
    if problem.kind == "choice":
        golds.append(problem.options[problem.letters.index(problem.gold)])
    outcomes = [equal(gold, answer, compare) for gold in golds]
    if True not in outcomes and None in outcomes:
        return Scored(False, answer, "comparison ran past its deadline")
    return verdict(True in outcomes, answer, "official rule")


def equal(gold: str, answer: str, compare: Compare) -> bool | None:
    """Compare by the official rule: as text, as tuples to two decimals, as numbers to two decimals."""
    gold, answer = gold.lower().strip(), answer.lower().strip()
    if not gold or not answer:
        return False
    if gold == answer:
        return True
    first, second = _items(gold), _items(answer)
    if first is not None and second is not None:
        if len(first) != len(second) or gold[0] != answer[0]:
            return False
        outcomes = [_same(*pair, compare) for pair in zip(first, second, strict=True)]
        return False if False in outcomes else None if None in outcomes else True
    return _same(gold, answer, compare)


def _items(text: str) -> list[str] | None:
    """The items of a tuple or list of at least two."""
    if (text[0], text[-1]) not in (("(", ")"), ("[", "]")):
        return None
    items = text[1:-1].split(",")
    return items if len(items) > 1 else None


def _same(gold: str, answer: str, compare: Compare) -> bool | None:
    """Compare two numbers to two decimals."""
    if gold == answer:
        return True
    gold, answer = gold.replace(":", "/"), _balanced(answer).replace(":", "/")
    if not _HAS_VALUE.fullmatch(gold) or not _HAS_VALUE.fullmatch(answer):
        return False
    first, second = numbers.value(gold), numbers.value(answer)
    if first is not None and second is not None:
        return round(first, 2) == round(second, 2)
    return compare(gold, answer, "two_places")


def _balanced(text: str) -> str:
    """The head of a text up to the first brace that closes what was never opened, as latex2sympy reads it."""
    depth = 0
    for place, char in enumerate(text):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if depth < 0:
            return text[:place]
    return text


def _vlmevalkit(problem: Problem, response: str, compare: Compare) -> Scored:
    """VLMEvalKit's `post_check` on the response itself. Quirk that is copied: a box ends at its first brace."""
    start = response.find("\\boxed{")
    end = response.find("}", start) if start >= 0 else -1
    text = response[start + len("\\boxed{") : end] if end >= 0 else response
    if problem.kind == "choice":
        letter = choices.token_rule(text, problem.letters, problem.options)
        return verdict(letter == problem.gold, letter, "vlmevalkit")
    gold, answer = problem.gold.lower().strip(), text.lower().strip()
    if gold == answer:
        return verdict(True, answer, "vlmevalkit")
    first, second = numbers.value(gold), numbers.result(answer)
    if first is not None and second is not None:
        return verdict(abs(first - second) < 1e-6, answer, "vlmevalkit")
    if len(answer) > 80 and reading.last_box(response) is None:
        return verdict(False, None, "vlmevalkit")  # free text, which its judge would shorten
    outcome = compare(gold, answer, "millionth")
    if outcome is None:
        return Scored(False, answer, "comparison ran past its deadline")
    return verdict(outcome, answer, "vlmevalkit")
