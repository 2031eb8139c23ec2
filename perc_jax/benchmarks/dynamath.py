r"""DynaMath (Zou et al. 2024, arXiv 2411.00836): 501 seed questions in ten variants each; average and worst case.

The worst case is the share of seeds that are answered correctly in all their variants; robustness is worst case over
average. Intervals resample seeds, not variants, which are not independent.

Ids are `<seed>_<variant>`. Floats count within an absolute 1e-3, so a prompt must ask for three decimals: of the 2,960
float answers 507 are wrong when rounded to two. 364 of the 5,010 repeat another of their
seed, 2 with another answer; nobody removes them, nor do we (the average moves by 0.2 points at most).

Quirks that are copied. `official` (evaluation/opensource_json_eval.py): a response that is no JSON is read as its last
line without its last character; `5π` is a number, `π` and `3/4` are not; a text is right if the gold text occurs in it,
with regard to case. `vlmevalkit`: letters A to E only, though six answers are F; a text is right if it occurs in the
gold text, so that the empty text is. `lmms`: see the module of that name; it asks no judge unless told to, nor do we.
Deviation in `vlmevalkit`: where it asks a model to shorten the response, the offline rules of this package do; no
responses with its labels are public, so the agreement is not known.
"""

import json
import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

from perc_jax.benchmarks import base, choices, files, lmms, numbers, reading
from perc_jax.benchmarks.base import Benchmark, Compare, Item, Problem, Scored, verdict
from perc_jax.benchmarks.files import Image

TOLERANCE = 0.001
VARIANTS = 10
LETTERS = "ABCDEF"
KINDS = {"float": "float", "multiple choice": "choice", "text": "text"}
_GUIDE = """
## Answer Instruction Please provide an answer to the question outlined above. Your response should adhere to the \
following JSON format, which includes two keys: 'solution' and 'short answer'. The 'solution' key can contain detailed \
steps needed to solve the question, and the 'short answer' key should provide a concise response. {hint}

Example of expected JSON response format:

"""
_EXAMPLE = {"solution": "[Detailed step-by-step explanation]", "short answer": "[Concise Answer]"}
_HINTS = {
    "choice": "Provide the corresponding choice option in the 'short answer' key, such as 'A', 'B', 'C', or 'D'.",
    "float": "Format the answer as a three-digit floating-point number and provide it in the 'short answer' key.",
    "text": "Float numbers in the answer should be formatted as three-digit floating-point numbers.",
}
_DECIMAL = re.compile(r"[-+]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})")


class DynaMath(Benchmark):
    """See the module."""

    name = "dynamath"
    hub = "DynaMath/DynaMath_Sample"
    symbolic = True
    group = "seed"
    modes: ClassVar[Mapping[str, str]] = {
        "official": "the authors' rule on the JSON key 'short answer', floats within 1e-3",
        "vlmevalkit": "VLMEvalKit's rule; an offline rule in place of its judge (agreement not known)",
        "lmms": "lmms-eval's reasoning score without its optional judge; symbols by math-verify",
        "strict": base.STRICT,
    }

    def problems(self, folder: Path) -> list[Problem]:
        """`trial1.json` … `trial10.json` of the repository, or the hub's `sample_variant<n>` Parquet files.

        A variant whose pictures are not there has problems without images.
        """
        found = []
        root = folder if folder.is_dir() else folder.parent
        for file in _variants(folder):
            variant = int(re.findall(r"\d+", file.stem.partition("-")[0])[-1])
            for row in files.rows(file, file.name):
                kind = KINDS[row.one_of("answer_type", KINDS)]
                seed = row.filled(row.either("key", "id"))
                gold = row.either("answer", "ground_truth")
                if kind == "float":
                    row.finite(gold)
                level = row.text(row.either("level", "knowledge_level"))
                found.append(
                    Problem(
                        id=f"{seed}_{variant}",
                        question=row.text("question"),
                        images=row.images("decoded_image") or _pictures(root, variant, row.text("image")),
                        gold=row.filled(gold),
                        kind=kind,
                        options=("",) * len(LETTERS) if kind == "choice" else (),
                        meta={"seed": seed, "variant": variant, "subject": row.text("subject"), "level": level},
                    )
                )
        return found

    def ask(self, problem: Problem) -> str:
        """The question, then the form of the JSON answer, in the words of the protocol (VLMEvalKit's hint by kind)."""
        guide = _GUIDE.format(hint=_HINTS[problem.kind]) + json.dumps(_EXAMPLE, indent=4)
        return f"## Question\n{problem.question}{guide}"

    def prompt(self, problem: Problem, mode: str = "official") -> str:
        """As `Benchmark.prompt`; in strict mode numbers are asked for with three decimals."""
        hint = " Give numbers with three decimal places." if mode == "strict" and problem.kind != "choice" else ""
        return super().prompt(problem, mode) + hint

    def judge(self, problem: Problem, response: str, mode: str, compare: Compare) -> Scored:
        """See `modes`."""
        if mode == "lmms":
            return lmms.score(problem.gold, response, compare)
        return (_official if mode == "official" else _vlmevalkit)(problem, response)

    def accept(self, problem: Problem, content: str, compare: Compare) -> Scored:
        """A number within exactly 1e-3, one letter, or the text without regard to case and spaces."""
        if problem.kind == "choice":
            letter = choices.exact(content, LETTERS)
            return verdict(letter == problem.gold, letter, "strict")
        if problem.kind == "text":
            same = "".join(content.lower().split()) == "".join(problem.gold.lower().split())
            return verdict(same, content, "strict")
        if _DECIMAL.fullmatch(content):  # exact, so that a tie is right however floats are rounded
            return verdict(abs(Fraction(content) - Fraction(problem.gold)) <= Fraction(1, 1000), content, "within 1e-3")
        value = numbers.value(content)
        near = value is not None and abs(value - float(problem.gold)) <= TOLERANCE
        return verdict(near, None if value is None else str(value), "within 1e-3")

    def unit(self, problem: Problem) -> str:
        """The seed."""
        return problem.id.rpartition("_")[0]

    def total(self, items: Sequence[Item], mode: str = "official") -> dict[str, Any]:
        """The average over concrete questions, with an interval over seeds."""
        return {**cases(items)["average"], "n": len(items)}

    def summary(self, items: Sequence[Item], mode: str = "official") -> dict[str, Any]:
        """Average, worst case and robustness over all, by subject and by level; the latter two only where all seeds
        were asked in equally many variants, more than one (`variants`), which the first questions alone are not."""
        return {
            **cases(items),
            "subject": _by(items, "subject"),
            "level": _by(items, "level"),
            "kind": self.by(items, lambda problem: problem.kind),
        }


