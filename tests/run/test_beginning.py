"""The first weights of a run from another run: bit for bit, onto any mesh, adapters fresh or as they were."""

import contextlib
import dataclasses

import jax
import numpy as np
import pytest
from etils import epath

from perc_jax.config import CodebookConfig, CodesConfig, EvaluationConfig, LoraConfig, MeshConfig, to_dict
from perc_jax.mesh import sharding
from perc_jax.model import abstract_params, lora
from perc_jax.processes.progress import Progress
from perc_jax.programs.compiled import Programs
from perc_jax.prompt import tokenizer
from perc_jax.records.checkpoint import Checkpoints
from perc_jax.run import beginning, place
from tests.codes.cases import SMALL, write
from tests.config.test_config import CONFIG

ADAPTERS = LoraConfig(rank=4)
STEP = 5


def values(config, seed):
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda leaf: jax.numpy.asarray(rng.normal(size=leaf.shape), leaf.dtype), abstract_params(config.model)
    )


@pytest.fixture(scope="module", params=[LoraConfig(), ADAPTERS], ids=["plain", "adapters"])
def run(request, tmp_path_factory):
    """A run's workdir with checkpoints of two steps, its config, and the parameters of the older one."""
    workdir = tmp_path_factory.mktemp("run")
    config = dataclasses.replace(CONFIG, model=dataclasses.replace(CONFIG.model, lora=request.param))
    checkpoints = Checkpoints(str(workdir), keep=2)
    saved = {}
    for step in (STEP, STEP + 1):
        saved[step] = values(config, step)
        state = {"params": saved[step], "step": jax.numpy.int32(step), "key": jax.numpy.zeros(2, np.uint32)}
        checkpoints.save(step, state, {"stage": "rl", "step": step}, to_dict(config))
    checkpoints.close()
    return str(workdir), config, saved


def begun(config, adapters, name):
    model = dataclasses.replace(config.model, lora=adapters)
    config = dataclasses.replace(config, model=model, stages=(), begin_from=name)
    mesh = sharding.make_mesh(MeshConfig(fsdp=2, tensor=2), jax.devices()[:4])
    programs = Programs(config, tokenizer.load(config.data.tokenizer).ids, mesh, greedy=False)
    with Progress(60.0, quiet=True) as screen:
        found = beginning.weights(config, programs, screen)
    jax.tree.map(
        lambda leaf, wanted: np.testing.assert_equal(leaf.sharding, wanted.sharding), found.params, programs.params
    )
    return found


def test_the_weights_are_those_of_the_checkpoint_that_was_named(run):
    workdir, config, saved = run
    for name, step in ((workdir, STEP + 1), (f"{workdir}@{STEP}", STEP)):
        params, source = begun(config, config.model.lora, name)
        assert source == f"{workdir}@{step}"
        jax.tree.map(np.testing.assert_array_equal, params, saved[step])


def test_fresh_adapters_lie_on_another_runs_weights(run):
    workdir, config, saved = run
    if config.model.lora.rank:
        with pytest.raises(ValueError, match=r"^model.lora must be that of .*, whose adapters export merges"):
            begun(config, LoraConfig(), workdir)
        return
    params, _ = begun(config, ADAPTERS, workdir)
    base, adapters = lora.split(params)
    jax.tree.map(
        lambda ours, theirs: np.testing.assert_array_equal(ours, theirs.astype(ours.dtype)), base, saved[STEP + 1]
    )
    assert {leaf.dtype.name for leaf in jax.tree.leaves(base)} == {"bfloat16"}
    last = [leaf for path, leaf in jax.tree_util.tree_leaves_with_path(adapters) if path[-1].key == "lora_b"]
    assert last and not any(np.any(leaf) for leaf in last)  # what they add is nothing yet


