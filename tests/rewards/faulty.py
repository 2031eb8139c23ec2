"""Reward functions as users write them, right and wrong: `tests/rewards/test_functions.py` calls them."""

import os
import time

import numpy as np

KEPT: list[np.ndarray] = []


def bare(text: str) -> str:
    return text.removeprefix("<answer>").removesuffix("</answer>")


def characters(text, row):
    return len(bare(text))


def all_characters(texts, rows):
    return [len(bare(text)) for text in texts]


def as_array(texts, rows):
    return np.array([len(bare(text)) for text in texts])


def defaults(text, row, weight=1.0, **rest):
    return weight


def of_everything(texts, rows, answers, golds, tokens):
    rows[0]["id"] = "changed"
    texts.append("more")
    right = [row["id"] for row in rows[1:]] == ["r"] * (len(rows) - 1) and golds == ["fine"] * len(rows)
    return [right and bare(text) == a and n == len(a) for text, a, n in zip(texts, answers, tokens, strict=False)]


def parted(text, row):
    return {"size": len(bare(text)), "vowels": sum(char in "aeiou" for char in bare(text))}


def overall(text, row):
    return {"overall": 0.5, "size": len(bare(text))}


def raises(text, row):
    if "bad" in text:
        raise ValueError("not this one")  # here
    return 1.0


def raises_within(text, row):
    if "bad" in text:
        return max([1, 2], key=lambda number: {}["absent"])  # here
    return 1


def exits(text, row):
    if "bad" in text:
        raise SystemExit(3)  # here
    return 1


class Unspeakable(BaseException):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def odd(text, row):
    if "bad" in text:
        raise Unspeakable  # here
    return 1


def not_a_number(text, row):
    return float("nan") if "bad" in text else 1


def too_large(text, row):
    return 1e300 if "bad" in text else 1


def too_large_to_be_a_float(text, row):
    return -(10**400) if "bad" in text else 1


def of_wrong_type(text, row):
    return "1" if "bad" in text else True


def nothing(text, row):
    return None if "bad" in text else np.float32(1)


def a_dict(text, row):
    return {"x": 1} if "bad" in text else 1


def loops(text, row):
    while "bad" in text:
        time.sleep(0.01)
    return 1


def dies(text, row):
    if "bad" in text:
        os._exit(5)
    return 1


def hoards(text, row):
    if "bad" in text:
        return len(bytearray(2**30))  # here
    return 1


def wrong_length(texts, rows):
    return [1] * (len(texts) + any("bad" in text for text in texts))


def leaks(text, row):
    KEPT.append(np.ones(2**24))  # 128 MiB  # here
    return 1


def prints(text, row):
    print("looking at", bare(text))
    os.write(1, b"past Python\n")
    return 1