def _variants(folder: Path) -> list[Path]:
    found = files.find(folder, "trial[0-9]*.json", "sample_variant[0-9]*.parquet")
    return sorted(found, key=lambda path: int(re.findall(r"\d+", path.stem.partition("-")[0])[-1]))


def _pictures(folder: Path, variant: int, name: str) -> tuple[Image, ...]:
    """The picture of a problem in a checkout of the repository; the bare `images` folder is variant 1's."""
    file = Path(name)
    places = [
        folder / f"{stem}{variant}" / sub / file.name for stem in ("trial", "sample") for sub in ("image", "images")
    ]
    if variant == 1:
        places += [folder / file, folder / "images" / file.name]
    return next(((Image(place),) for place in places if place.is_file()), ())


def cases(items: Sequence[Item]) -> dict[str, Any]:
    """Average, worst case and robustness, the first two with intervals over seeds, and of how many variants.

    The average alone where a seed lacks variants that another has, or all have one: no case is the worst then.
    """
    seeds: dict[str, list[bool]] = defaultdict(list)
    for item in items:
        seeds[item.problem.meta["seed"]].append(item.scored.correct)
    found, variants = base.cases(seeds), {len(each) for each in seeds.values()}
    if len(variants) == 1 and min(variants) > 1:
        return found | {"variants": min(variants)}
    return {"average": found["average"]}


def _by(items: Sequence[Item], field: str) -> dict[str, Any]:
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        groups[str(item.problem.meta[field])].append(item)
    return {name: cases(groups[name]) for name in sorted(groups)}


def _outer(text: str) -> str:
    """From the first { to the last }, without backslashes; the text itself where there are none."""
    start, end = text.find("{"), text.rfind("}")
    return text[start : end + 1].replace("\\", "") if 0 <= start < end else text


def _official_number(text: str) -> float | None:
    """The official reading of a number: the first word, `Nπ` or what Python reads as a float."""
    head, pi, _ = text.split(" ")[0].partition("π")
    try:
        value = float(head) * (math.pi if pi else 1.0)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _official(problem: Problem, response: str) -> Scored:
    body = _outer(response)
    found = reading.json_object(body)
    answer = str(found.get("short answer")) if found is not None else body.split("\n")[-1][:-1]
    if problem.kind == "float":
        value = _official_number(answer)
        near = value is not None and abs(value - float(problem.gold)) <= TOLERANCE
        return verdict(near, None if value is None else answer, "official, within 1e-3")
    if problem.kind == "choice":
        right = answer == problem.gold if len(answer) == 1 else problem.gold in answer[:3]
    else:
        right = problem.gold in answer
    return verdict(right, answer or None, "official")


def _vlmevalkit(problem: Problem, response: str) -> Scored:
    body = _outer(response)
    found = reading.json_object(body)
    short = found.get("short answer") if found is not None else None
    answer = _short(problem.kind, short if isinstance(short, str) else None)
    if answer is None:
        answer = _short(problem.kind, body)
    if answer is None or (problem.kind == "text" and not isinstance(short, str)):
        answer = _shortened(problem.kind, response)  # in place of the judge
    if answer is None:
        return verdict(problem.kind == "choice" and problem.gold in body[:3].upper(), None, "vlmevalkit")
    if problem.kind == "float":
        return verdict(abs(float(answer) - float(problem.gold)) <= TOLERANCE, answer, "vlmevalkit, within 1e-3")
    right = answer == problem.gold if problem.kind == "choice" else answer.lower() in problem.gold.lower()
    return Scored(right, answer, verdict(right, answer, "vlmevalkit").reason)


def _short(kind: str, text: str | None) -> str | None:
    """VLMEvalKit's reading of a short answer."""
    if text is None or kind == "text":
        return text
    if kind == "float":
        value = _official_number(text)
        return None if value is None else str(value)
    if len(text) == 1:
        return text.upper()
    there = [letter for letter in "ABCDE" if letter in text.upper()]
    return there[0] if len(there) == 1 else None


def _shortened(kind: str, response: str) -> str | None:
    """The short answer in free text, by this package's rules."""
    text = reading.reply(response)
    if kind == "choice":
        return choices.pick(text, LETTERS, ("",) * len(LETTERS))
    marked = reading.marked(text)
    ends = [marked] if marked is not None else reading.phrases(text)[-1:]
    if kind == "text":
        return ends[0].strip().removesuffix(".") if ends else text.strip()
    for part in [*ends, text]:
        value = numbers.result(part)
        if value is not None:
            return str(value)
        if numbers.is_open(part, listed=part is marked) or (part is marked and "=" in part):
            return None
    found = numbers.find(text)
    return found[-1] if found else None