def test_words_that_a_run_adds_have_rows_when_it_begins_from_another(run):
    """The other run's rows stay in every byte, fresh ones are their mean; also in whole words beside adapters."""
    workdir, config, saved = run
    text = dataclasses.replace(config.model.text, vocab_size=1152)
    codes = CodesConfig("depth", CodebookConfig(2, 12, map_px=16), "some", 30)
    wide = dataclasses.replace(config, model=dataclasses.replace(config.model, text=text), codes=codes)
    params, _ = begun(wide, config.model.lora, workdir)
    table = np.asarray(params["text"]["embed"]["embedding"])
    before = np.asarray(saved[STEP + 1]["text"]["embed"]["embedding"])
    assert table.dtype == before.dtype and len(before) == 1024 and len(table) == 1152
    np.testing.assert_array_equal(table[:1024], before)
    wanted = before.astype(np.float32).mean(axis=0)
    np.testing.assert_allclose(table[1024:].astype(np.float32), np.tile(wanted, (128, 1)), atol=2e-4)
    for name in ("layers", "norm"):
        jax.tree.map(np.testing.assert_array_equal, params["text"][name], saved[STEP + 1]["text"][name])


def opened_at(workdir, where, changes, position):
    """A run after 40 steps."""
    tokens = tokenizer.load(CONFIG.data.tokenizer)
    return beginning.Opened(tokens, Checkpoints(str(workdir), 1), where, changes, position, 40, "random")


@pytest.mark.parametrize("left", ["nothing", "a step", "the last evaluation", "a change", "a stage", "a bad gradient"])
def test_a_run_is_done_when_its_last_stage_is_over_and_examined(tmp_path, left):
    steps = CONFIG.stages[-1].steps
    position = {"stage": CONFIG.stages[-1].name, "step": steps, "bad_steps": int(left == "a bad gradient")}
    where = place.Place(len(CONFIG.stages) - 1 - (left == "a stage"), steps - (left == "a step"))
    changes = [place.Change("name", "a", "b")] if left == "a change" else []
    opened = opened_at(tmp_path, where, changes, position)
    if left != "the last evaluation":
        file = place.results(epath.Path(tmp_path), len(CONFIG.stages), CONFIG.stages[-1].name, 40)
        file.parent.mkdir()
        file.touch()
    assert beginning.is_done(opened, CONFIG, str(tmp_path)) == (left == "nothing")


def test_a_stage_that_ended_by_patience_is_over(tmp_path):
    evaluation = EvaluationConfig(suites=("test_a",), samples=(8,), hard_levels=(), every=1, watch="test_a", patience=2)
    config = dataclasses.replace(CONFIG, evaluation=evaluation)
    name, last = config.stages[-1].name, len(config.stages)
    place.results(epath.Path(tmp_path), last, name, 40).parent.mkdir()
    place.results(epath.Path(tmp_path), last, name, 40).touch()
    for waited, is_done in ((2, True), (1, False)):
        position = {"stage": name, "step": 1, "standing": {"watched": "test_a", "waited": waited}}
        opened = opened_at(tmp_path, place.Place(last - 1, 1), [], position)
        assert beginning.is_done(opened, config, str(tmp_path)) == is_done


def test_a_codebook_of_other_sizes_is_refused_before_anything_is_compiled(tmp_path):
    folder = str(write(tmp_path / "book", SMALL))
    codes = CodesConfig(map="depth", codebook=SMALL, folder=folder)
    room = dataclasses.replace(CONFIG.model.text, vocab_size=CONFIG.model.text.vocab_size + 128)
    config = dataclasses.replace(CONFIG, codes=codes, model=dataclasses.replace(CONFIG.model, text=room))
    with contextlib.closing(beginning.open_run(config, str(tmp_path / "run")).checkpoints):
        pass
    wider = dataclasses.replace(codes, codebook=dataclasses.replace(SMALL, width=6))
    with pytest.raises(ValueError, match=r"codes\.codebook\.width must be that of codes\.folder .* \(5\), got 6"):
        beginning.open_run(dataclasses.replace(config, codes=wider), str(tmp_path / "other"))
