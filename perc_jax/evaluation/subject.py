"""The model that is evaluated or graded: a run's newest checkpoint, or a Hugging Face folder or hub id.

`describe` reads small files only, so that mistakes are told at once; `settle` fits the config to this machine; `load`
compiles and reads weights. What a run's config says of training is kept, because the engines' suites follow from it.
Its mesh is not, for the machine may be another one: all devices are data-parallel, in groups of `tensor` that share a
prompt.
"""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import jax

from perc_jax import cli
from perc_jax.config import Config, DataConfig, EvaluationConfig, MeshConfig, RolloutConfig, from_dict
from perc_jax.evaluation.answering import Respondent, way_here
from perc_jax.mesh import sharding
from perc_jax.processes.progress import Progress
from perc_jax.programs.compiled import Programs
from perc_jax.prompt import bounds, pretrained, tokenizer, vocabulary
from perc_jax.prompt.pretrained import Processor
from perc_jax.prompt.questions import Reader
from perc_jax.records import compile_cache
from perc_jax.records.checkpoint import Checkpoints
from perc_jax.weights import fingerprint, growth, safetensors

# Of a published model, where no config says otherwise:
MAX_TOKENS = 1024  # of an answer
BATCH = 32  # prompts of a device call
SIZE_PX, PATCHES = 448, 1024  # of a picture that an engine draws


class Description(NamedTuple):
    """What is known of a model before anything is compiled."""

    name: str  # as it was given
    config: Config
    tokens: tokenizer.Tokenizer
    stored: dict | None  # a run's config as it was saved; None for a Hugging Face model
    fingerprint: str  # of the checkpoint's record, or of a Hugging Face folder's tensors (`weights.fingerprint`)
    pixels: Processor  # bounds on the area of a picture of any size that is not a table's
    step: int | None = None  # of a run's checkpoint, the one that is asked whatever is saved later

    def reader(self, max_tokens: int, *, of_table: bool = False, max_pixels: int = 0) -> Reader:
        """How it reads prompts of up to `max_tokens` tokens.

        Args:
            max_tokens: of a prompt.
            of_table: whether of a user's table, whose pictures are as large as in the run.
            max_pixels: area above which pictures are reduced in any case (0: no other than the model's).
        """
        pixels = bounds.of_tables(self.config) if of_table else self.pixels
        if max_pixels:
            pixels = pixels._replace(max_pixels=max(max_pixels, pixels.min_pixels))
        return Reader(self.tokens, self.config.model.vision, pixels, max_tokens)


class Subject(NamedTuple):
    """A model that can be asked."""

    config: Config
    tokens: tokenizer.Tokenizer
    programs: Programs
    params: Any  # laid out for decoding

    def respondent(
        self, *, samples: int = 1, temperature: float = 0.0, top_p: float = 1.0, seed: int = 0
    ) -> Respondent:
        """Build what asks it for `samples` answers per prompt."""
        how = {"samples": samples, "temperature": temperature, "top_p": top_p, "seed": seed}
        return Respondent(self.config, self.programs, self.params, self.tokens, **how)


def describe(model: str, config_file: str = "") -> Description:
    """Read what a model's small files say; `config_file` may be given with a Hugging Face model only.

    Raises `ValueError` if there is no checkpoint, or the weights do not fit the config; `FileNotFoundError` for a model
    that is not there.
    """
    if not pretrained.is_pretrained(model):
        if config_file:
            raise ValueError(f"--config must be left out for a run's workdir, which has its own, got {config_file}")
        return _trained(model)
    folder = pretrained.folder_of(model)
    config = cli.with_model(cli.load_config(config_file), model) if config_file else _bare(model, folder)
    config = vocabulary.settled(config, fetch=True)
    tokens = tokenizer.of(config)
    safetensors.check(folder, config.model, growth.of_folder(config, tokens, folder))
    ends = (*tokens.ids.ends, *pretrained.end_ids(folder))
    tokens.ids = tokens.ids._replace(ends=tuple(dict.fromkeys(ends)))
    pixels = bounds.of_others(config, pretrained.processor(folder)) if config_file else pretrained.processor(folder)
    return Description(model, config, tokens, None, fingerprint.of_folder(folder), pixels)


