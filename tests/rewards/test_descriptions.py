"""Key words, lists and headings: by hand, against the published rules, and against what earns without describing."""

import numpy as np
import pytest

from perc_jax.rewards.descriptions import JOINING, below, divided, sentences, told

HEADINGS = ("### Image Description:", "### Rationales:", "### Step 1:", "### The final answer is:")
NOUNS = ("circle", "square", "cube", "red", "blue", "left", "chart", "cat", "New York", "art", "a", "rose", "two")


def share(text, wanted, **how):
    return told(text, wanted, **how).share


def test_key_words_are_whole_words_unless_asked_otherwise():
    assert share("The cart stops in New\nYork.", ["cart", "new york", "art", "stop"]) == 0.5
    assert share("The cart stops in New York.", ["cart", "new york", "art", "stop"], whole_words=False) == 1
    assert share("a b", ["a", "A", " a ", "", "c"]) == 0.5  # each once, empty ones never
    assert share("a b", "a, c") == 0.5  # a text with commas
    assert [share("a", wanted) for wanted in ([], None, "", ["", "."], 3)] == [0] * 5


def published(text, wanted):
    """PeBR-R1's: the share of a row's words that stand anywhere in the completion, whatever their case."""
    return sum(word.lower() in text.lower() for word in wanted) / len(wanted) if wanted else 0.0


def test_the_published_rule_on_500_texts():
    rng = np.random.default_rng(0)
    for _ in range(500):
        wanted = [str(word) for word in rng.permutation(NOUNS)[: rng.integers(0, 7)]]
        text = " ".join(rng.choice([*NOUNS, "The", "of", "cartoon", "CIRCLES,", "\n"], size=rng.integers(0, 30)))
        assert share(text, wanted, whole_words=False) == pytest.approx(published(text, wanted))


def test_a_description_counts_and_a_list_does_not():
    """All of the words that a row may want, one after the other, earn nothing; the same words in sentences all."""
    wanted = ["red", "circle", "blue", "square"]
    said = "There is a red circle in the middle, and to the left of it a small blue square."
    colours, things = ["red", "green", "blue", "yellow", "pink", "grey", "black"], ["circle", "square", "cube", "star"]
    assert told(said, wanted, most_listed=16) == (1.0, 0.0, 18.0)
    for separator in (", ", " ", "\n", "\n- ", ". ", "; "):
        stuffed = separator.join([*colours, *things, *colours])
        assert told(stuffed, wanted, most_listed=16)[:2] == (0.0, 1.0)
        assert told(f"{said} {stuffed}", wanted, most_listed=16)[:2] == (0.5, 0.5)  # "blue square" runs on into it
        assert told(f"{stuffed}\n{said}", wanted, most_listed=16)[:2] == (1.0, 0.0)
        assert share(stuffed, wanted) == 1
    assert share("red circle, blue square", wanted, most_listed=16) == 1  # too short for a list
    assert share("red circle, blue square", wanted, most_listed=3) == 0


@pytest.mark.parametrize("whole_words", [True, False])
def test_what_stands_around_a_list_is_no_key_word(whole_words):
    text = f"left of {'x ' * 20}the map"
    wanted = ["of the", "left of", "the map"]
    found = told(text, wanted, most_listed=16, whole_words=whole_words)
    assert found.share == pytest.approx(2 / 3) and found.listed == pytest.approx(0)
    assert share(text, wanted, whole_words=whole_words) == pytest.approx(2 / 3)


def test_only_lists_are_cut_out():
    words = [f"w{n}" for n in range(9)]
    text = f"{' '.join(words[:4])} the {' '.join(words[4:])} of x"
    assert sentences(text, 5) == [text] and sentences("", 5) == [""]
    assert [part.split() for part in sentences(text, 4)] == [[*words[:4], "the"], ["of", "x"]]
    assert [part.split() for part in sentences(text, 3)] == [[], ["the"], ["of", "x"]]
    assert all(word == word.casefold() for word in JOINING)


def test_a_description_ends_where_the_next_heading_begins():
    text = "### Image Description:\n a cat \n\n### Rationales:\nIt is red.\n### Step 1:\nblue"
    assert below(text, HEADINGS[0]) == "a cat" and below(text, HEADINGS[2]) == "blue"
    assert below(text, "### Nothing:") == below("", HEADINGS[0]) == below(f"see {text}", HEADINGS[0]) == ""
    assert below(f"{text}\n{HEADINGS[0]} red", HEADINGS[0]) == ""  # twice
    wanted = ["cat", "red", "blue"]
    assert share(text, wanted, heading=HEADINGS[0]) == pytest.approx(1 / 3) and share(text, wanted) == 1


@pytest.mark.parametrize(
    ("text", "ours", "anywhere", "repeated"),
    [
        ("\n".join(f"{heading}\nx" for heading in HEADINGS), 1, 1, 0),
        ("\n".join(f"{heading} x" for heading in reversed(HEADINGS)), 0, 1, 0),
        (" ".join(f"{heading} x" for heading in HEADINGS), 0, 1, 0),
        ("\n".join(HEADINGS), 0, 1, 0),
        ("\n".join(f"{heading}\nx" for heading in HEADINGS * 2), 0, 1, 1),
        ("\n".join(f"{heading}\nx" for heading in (*HEADINGS, HEADINGS[2])), 0, 1, 0.25),
        ("\n".join(f"{heading}\nx" for heading in HEADINGS[1:]), 0, 0, 0),
        ("", 0, 0, 0),
    ],
)
def test_headings_in_order_and_anywhere(text, ours, anywhere, repeated):
    assert divided(text, HEADINGS) == (ours, repeated)
    assert divided(text, HEADINGS, anywhere=True) == (anywhere, repeated)
