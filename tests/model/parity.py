"""What our model says to a case, as named arrays in the one form that the reference (`torch_reference`) uses too.

merged tokens        [merged, D]      of all images, in reading order
vision block i       [patches, Dv]    after the block, in window order; the last one is the tower's output
text block i         [tokens, D]      after the block: real prompt tokens, then completion tokens
logits               [tokens, V]      of the same tokens
gradient NAME        HF's shape       of one GRPO step's loss, by the published names
greedy tokens        [P, 64]          and their log-probabilities, "greedy logprobs"
"""

import contextlib
import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from perc_jax.batch import TokenIds, TrainBatch
from perc_jax.config import LossConfig, ModelConfig
from perc_jax.model import bind
from perc_jax.rollout import sampling
from perc_jax.rollout.decode import make_rollout
from perc_jax.update import grpo
from perc_jax.update.update import make_gradient, make_loss
from tests.model.cases import CASES, IMAGE_ID, Built, Case, Draws, build, compiled, random_tensors, relative
from tests.model.in_memory import from_hf, to_hf

Answers = dict[str, np.ndarray]

FORWARD, GRADIENT = 1e-4, 1e-3  # largest relative errors (`model_cases.relative`) of float32 against float32
GROUP, LENGTH, GREEDY = 2, 3, 64
TEMPERATURE = 0.8
ENDS = (1, 2)


class Inputs(NamedTuple):
    """Everything that both models read."""

    config: ModelConfig
    tensors: dict[str, np.ndarray]  # the weights, by Hugging Face's names
    built: Built
    completions: np.ndarray  # [P,G,C]
    mask: np.ndarray  # [P,G,C] completion tokens that carry loss
    advantages: np.ndarray  # [P,G]
    ids: TokenIds


def inputs(case: Case, seed: int = 1) -> Inputs:
    """Draw weights, prompts, completions and advantages. No end token is ever sampled: greedy runs are 64 tokens."""
    draws, count = Draws(seed, "completions"), len(case.prompts)
    vocabulary = case.config.text.vocab_size
    lengths = draws.whole(1, LENGTH + 1, count, GROUP)
    return Inputs(
        case.config,
        random_tensors(case.config, seed, case.changes),
        build(case, seed + 2),
        draws.whole(5, vocabulary - 4, count, GROUP, LENGTH),
        np.arange(LENGTH) < lengths[..., None],
        draws.real(count, GROUP),
        TokenIds(pad=0, ends=ENDS, image=IMAGE_ID, forbidden=(*ENDS, IMAGE_ID, 4), vocab_size=vocabulary - 4),
    )


@contextlib.contextmanager
def recorded_scans():
    """Yield a list that gets the carries after every step of each outermost `jax.lax.scan` that is traced within.

    This is how the states between blocks are seen without a hook in the model.
    """
    original, records, inside = jax.lax.scan, [], []

    def scan(body, init, xs, **options):
        if inside:
            return original(body, init, xs, **options)

        def keeping(carry, x):
            carry, y = body(carry, x)
            return carry, (carry, y)

        inside.append(True)
        try:
            carry, (carries, ys) = original(keeping, init, xs, **options)
        finally:
            inside.clear()
        records.append(carries)
        return carry, ys

    jax.lax.scan = scan
    try:
        yield records
    finally:
        jax.lax.scan = original


def forward_program(config: ModelConfig) -> Callable:
    """The program behind `forward`: features, states after every block of both stacks, logits."""

    def run(params, batch, completions):
        model = bind(config, params)
        with recorded_scans() as vision:
            features = model.encode_images(batch.pixels, batch.patch_rowcol, batch.patch_image)
        with recorded_scans() as text:
            hidden = model.forward(batch, completions, features=features)
        return features, vision, text, [model.logits(x) for x in hidden]

    return compiled(run)


sound = functools.cache(forward_program)  # of code without a fault: one for all inputs


def forward(given: Inputs, program: Callable | None = None) -> Answers:
    """States after every block and logits, by a program of the same config that is already there, or a new one."""
    batch, run = given.built.batch, program or forward_program(given.config)
    found = run(from_hf(given.config, given.tensors), batch, given.completions)
    features, vision, text, (prompt, answer) = jax.tree.map(np.asarray, found)
    answers = {}
    if given.built.pixels:
        slots = batch.image_slots
        answers["merged tokens"] = np.concatenate([features[p][row[row >= 0]] for p, row in enumerate(slots)])
        answers |= {f"vision block {i}": x[batch.patch_image >= 0] for i, x in enumerate(vision[0])}
    length = batch.mask.shape[1]
    for i, x in enumerate(text[0]):
        tail = x[:, length:].reshape(-1, x.shape[-1])
        answers[f"text block {i}"] = np.concatenate([x[:, :length][batch.mask], tail])
    answers["logits"] = np.concatenate([prompt[batch.mask], answer.reshape(-1, answer.shape[-1])])
    return answers


def gradients(given: Inputs) -> Answers:
    """The gradient of one GRPO step."""
    loss = make_loss(given.config, given.ids, kind="grpo", draws=sampling.Draws(TEMPERATURE))
    nothing = np.zeros(given.completions.shape, np.float32)
    batch = TrainBatch(given.built.batch, given.completions, given.mask, nothing, given.advantages)
    gradient = functools.partial(make_gradient(loss), width=given.mask[0].size)
    total = grpo.normaliser(jnp.asarray(given.mask), jnp.asarray(given.advantages), LossConfig())
    found, _ = compiled(gradient)(from_hf(given.config, given.tensors), batch, total)
    return {f"gradient {name}": x for name, x in to_hf(given.config, found).items()}


def greedy(given: Inputs, length: int = GREEDY) -> Answers:
    """Prefill and decode greedily, in four segments."""
    prefill, decode = make_rollout(
        given.config, given.ids, group_size=1, max_tokens=length, draws=sampling.Draws(0.0), segment_tokens=length // 4
    )
    params, rows = from_hf(given.config, given.tensors), np.arange(len(given.completions), dtype=np.uint32)
    context, state = compiled(prefill)(params, given.built.batch, rows, np.zeros(2, np.uint32))
    decode = compiled(decode)
    for _ in range(4):
        state = decode(params, context, state)
    found = state.completions()
    return {"greedy tokens": np.asarray(found.tokens)[:, 0], "greedy logprobs": np.asarray(found.logprobs)[:, 0]}


@functools.cache
def ours(name: str) -> Answers:
    """All that our model says to a case; several tests ask."""
    given = inputs(CASES[name])
    return forward(given, sound(given.config)) | gradients(given) | greedy(given)


def errors(found: Answers, wanted: Answers) -> dict[str, float]:
    """The error of every array over its limit: at most 1 is parity. Greedy tokens must be identical."""
    assert set(found) == set(wanted), set(found) ^ set(wanted)
    measured = {}
    for name, x in wanted.items():
        if name == "greedy tokens":
            measured[name] = 0.0 if np.array_equal(found[name], x) else np.inf
        else:
            measured[name] = relative(found[name], x) / (GRADIENT if name.startswith("gradient") else FORWARD)
    return measured
