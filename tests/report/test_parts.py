"""A response on the page: whole, escaped, and divided where its marks stand in order."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from perc_jax.report import tables
from perc_jax.report.page import Sheet
from perc_jax.rewards.forms import ANSWER, THINK, Form, parts, read

SECTIONS = Form("sections", ("### Image Description:", "### Rationales:", "### Let's think.", "### The answer is:"))
FORMS = [SECTIONS, *(Form(kind) for kind in ("strict", "answer", "think_answer", "answer_think", "boxed", "plain"))]
TAGS = {"strict": ANSWER, "answer": ANSWER, "think_answer": THINK + ANSWER, "answer_think": ANSWER + THINK}
WELL_FORMED = "".join(f"{heading}\n<b>{number}</b> & so on.\n\n" for number, heading in enumerate(SECTIONS.sections))
pieces = st.sampled_from(
    [*SECTIONS.sections, *ANSWER, *THINK, "\n", " ", "\\boxed{7}", "<b>", "&amp;", '"', "'", "###"]
)
responses = st.lists(pieces | st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=9)).map(
    "".join
)


class Said(HTMLParser):
    """What stands in the cells of answers: all of it, and the marks among it."""

    def __init__(self, page):
        super().__init__()
        self.texts, self.marks, self._open = [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag == "wbr":
            return
        self._open.append((tag, dict(attrs).get("class", "")))
        if self._open[-1] == ("div", "text mono"):
            self.texts.append("")
            self.marks.append([])

    def handle_endtag(self, tag):
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        if ("div", "text mono") in self._open:
            self.texts[-1] += data
            if self._open[-1][0] == "b":
                self.marks[-1].append(data)


def said(texts, form):
    answers = [{"text": text, "advantage": 0.5, "terms": {"a/b": 1.0, "c": 0.0}} for text in texts]
    sample = {"question": "How many?", "gold": "7", "answers": answers}
    return Said(tables.samples_section([Sheet(1, "rl", [sample])], form))


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.kind)
@given(st.lists(responses, min_size=1, max_size=3))
@example([WELL_FORMED])
@example(["x" * 5000])
@example(["<think>a</think><answer>\\boxed{7}</answer>", "</answer><answer>"])
def test_the_text_of_the_page_is_the_response(form, texts):
    """Whatever it is: nothing is lost, nothing added, and no character of it becomes markup."""
    assert said(texts, form).texts == texts


@given(responses)
@example("### Rationales:\nx\n### Image Description:\ny\n### Rationales:\nz")
@example("say ### Image Description:\n### Image Description:")
def test_a_heading_is_one_where_it_is_the_first_in_order(text):
    begin, expected = 0, []
    for heading in SECTIONS.sections:
        if found := re.compile(f"^{re.escape(heading)}", re.MULTILINE).search(text, begin):
            expected.append((found.start(), heading))
            begin = found.end()
    place, marked = 0, []
    for part in parts(text, SECTIONS):
        assert (SECTIONS.sections[part.number - 1] if part.number else "") == part.mark
        marked += [(place, part.mark)] * bool(part.number)
        place += len(part.mark + part.text + part.end)
    assert marked == expected
    assert said([text], SECTIONS).marks == [[heading for _, heading in expected]]


@pytest.mark.parametrize("form", [form for form in FORMS if form.kind in TAGS], ids=lambda form: form.kind)
@given(responses)
@example("<think>a</think><answer>\\boxed{7}</answer>")
@example("<answer>a</answer>\n<think>\\boxed{7}</think>")
@example("</think><think>a<answer>b</answer></think>")
def test_tags_are_marked_in_the_forms_order_and_closed_only_where_opened(form, text):
    [marked] = said([text], form).marks
    known = TAGS[form.kind]
    assert [mark for mark in known if mark in marked] == marked
    assert all(known[place - 1] in marked for place, mark in enumerate(known) if place % 2 and mark in marked)
    if read(text, form) is not None and form.kind != "strict":
        assert marked == list(known)
    assert all(mark in marked or mark not in text for mark in known[:1])  # the first is marked wherever it is


def test_a_response_of_the_form_has_all_parts_and_each_its_text():
    assert read(WELL_FORMED, SECTIONS) is not None
    found = parts(WELL_FORMED, SECTIONS)
    assert [part.mark for part in found] == list(SECTIONS.sections)
    assert [part.text for part in found] == [f"\n<b>{number}</b> & so on.\n\n" for number in range(4)]
    assert parts("", SECTIONS) == []
