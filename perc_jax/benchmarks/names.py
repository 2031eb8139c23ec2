r"""What a variable, a segment or an angle is called before its value: `x_{1}` is `x₁`, `AB` is `BA`, `y` is not `x`."""

import re
import unicodedata

_LEAD = re.compile(
    r"(?:(?:so|thus|hence|therefore|then|we\s(?:get|have|find)|(?:the\s)?value\sof),?\s{1,3}){1,4}", re.IGNORECASE
)
_GREEK = {
    name.rpartition(" ")[2].lower(): chr(code)
    for code in range(ord("α"), ord("ω") + 1)
    if "FINAL" not in (name := unicodedata.name(chr(code)))
}
_GREEK["lambda"] = "λ"
_COMMAND = re.compile(r"\\?(overline|overrightarrow|vec|mathrm|text|mbox|measuredangle|angle|triangle)(?![a-z])\s*")
_SIGNS = {"angle": "∠", "measuredangle": "∠", "triangle": "△"}
_LETTER = re.compile(r"\\?([a-z]{2,10})(?![a-z])")
_WORDS = re.compile(r"[a-z]{3,}|[A-Z][a-z]{2,}")
_VARIABLE = re.compile(r"m?[∠△]?[A-Za-zα-ωΑ-Ω][A-Za-z0-9α-ωΑ-Ω∠△'′(),.]{0,11}")


def canonical(name: str) -> str:
    r"""Write a name in one way, `\angle ABC` as `∠ABC`; empty for words ("the area"), which are not compared.

    Worked example: `so x_{1}` gives `x1`, `\overline{BA}` gives `AB`.
    """
    text = _LEAD.sub("", name.strip().strip("$").strip(), count=1)
    text = _COMMAND.sub(lambda found: _SIGNS.get(found[1], ""), text)
    text = _LETTER.sub(lambda found: _GREEK.get(found[1], found[0]), text)
    if _WORDS.search(text):
        return ""
    text = "".join(char for char in unicodedata.normalize("NFKC", text) if not char.isspace() and char not in "\\{}_$")
    if not _VARIABLE.fullmatch(text):
        return ""
    return "".join(sorted(text)) if re.fullmatch(r"[A-Z]{2}", text) else re.sub("^m(?=∠)", "", text)


def are_same(one: str, other: str) -> bool:
    """Whether two canonical names may be of one value: an empty one goes with any, `∠ABC` with `∠CBA` and `∠B`."""
    if not one or not other or one == other:
        return True
    if one[0] != "∠" or other[0] != "∠":
        return False
    one, other = one[1:], other[1:]
    return one == other[::-1] or (len(one) == 3 and other == one[1]) or (len(other) == 3 and one == other[1])
