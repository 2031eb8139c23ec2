"""One turn of the model, read: either code in its marks or an answer in the form that the run asks for.

Worked example, form `answer`: `<code>Swap(1, 2)</code>` are calls, `<answer>2 1 3 4</answer>` is an answer; with form
`think_answer` each stands behind `<think>…</think>`; in all others text may stand before, nothing behind.
"""

from perc_jax.environments import calls
from perc_jax.environments.calls import Allowed, Call, Refused
from perc_jax.rewards.forms import Form, read, shortest

CODE = ("<code>", "</code>")
ANSWER = ("<answer>", "</answer>")
THINK = ("<think>", "</think>")
MAX_CHARS = 20_000  # of a turn; one of 2,048 tokens has about half


def read_turn(text: str, form: Form, signatures: Allowed) -> list[Call] | str:
    """Read a turn: its calls, or the text of its answer. Raises `calls.Refused`."""
    if len(text) > MAX_CHARS:
        raise Refused("too_long", f"A turn must have at most {MAX_CHARS} characters.")
    if not any(mark in text for mark in CODE):
        answer = read(text, form)
        if answer is None:
            has_answer = any(mark in text for mark in ANSWER)
            raise Refused("form" if has_answer else "no_call", "This turn has neither code nor an answer in its form.")
        return answer
    if any(mark in text for mark in ANSWER) or any(text.count(mark) != 1 for mark in CODE):
        raise Refused("two_calls", "A turn must have one block of code or one answer.")
    before, _, rest = text.partition(CODE[0])
    block, closed, behind = rest.partition(CODE[1])
    if not closed or behind.strip() or not _may_precede(before, form):
        raise Refused("form", "Code must stand at the end of a turn.")
    return calls.read(block, signatures)


def _may_precede(before: str, form: Form) -> bool:
    """Whether a text may stand before code, as the form has it before an answer."""
    before = before.strip()
    if form.kind == "answer":
        return not before
    if form.kind == "think_answer":
        inner = before.removeprefix(THINK[0]).removesuffix(THINK[1])
        is_closed = before == f"{THINK[0]}{inner}{THINK[1]}"
        return is_closed and bool(inner.strip()) and not any(mark in inner for mark in THINK)
    return True


def written_code(block: str, form: Form) -> str:
    """A turn with a block of code; three dots stand for what would be reasoned."""
    thought = f"{THINK[0]}...{THINK[1]}" if form.kind == "think_answer" else ""
    return f"{thought}{CODE[0]}{block}{CODE[1]}"


def written_answer(answer: str, form: Form) -> str:
    """The last turn, with an answer."""
    return shortest(answer, form)
