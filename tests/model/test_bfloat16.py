"""perc_jax.model in bfloat16 is as near to float32 as torch in bfloat16 is.

Weights are rounded to bfloat16 before anybody reads them, so what is measured is the arithmetic alone: the mean
|difference| of all log-probabilities from torch float32, averaged over cases and seeds.
"""

import dataclasses
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perc_jax.config import ModelConfig
from perc_jax.model import bind
from tests.model.cases import CASES, QUICK
from tests.model.in_memory import from_hf
from tests.model.parity import Inputs, inputs

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch = pytest.importorskip("torch", reason="the reference model needs torch")
    pytest.importorskip("transformers", minversion="5.5.4", reason="older ones scale image positions")
    from tests.model.torch_reference import chosen_tokens, make_model, run_sequences

pytestmark = pytest.mark.parity
NAMES, SEEDS = ("grouped", "every", "published", "sixteen"), (1, 2, 3)
SAMPLING = 1.05  # what the average over so few cases may be off by
# As programs run, and with no digit kept beyond those the program asks for (XLA keeps more where it fuses operations).
OPTIONS = {"usual": QUICK, "strict": QUICK | {"xla_allow_excess_precision": False}}


def rounded(x: np.ndarray) -> np.ndarray:
    return torch.tensor(x).bfloat16().float().numpy()


def logprobs(logits: np.ndarray) -> np.ndarray:
    return torch.tensor(logits).log_softmax(-1).numpy()


def theirs(given: Inputs, dtype: torch.dtype) -> np.ndarray:
    model = make_model(given.config, given.tensors).to(dtype)
    with torch.no_grad():
        return logprobs(chosen_tokens(given, run_sequences(model, given).float()))


def ours(config: ModelConfig, options: dict):
    """Build `answer(given)`: log-probabilities of the tokens that `theirs` gives, compiled once."""

    def run(params, batch, completions):
        model = bind(config, params)
        return [model.logits(hidden) for hidden in model.forward(batch, completions)]

    run = jax.jit(run, compiler_options=options)

    def answer(given: Inputs) -> np.ndarray:
        params = jax.tree.map(lambda x: np.asarray(x).astype(jnp.bfloat16), from_hf(config, given.tensors))
        prompt, answers = (np.asarray(x) for x in run(params, given.built.batch, given.completions))
        assert prompt.dtype == np.float32
        return logprobs(np.concatenate([prompt[given.built.batch.mask], answers.reshape(-1, answers.shape[-1])]))

    return answer


@pytest.fixture(scope="module")
def distances() -> dict[str, np.ndarray]:
    """Mean distance from float32 of torch and of ours with each of the options, over cases and seeds."""
    measured = {label: [] for label in ("torch", *OPTIONS)}
    for name in NAMES:
        config = dataclasses.replace(CASES[name].config, dtype="bfloat16")
        answers = {label: ours(config, options) for label, options in OPTIONS.items()}
        for seed in SEEDS:
            given = inputs(CASES[name], seed)
            given = given._replace(tensors={key: rounded(x) for key, x in given.tensors.items()})
            exact = theirs(given, torch.float32)
            measured["torch"].append(np.abs(theirs(given, torch.bfloat16) - exact).mean())
            for label, answer in answers.items():
                measured[label].append(np.abs(answer(given) - exact).mean())
    return {label: np.array(values) for label, values in measured.items()}


@pytest.mark.parametrize("label", OPTIONS)
def test_bfloat16_is_no_further_from_float32_than_torch(distances, label):
    ratio = distances[label] / distances["torch"]
    assert distances[label].min() > 1e-3  # it is bfloat16
    assert ratio.mean() <= SAMPLING, ratio
