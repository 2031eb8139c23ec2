"""perc_jax.model against the committed answers of transformers in torch: the parity proof where torch is absent."""

import pytest

from tests.model.cases import CASES
from tests.model.golden_values import FOLDER, NAMES, checksum, golden, thin
from tests.model.parity import errors, inputs, ours


@pytest.mark.parametrize("name", NAMES)
def test_our_answers_are_the_stored_ones(name):
    stored, versions, drawn = golden(name)
    assert versions.startswith("transformers 5.")
    assert checksum(inputs(CASES[name])) == drawn, f"the case is not the one that {versions} answered: write it anew"
    measured = errors(thin(ours(name)), stored)
    assert max(measured.values()) <= 1, (versions, {key: error for key, error in measured.items() if not error <= 1})


def test_the_stored_answers_hold_every_kind_and_are_small():
    stored, _, _ = golden("grouped")
    kinds = ("merged tokens", "vision block 1", "text block 1", "logits", "gradient lm", "greedy tokens")
    kinds = [kind.replace("gradient lm", "gradient model.norm.weight") for kind in kinds]
    assert set(kinds) <= set(stored)
    assert stored["greedy tokens"].shape[1] == 64
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 500_000


@pytest.mark.parametrize("name", NAMES)
def test_the_stored_answers_are_what_the_reference_says_today(name, torch):
    from tests.model.torch_reference import reference

    stored, versions, _ = golden(name)
    measured = errors(thin(reference(name)), stored)
    assert max(measured.values()) <= 1, (versions, measured)
