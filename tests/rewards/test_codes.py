"""Maps in codes against the right ones: by hand, against a plain loop, and that no text raises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perc_jax.config import TermConfig
from perc_jax.rewards import codes
from perc_jax.rewards.answers import Gold
from perc_jax.rewards.terms import Case, lacks, measure


def written(numbers, kind="DEPTH") -> str:
    return f"<{kind}_START>{''.join(f'<{kind}_{number}>' for number in numbers)}<{kind}_END>"


GOLD = written((3, 0, 12, 5))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (GOLD, 1),
        (f"Let me see. {GOLD} So <answer>A</answer>", 1),
        (written((3, 1, 12, 0)), 0.5),
        (written((0, 3, 5, 12)), 0),  # the right codes at wrong places
        (written((3, 0, 12)), 0),
        (written((3, 0, 12, 5, 5)), 0),
        (written((3, 0, 12, 5), "SEGMENTS"), 0),  # the right codes of another kind of map
        (GOLD.removesuffix("<DEPTH_END>"), 0),
        (GOLD + written((1, 1, 1, 1)), 0),  # a second guess is none
        ("<DEPTH_START>" + GOLD, 0),
        (GOLD.replace("<DEPTH_12>", "<PIXEL_12>"), 0),
        (GOLD.replace("<DEPTH_12>", " <DEPTH_12>"), 0),
        ("<DEPTH_START><DEPTH_END>", 0),
        ("", 0),
    ],
)
def test_values_by_hand(text, value):
    case = Case(text, Gold("none", ""), row={"map": GOLD})
    assert measure(case, TermConfig("map")) == (value,)
    assert measure(case._replace(row={"seen": GOLD}), TermConfig("map", column="seen")) == (value,)


def test_a_row_without_a_map_earns_nothing_and_is_counted():
    case = Case(GOLD, Gold("none", ""), row={"map": ""})
    assert measure(case, TermConfig("map")) == (0,) and measure(case._replace(row={}), TermConfig("map")) == (0,)
    assert lacks([case, case._replace(row={"map": GOLD})], TermConfig("map"))["missing"] == 1


@given(st.lists(st.integers(0, 127), min_size=1, max_size=100), st.data())
def test_the_share_is_that_of_a_plain_count(wanted, data):
    said = [data.draw(st.sampled_from([one, 127 - one])) for one in wanted]
    right = sum(1 for place in range(len(wanted)) if said[place] == wanted[place])
    assert codes.right(written(said), written(wanted)) == pytest.approx(right / len(wanted))


@given(st.text(alphabet="<>_DEPTHSARN019 ", max_size=80), st.text(max_size=40))
def test_no_text_raises(text, gold):
    assert 0 <= codes.right(text, gold) <= 1 and 0 <= codes.right(text, GOLD) <= 1
