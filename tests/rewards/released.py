"""What the released reward code of VisionReasoner and of Med-R1 computes, worded again from what it was read to do.

A second opinion, which shares nothing with `perc_jax.rewards`: plain Python, no arrays, pairs found by trying all. It
keeps the weak points of the originals (dvlab-research/VisionReasoner, verl/utils/reward_score/vision_reasoner.py;
Yuxiang-Lai117/Med-R1, src/r1-v/src/open_r1/grpo_vqa.py and grpo_vqa_nothink.py, read in November 2026).
"""

import itertools
import json
import math
import re
from typing import Any


def first_answer(text: str, *, may_break: bool) -> str | None:
    """What stands in the first answer block; a block may span lines in one of the two systems only."""
    begin = text.find("<answer>")
    while begin >= 0:
        end = text.find("</answer>", begin)
        if end < 0:
            return None
        body = text[begin + len("<answer>") : end]
        if may_break or "\n" not in body:
            return body.strip()
        begin = text.find("<answer>", begin + 1)
    return None


def thinks_then_answers(text: str) -> float:
    """Both systems' format with thoughts: the text as a whole begins with one tag and ends with another."""
    return float(re.fullmatch(r"<think>(?s:.*)</think>\s*<answer>(?s:.*)</answer>", text) is not None)


def answers_only(text: str) -> float:
    """Med-R1's format without thoughts."""
    return float(re.fullmatch(r"\s*<answer>(?s:.*)</answer>", text) is not None)


def med_accuracy(text: str, gold: str) -> float:
    """Med-R1: math-verify on the whole text, else the first block of one line (or the whole text) letter by letter."""
    from math_verify import parse, verify

    if verify(parse(gold), parse(text)):
        return 1.0
    found = first_answer(text, may_break=False)
    return float((text.strip() if found is None else found) == gold.strip())


def _answered(text: str) -> Any:
    """The JSON in the first answer block."""
    found = first_answer(text, may_break=True)
    try:
        return None if found is None else json.loads(found)
    except ValueError:
        return None


def boxes_form(text: str) -> float:
    """VisionReasoner's second format term: a mean over objects of one for four entries and one for two."""
    objects = _answered(text)
    if not isinstance(objects, list) or not objects or not all(isinstance(one, dict) for one in objects):
        return 0.0
    sizes = (("bbox_2d", 4), ("point_2d", 2))
    marks = [sum(isinstance(one.get(name), list) and len(one[name]) == size for name, size in sizes) for one in objects]
    return sum(marks) / len(marks)


def boxes(text: str, gold: str) -> float:
    """VisionReasoner's accuracy, 0 to 3, of few objects: every pairing is tried."""
    found, wanted = _answered(text), json.loads(gold)
    names = ("bbox_2d", "point_2d")
    if not isinstance(found, list) or not found or not wanted:
        return 0.0
    if not all(isinstance(one, dict) and all(name in one for name in names) for one in (*found, *wanted)):
        return 0.0
    small, large, flipped = found, wanted, False
    if len(found) > len(wanted):
        small, large, flipped = wanted, found, True
    best = max(
        sum(_pair(*((b, a) if flipped else (a, b))) for a, b in zip(small, order, strict=True))
        for order in itertools.permutations(large, len(small))
    )
    return best / len(large)


def _pair(found: dict[str, list[float]], wanted: dict[str, list[float]]) -> int:
    box, other = found["bbox_2d"], wanted["bbox_2d"]
    (x, y), target = found["point_2d"], wanted["point_2d"]
    is_inside = box[0] <= x <= box[2] and box[1] <= y <= box[3]
    near = math.hypot(x - target[0], y - target[1]) < 30 and is_inside
    return (_overlap(box, other) > 0.5) + (sum(abs(a - b) for a, b in zip(box, other, strict=True)) / 4 < 10) + near


def _overlap(one: list[float], other: list[float]) -> float:
    """Intersection over union, sides one pixel longer than their difference."""
    width = max(0, min(one[2], other[2]) - max(one[0], other[0]) + 1)
    height = max(0, min(one[3], other[3]) - max(one[1], other[1]) + 1)
    areas = [(box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (one, other)]
    union = sum(areas) - width * height
    return width * height / union if union else 0.0


def not_repeated(text: str) -> float:
    """VisionReasoner: 1, or 0 as soon as two of its sentences were said before."""
    said: list[str] = []
    repeats = 0
    for sentence in text.split("."):
        if sentence.strip() in said:
            repeats += 1
        if sentence.strip():
            said.append(sentence.strip())
    return float(repeats < 2)
