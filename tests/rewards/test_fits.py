"""The term `clip`: which text is the description, what a cosine earns, what is counted; beside the formula."""

import re

import numpy as np
import pytest

from perc_jax.config import TermConfig
from perc_jax.rewards.fits import REASONS, description, value

HEADING, NEXT = "### Image Description:", "### Rationales:"
OURS = TermConfig("clip", section=HEADING)
PUBLISHED = TermConfig("clip", section=HEADING, until=NEXT, as_published=True)
WHOLE = f"{HEADING}\nA red cube.\n{NEXT}\nIt is red.\n### The final answer is:\nred"


def published_description(text: str) -> str:
    """PeBR-R1's: between the two headings, in any case; empty where they are not both there."""
    found = re.search(r"### Image Description:(.*?)### Rationales:", text, re.DOTALL | re.IGNORECASE)
    return found[1].strip() if found else ""


def published_score(cosine: float) -> float:
    """PeBR-R1's: all from 0.4 on, less in proportion, also below 0."""
    return 1.0 if cosine >= 0.4 else cosine / 0.4


def marks(cosines: list[float], term: TermConfig, **changes: list):
    count = len(cosines)
    given = {"empty": [False] * count, "cut": [False] * count, "pictures": [1] * count} | changes
    arrays = {name: np.array(values) for name, values in given.items()}
    return value(np.array(cosines, np.float32), term, **arrays, looked_at=1)


def test_five_hundred_cases_of_the_published_formula() -> None:
    rng = np.random.default_rng(0)
    pieces = [HEADING, NEXT, HEADING.upper(), NEXT.lower(), "\n", "a red cube", "İ", " ", "###", "### Step 1:", "ﬁ"]
    texts = ["".join(rng.choice(pieces, rng.integers(0, 9))) for _ in range(500)]
    for text in texts:
        assert description(text, PUBLISHED) == published_description(text), text
    assert 20 < sum(map(bool, map(published_description, texts))) < 480
    cosines = rng.uniform(-1, 1, 500).astype(np.float32)
    cosines[:3] = 0.4, np.nextafter(np.float32(0.4), 0), 0
    empty = [not published_description(text) for text in texts]
    found = marks(cosines.tolist(), PUBLISHED, empty=empty)
    np.testing.assert_allclose(found.values[:, 0], [published_score(float(one)) for one in cosines], rtol=1e-6)
    np.testing.assert_array_equal(found.values[:, 1], cosines)


def test_ours_differs_where_it_says() -> None:
    cosines = [0.2, 0.7, -0.2, 0.2]
    found = marks(cosines, OURS, empty=[False, False, False, True])
    np.testing.assert_allclose(found.values[:, 0], [0.5, 1, 0, 0])
    np.testing.assert_allclose(found.values[:, 1], [0.2, 0.7, -0.2, 0])
    assert found.faults == dict.fromkeys(REASONS, 0) | {"empty": 1}


def test_the_threshold_is_config() -> None:
    found = marks([0.2, 0.7], TermConfig("clip", threshold=0.8))
    np.testing.assert_allclose(found.values[:, 0], [0.25, 0.875])


@pytest.mark.parametrize("term", [OURS, PUBLISHED])
def test_what_has_no_cosine_earns_nothing_and_is_counted(term: TermConfig) -> None:
    nan, infinite = float("nan"), float("inf")
    found = marks([nan, infinite, 0.3, 0.3], term, pictures=[1, 1, 0, 5], cut=[False, False, False, True])
    np.testing.assert_allclose(found.values, [[0, 0], [0, 0], [0, 0], [0.75, 0.3]], rtol=1e-6)
    assert found.faults == {"no_picture": 1, "empty": 0, "not_finite": 2, "cut": 1, "unseen": 1}


@pytest.mark.parametrize(
    ("text", "ours", "published"),
    [
        (WHOLE, "A red cube.", "A red cube."),
        (WHOLE.lower(), "", "a red cube."),  # the heading as it is asked for
        (f"I see. {WHOLE}", "", "A red cube."),  # at the beginning of a line
        (f"{WHOLE}\n{HEADING}\nA red cube, again.", "", "A red cube."),  # once
        (f"{HEADING}\nA red cube.", "A red cube.", ""),  # to the end of the text
        (f"{HEADING}\nA\n### Objects:\ncube\n{NEXT}\n", "A", "A\n### Objects:\ncube"),
        ("A red cube.", "", ""),
        ("", "", ""),
    ],
)
def test_which_text_is_the_description(text: str, ours: str, published: str) -> None:
    assert description(text, OURS) == ours
    assert description(text, PUBLISHED) == published == published_description(text)
    assert description(text, TermConfig("clip")) == text.strip()
