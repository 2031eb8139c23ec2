"""A map that a completion writes in codes, against the right one: the share of its codes that are right."""

import re

_MAP = re.compile(r"<([A-Z]+)_START>((?:<\1_\d{1,5}>)*)<\1_END>")
_CODE = re.compile(r"<[A-Z]+_(\d+)>")


def read(text: str) -> tuple[int, ...] | None:
    """The codes of the one map in a text; None where there is none, or more than one is begun.

    Worked example: "<DEPTH_START><DEPTH_3><DEPTH_0><DEPTH_END> A" gives (3, 0).
    """
    found = _MAP.search(text)
    if found is None or text.count("_START>") > 1:
        return None
    return tuple(map(int, _CODE.findall(found[2])))


def kind_of(text: str) -> str:
    """What kind the first map of a text is of, as its marks name it, `DEPTH`; empty where there is none."""
    found = _MAP.search(text)
    return found[1] if found else ""


def right(text: str, gold: str) -> float:
    """The share of the right map's codes that the text's map has at their places; 0 where it has another number of
    them or is of another kind, or the gold text is no map."""
    said, wanted = read(text), read(gold)
    if not said or not wanted or len(said) != len(wanted) or kind_of(text) != kind_of(gold):
        return 0.0
    return sum(one == other for one, other in zip(said, wanted, strict=True)) / len(wanted)
