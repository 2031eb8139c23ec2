r"""Where an answer stands in free text: boxes, answer blocks, JSON, phrases. Linear time, nothing is evaluated.

`reply` is what this package's own rules read of a response; the copied rules of others read the response as it is.
"""

import json
import re
import unicodedata

MAX_PHRASES = 32  # the last ones
MAX_PHRASE_CHARS = 300  # of what is taken after "the answer is"
_BOX = re.compile(r"\\boxed\s{0,3}\{|\\.|[{}]", re.DOTALL)
_BLOCK_OPEN, _BLOCK_CLOSE, _THOUGHT_END = "<answer>", "</answer>", "</think>"
_PHRASE = re.compile(
    r"\b(?:final answer|answer|correct option|correct choice|correct answer|answer choice)\s{0,3}"
    r"(?:(?:should|must|would|will|is|are|be|option|choice|therefore|likely|most likely|:|=|\*)\s{0,3}){1,4}",
    re.IGNORECASE,
)
_BOLD = re.compile(r"\*\*([^*\n]{1,200})\*\*")
_SENTENCE_END = re.compile(r"(?<=[.!?。])\s+|\n|。")
_PHRASE_ZH = re.compile(  # simplified and traditional; 选 alone, as in 所选, only before a letter
    r"(?:答案|[选選][项項择擇]|[故应應][选選]|[选選](?=[\s:*(\[]{0,4}[A-Za-z](?![A-Za-z])))"
    r"\s{0,3}(?:[应應][该該]?)?(?:是|[为為])?\s{0,3}[:：]?\s{0,3}"
)
_QUESTION = re.compile(r"^[ \t*#]{0,8}(?:Question|问题|問題)(?: ?\d{1,3})?[ *]{0,4}[:：]", re.MULTILINE)
_PROMPT = re.compile(r"[ \t*#]{0,8}(?:Hint|Please|提示)\b")
_KEPT = "".join(  # marks whose plain form would be another number: 3² is not 32, 3½ not 31/2
    char
    for char in map(chr, range(0x80, 0x3000))
    if unicodedata.decomposition(char).startswith(("<super>", "<sub>", "<fraction>"))
)
_FOLDED = re.compile(f"[^{re.escape(_KEPT)}]+")


def fold(text: str) -> str:
    """Write full-width, circled and other variants of a character as the plain one (Unicode's NFKC).

    Superscripts, subscripts and fractions stay as they are.
    """
    return text if text.isascii() else _FOLDED.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)


def reply(response: str) -> str:
    """Give what of a response may answer: behind its thought, before a question of its own, in plain characters."""
    text = fold(after_thought(response)).strip()
    for found in _QUESTION.finditer(text):
        before = text[: found.start()].strip()
        if before and not _PROMPT.match(before):
            return before
    return text


def boxes(text: str) -> list[str]:
    r"""Give the contents of all `\boxed{…}` whose braces balance, in the order in which they close."""
    found: list[str] = []
    opened: list[int] = []  # where the content of a box begins, -1 for another brace
    for mark in _BOX.finditer(text):
        token = mark[0]
        if token.startswith("\\boxed"):
            opened.append(mark.end())
        elif token == "{":
            opened.append(-1)
        elif token == "}" and opened:
            start = opened.pop()
            if start >= 0:
                found.append(text[start : mark.start()])
    return found


def last_box(text: str) -> str | None:
    """Give the content of the last box, or None."""
    found = boxes(text)
    return found[-1] if found else None


def answer_block(text: str) -> str | None:
    """Give the content of the last `<answer>…</answer>`, or None."""
    end = text.rfind(_BLOCK_CLOSE)
    start = text.rfind(_BLOCK_OPEN, 0, end) if end >= 0 else -1
    return text[start + len(_BLOCK_OPEN) : end] if start >= 0 else None


def after_thought(text: str) -> str:
    """Give what follows the last `</think>`, or all of it."""
    return text[text.rfind(_THOUGHT_END) + len(_THOUGHT_END) :] if _THOUGHT_END in text else text


def marked(text: str) -> str | None:
    """Give what the model marked as its answer: the last box, else the last answer block, else None."""
    block = answer_block(text)
    found = last_box(block if block is not None else text)
    return found if found is not None else block


def phrases(text: str) -> list[str]:
    """Give what follows each "the answer is" (or 答案是), at most to the end of its line, in order."""
    ends = sorted(found.end() for pattern in (_PHRASE, _PHRASE_ZH) for found in pattern.finditer(text))
    return [text[end : end + MAX_PHRASE_CHARS].partition("\n")[0] for end in ends[-MAX_PHRASES:]]


def bold(text: str) -> list[str]:
    """Give what stands in `**…**`, in order."""
    return _BOLD.findall(text)


def sentences(text: str) -> list[str]:
    """Give the sentences and lines that are not empty."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


def json_object(text: str) -> dict | None:
    """Read a JSON object, or None; control characters in strings are allowed, depth is bounded by the parser."""
    try:
        found = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
