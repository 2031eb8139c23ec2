"""What no update may hold is seen where it is: scores of whole rows, logits of all tokens, and nothing else."""

import dataclasses

import jax
import pytest

from perc_jax.mesh import sharding
from perc_jax.plan import absent, forecast
from perc_jax.programs.blueprints import Blueprints
from perc_jax.update.policy import CHUNK_BYTES
from tests.plan.test_formula import config

TEXT = """HloModule jit_gradient

%fused (x: f32[4]) -> f32[512,512] {
  %x = f32[4]{0} parameter(0)
  ROOT %inside = f32[512,512]{1,0} broadcast(%x)
}

ENTRY %main (a: f32[4]) -> f32[4] {
  %a = f32[4]{0} parameter(0)
  HERE
  ROOT %end = f32[4]{0} fusion(%a), kind=kLoop, calls=%fused
}
"""
WIDTH, ROW, WORDS = 4 * 64, 256 + 4 * 64, 2048
BESIDE = ROW + 8  # width of the MLP, which a padded row might have


def held_with(**text):
    """What a text with one array of a shape holds, by a model with these sizes."""
    made = config(attention="blockwise")
    text = dataclasses.replace(made.model.text, **text)
    made = dataclasses.replace(made, model=dataclasses.replace(made.model, text=text))
    blueprints = Blueprints(made, forecast.stand_in_ids(made), sharding.make_mesh(made.mesh, jax.devices()[:1]))
    update = blueprints.update(made.stages[0]).gradients[WIDTH]

    def of(shape: str) -> absent.Held:
        return absent.held(TEXT.replace("HERE", f"%b = {shape} broadcast(%a)"), update, blueprints)

    return of


@pytest.fixture(scope="module")
def held():
    return held_with(intermediate_size=BESIDE)


@pytest.mark.parametrize(
    ("shape", "row_by_row", "by_vocabulary"),
    [
        ("f32[4]{0}", 0, 0),  # what a fusion computes is never there
        (f"f32[2,8,{ROW},{ROW}]{{3,2,1,0}}", 4 * 16 * ROW**2, 0),
        (f"bf16[{WIDTH},{ROW}]{{1,0}}", 2 * WIDTH * ROW, 0),
        (f"pred[2,{ROW + ROW // 16},1,{ROW}]{{3,2,1,0}}", 2 * (ROW + ROW // 16) * ROW, 0),  # filled up by a kernel
        (f"f32[2,{ROW},{ROW // 4}]{{2,1,0}}", 0, 0),
        (f"f32[{ROW},{BESIDE}]{{1,0}}", 0, 0),  # what the MLP makes of a row
        (f"f32[600,{WORDS}]{{1,0}}", 0, 0),  # small enough to be one chunk
        (f"f32[500,600,{WORDS}]{{2,1,0}}", 0, 4 * 500 * 600 * WORDS),
    ],
)
def test_what_must_not_be_there_is_seen(held, shape, row_by_row, by_vocabulary):
    assert by_vocabulary == 0 or by_vocabulary > CHUNK_BYTES
    assert held(shape) == (row_by_row, by_vocabulary)


def test_weights_as_large_as_a_row_are_none_however_they_lie():
    held = held_with(hidden_size=WIDTH, intermediate_size=ROW)
    assert held(f"f32[{ROW},3,{WIDTH}]{{2,1,0}}") == held(f"f32[3,{WIDTH},{ROW}]{{2,1,0}}") == (0, 0)
    assert held(f"f32[2,{ROW},8,{ROW}]{{3,2,1,0}}") == (4 * 16 * ROW**2, 0)


def test_dense_attention_is_told():
    """One long answer in the place of four short ones: its scores are those of its whole row."""
    made = config(frozen=("^vision/",))
    stage = dataclasses.replace(made.stages[0], group_size=1)
    rollout = dataclasses.replace(made.rollout, max_tokens=WIDTH)
    made = dataclasses.replace(made, rollout=rollout, stages=(stage,))
    blueprints = Blueprints(made, forecast.stand_in_ids(made), sharding.make_mesh(made.mesh, jax.devices()[:1]))
    update = blueprints.update(stage).gradients[WIDTH]
    found = absent.held(update.compile().as_text(), update, blueprints)
    assert found.row_by_row >= 2 * 6 * 4 * WIDTH**2 and found.tokens_by_vocabulary == 0