def settle(
    described: Description, *, batch: int = 0, max_tokens: int = 0, tensor: int = 0, samples: int = 1
) -> Description:
    """Fit a model's config to this machine and to what is asked.

    Args:
        described: of `describe`.
        batch: prompts per device call over all hosts. Default: the config's `evaluation.batch`, fewer if each has
            several answers, rounded up to a multiple of the data-parallel devices.
        max_tokens: of an answer (default: the config's `rollout.max_tokens`).
        tensor: devices that share a prompt (default: the config's `mesh.tensor`).
        samples: answers per prompt.
    """
    config = described.config
    mesh = MeshConfig(tensor=tensor or config.mesh.tensor, cpu_replicas=config.mesh.cpu_replicas)
    sharding.take_cores(mesh)
    rollout = dataclasses.replace(config.rollout, slots=0)  # of training's rollouts only, on the run's machine
    if max_tokens:
        rollout = dataclasses.replace(rollout, max_tokens=max_tokens, short_rings=())
    # Of a stage only what it draws matters here; lengths that fit training need not fit another max_tokens.
    stages = tuple(
        dataclasses.replace(stage, row_widths=(), loss=dataclasses.replace(stage.loss, overlong_tokens=0))
        for stage in config.stages
    )
    way = way_here(config.model.attention, config.data.max_prompt_tokens, config.data.max_patches)
    if not batch:
        multiple = max(1, jax.device_count() // mesh.tensor)
        batch = -(-max(1, config.evaluation.batch // samples) // multiple) * multiple
    return described._replace(
        config=dataclasses.replace(
            config,
            model=dataclasses.replace(config.model, attention=way),
            mesh=mesh,
            rollout=rollout,
            stages=stages,
            evaluation=dataclasses.replace(config.evaluation, batch=batch),
        )
    )


def load(described: Description, screen: Progress, *, greedy: bool = False) -> Subject:
    """Compile the moves of parameters, and read them onto this machine's mesh.

    Args:
        described: of `settle`.
        screen: told what happens.
        greedy: also compile `programs.greedy`, in the config's own bucket.

    Raises `ValueError` where devices, batch and model do not fit each other, and where the checkpoint that was
    described is damaged or gone, or is not the same on all hosts.
    """
    config, name, tokens = described.config, described.name, described.tokens
    steps = {int(step) for step in sharding.of_each_host(float(described.step or 0))}
    if len(steps) > 1:  # one was saved while they were described
        raise ValueError(f"all hosts must ask one checkpoint of {name}, got steps {sorted(steps)}; begin again")
    tokenizer.check_fits(tokens, config.model.text.vocab_size)
    with screen.phase("loading the model"):
        compile_cache.keep(config.cache)
        bare = dataclasses.replace(config, stages=())
        programs = Programs(bare, tokens.ids, greedy=greedy, around=screen.compiling)
        if described.stored is None:
            folder, target = pretrained.folder_of(name), programs.blueprints.rollout_params
            more = growth.of_folder(config, tokens, folder)
            params = safetensors.load_params(folder, config.model, target, growth=more, bar=screen.bar)
        else:
            checkpoints = Checkpoints.named(name, described.step)
            state, _ = checkpoints.restore({"params": programs.params}, described.stored)
            params = programs.publish(state["params"])
    return Subject(config, tokens, programs, params)


def _trained(workdir: str) -> Description:
    """What a run's newest checkpoint says."""
    step = Checkpoints.named(workdir).newest_step()
    checkpoints = Checkpoints.named(workdir, step)
    stored = checkpoints.config()
    config = dataclasses.replace(from_dict(Config, stored), cache="")  # that was for the run's machine
    found = hashlib.sha256(checkpoints.newest_commit()).hexdigest()[: fingerprint.DIGITS]
    return Description(workdir, config, tokenizer.of(config), stored, found, pixels_of_run(config), step)


def pixels_of_run(config: Config) -> Processor:
    """Bounds on the area of a picture that a run is asked about, and that is not of its tables.

    Raises `FileNotFoundError` where the model that it started from is not there.
    """
    if not config.pretrained:
        return bounds.of_others(config, None)
    folder = pretrained.folder_of(config.pretrained, weights=False)
    return bounds.of_others(config, pretrained.processor(folder))


def _bare(model: str, folder: Path) -> Config:
    """A config for a published model that says nothing of training; pictures are bounded by the folder's processor."""
    return Config(
        name="published",
        model=pretrained.model_config(folder),
        data=DataConfig(
            tokenizer=model,
            image_px=SIZE_PX,
            max_prompt_tokens=SIZE_PX,
            max_patches=PATCHES,
            instruction="",
            **pretrained.processor(folder)._asdict(),
        ),
        rollout=RolloutConfig(max_tokens=MAX_TOKENS),
        stages=(),
        evaluation=EvaluationConfig(suites=(), samples=(), batch=BATCH),
        pretrained=model,
    )
