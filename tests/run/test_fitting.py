"""The reward's CLIP in a run: it sees what the policy sees, is asked before the host verifies, answers after."""

import dataclasses
import functools
from pathlib import Path

import jax
import numpy as np
import pytest

from configs.smoke_cpu import get_config
from engines.answer import Answer
from perc_jax.clip import bind, params
from perc_jax.config import ClipConfig, Config, RewardConfig, TermConfig
from perc_jax.mesh import sharding
from perc_jax.programs.blueprints import Blueprints
from perc_jax.programs.clip import ClipPrograms
from perc_jax.prompt import clip_inputs, prompt, tokenizer
from perc_jax.rewards.terms import Case
from perc_jax.rewards.verifier import Scores, Verifier, judge, no_faults
from perc_jax.run import fitting
from perc_jax.update.grpo import group_advantages
from tests.clip.cases import SMALL, tensors, write, write_tokenizer
from tests.model.cases import compiled

TOKENS = tokenizer.load("debug.model")
HEADING = "### Seen:"
REWARD = RewardConfig(
    (
        TermConfig("clip", section=HEADING),
        TermConfig("accuracy"),
        TermConfig("clip", 0.0, "published", section=HEADING, until="### So:", as_published=True),
    )
)
WROTE = (  # of each prompt
    f"{HEADING}\na red cube\n### So:\n7",
    f"{HEADING}\na red cube{'<|endoftext|>'}\n### So:\n8",
    f"{HEADING}\n### So:\n7",
    f"{HEADING}\n{'a red cube ' * 9}\n### So:\n8",
)
PICTURES = (1, 1, 2, 0, 1, 1, 1, 3)  # of eight prompts


def config(folder: Path, vocabulary: int) -> Config:
    smoke = get_config()
    grpo = dataclasses.replace(smoke.stages[1], prompts_per_step=8, group_size=4, row_widths=(), reward=REWARD)
    clip = dataclasses.replace(SMALL, folder=str(folder), vocabulary=vocabulary, pictures=2)
    data = dataclasses.replace(smoke.data, max_patches=256, max_prompt_tokens=256)
    evaluation = dataclasses.replace(smoke.evaluation, hard_levels=(4,))
    return dataclasses.replace(smoke, stages=(grpo,), clip=clip, data=data, evaluation=evaluation)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A run with a CLIP's folder."""
    folder = tmp_path_factory.mktemp("clip")
    asks = config(folder, write_tokenizer(folder))
    write(folder, asks.clip)
    return asks


class Here(Verifier):
    """Verifies in this process; notes when."""

    def __init__(self, seen: list[str]):
        self.seen = seen

    def verify(self, texts, answers):
        self.seen.append("verified")
        return [judge(text, answer) for text, answer in zip(texts, answers, strict=True)]


@pytest.fixture(scope="module")
def batch(made: Config):
    """Eight prompts, and their pictures."""
    rng = np.random.default_rng(0)
    drawn = [[rng.integers(0, 256, (56, 84, 3), dtype=np.uint8) for _ in range(count)] for count in PICTURES]
    parts = {"tokenizer": TOKENS, "data": made.data, "vision": made.model.vision}
    rows = [prompt.make_row(f"p{n}", pictures, "How many?", **parts) for n, pictures in enumerate(drawn)]
    return prompt.pack(rows), drawn


@pytest.fixture(scope="module")
def scored(made: Config, batch) -> tuple[list[str], Scores]:
    """What happened, in order, and the scores."""
    seen: list[str] = []
    stage, blueprints = made.stages[0], Blueprints(made, TOKENS.ids)

    fits = fitting.Fitting(made, blueprints.clip_params())
    programs = ClipPrograms(blueprints.clip(stage), lambda program: program.compile())
    for name in ("look", "read"):
        call = getattr(programs, name)
        setattr(programs, name, lambda *args, call=call, name=name: (seen.append(name), call(*args))[1])
    judges = fits.judge(programs, batch[0], Here(seen))
    cases = [Case(text, Answer.integer(7)) for _ in PICTURES for text in WROTE]
    host = sharding.rows_to_host
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharding, "rows_to_host", lambda tree: (seen.append("waited"), host(tree))[1])
        return seen, judges.score(cases, stage.reward, 4)


def test_the_device_is_asked_before_the_host_verifies(scored: tuple[list[str], Scores]) -> None:
    assert scored[0][-6:] == ["look", "read", "read", "verified", "waited", "waited"]


def test_pictures_are_those_that_the_policy_sees(made: Config, batch) -> None:
    prompts, drawn = batch
    found = fitting.pictures(prompts, made.model.vision, made.clip)
    assert found.count.tolist() == list(PICTURES)
    assert found.real.sum(axis=1).tolist() == [min(count, 2) for count in PICTURES]
    for row, pictures in enumerate(drawn):
        for number, picture in enumerate(pictures[:2]):
            np.testing.assert_array_equal(found.pixels[row, number], clip_inputs.square(picture, made.clip.image_px))
    assert not found.pixels[~found.real].any()


def _features(clip: ClipConfig, kind: str, values: dict, given: np.ndarray) -> jax.Array:
    return getattr(bind(clip, values), kind)(given)


def test_values_are_those_of_the_model(made: Config, batch, scored: tuple[list[str], Scores]) -> None:
    values_of = params.from_tensors(made.clip, tensors(made.clip))
    read, look = (compiled(functools.partial(_features, made.clip, kind)) for kind in ("texts", "pictures"))
    tokens = clip_inputs.ClipTokenizer(
        Path(made.clip.folder), length=made.clip.long_positions, begin=made.clip.begin, end=made.clip.end
    )

    def unit(features: object) -> np.ndarray:
        return np.asarray(features) / np.linalg.norm(features, axis=-1, keepdims=True)

    text = unit(read(values_of, tokens(["a red cube"]).tokens))[0]
    values = scored[1].terms[:, 0].reshape(8, 4)
    for row, pictures in enumerate(batch[1]):
        shown = [clip_inputs.square(picture, made.clip.image_px) for picture in pictures[:2]]
        cosine = np.mean(unit(look(values_of, np.stack(shown))) @ text) if shown else 0.0
        assert values[row, 0] == pytest.approx(max(0, min(1, cosine / 0.4)), abs=1e-5)
        assert scored[1].parts[4 * row, 0] == pytest.approx(cosine, abs=1e-5)
    np.testing.assert_array_equal(values[:, 1], values[:, 0])  # a written mark is nothing
    assert not values[:, 2].any()  # nor is what is not described


def test_published_forms_by_config(scored: tuple[list[str], Scores]) -> None:
    ours, _, published = scored[1].terms.T.reshape(3, 8, 4)
    seen = np.array(PICTURES) > 0
    assert published[seen, 2].all() and not published[~seen].any()
    np.testing.assert_allclose(np.maximum(0, published[:, 0]), ours[:, 0], atol=1e-6)


def test_all_is_counted(scored: tuple[list[str], Scores]) -> None:
    faults = scored[1].faults
    assert faults.keys() == no_faults(REWARD).keys()
    assert {name: count for name, count in faults.items() if count} == {
        f"{term}/{reason}": count
        for term in ("clip", "published")
        for reason, count in (("no_picture", 4), ("empty", 7), ("cut", 8), ("unseen", 4))
    }


def test_a_clip_that_gives_no_number_is_counted_and_costs_nobody_else(made: Config, batch, scored) -> None:
    """NaN and infinity of the device for some completions: worth 0, counted, all others as before."""
    stage, blueprints = made.stages[0], Blueprints(made, TOKENS.ids)
    fits = fitting.Fitting(made, blueprints.clip_params())
    programs = ClipPrograms(blueprints.clip(stage), lambda program: program.compile())
    read = programs.read
    broken = np.zeros((8, 4), np.float32)
    broken[0], broken[1, 0] = np.nan, -np.inf
    programs.read = lambda *args: read(*args) + broken
    cases = [Case(text, Answer.integer(7)) for _ in PICTURES for text in WROTE]
    found = fits.judge(programs, batch[0], Here([])).score(cases, stage.reward, 4)
    sound = np.isfinite(broken).reshape(-1)
    whole = scored[1]
    assert np.isfinite(found.terms).all() and np.isfinite(found.parts).all()
    assert not found.terms[~sound][:, [0, 2]].any()
    np.testing.assert_array_equal(found.terms[sound], whole.terms[sound])
    # Where nothing is described ours asks for no number, the published rule does.
    assert found.faults == whole.faults | {"clip/not_finite": 4, "published/not_finite": 5}
    advantages, _ = group_advantages(found.terms[:, 0].reshape(8, 4))
    assert np.isfinite(advantages).all()


def test_a_stage_that_asks_none_has_the_verifier_alone(made: Config, batch) -> None:
    none = dataclasses.replace(made, stages=(dataclasses.replace(made.stages[0], reward=RewardConfig()),))
    assert not none.asks_clip
    fitting.check(none)
    fits = fitting.Fitting(none, ())
    found = fits.judge(None, batch[0], Here([])).score([Case(r"\boxed{7}", Answer.integer(7))], RewardConfig(), 1)
    assert found.terms.tolist() == [[0]]


def test_a_folder_is_looked_at_before_anything_is_compiled(made: Config, tmp_path: Path) -> None:
    fitting.check(made)
    nowhere = dataclasses.replace(made, clip=dataclasses.replace(made.clip, folder=str(tmp_path / "none")))
    with pytest.raises(FileNotFoundError, match=r"clip\.folder must be a folder that exists or a hub id"):
        fitting.check(nowhere)
    other = dataclasses.replace(made, clip=dataclasses.replace(made.clip, projection=25))
    with pytest.raises(ValueError, match=r"must hold the model of the config: projection 24, not 25"):
        fitting.check(other)
