"""What is measured: a config of one GRPO stage, and prompts that fill its bucket to the last token.

Every prompt is a picture of random pixels and a question of random words, made by the run's own code with the debug
tokenizer's text, so that ours and a peer's programs read the same ids and the same patches. No completion ends early:
the end tokens are never sampled here, so a rollout decodes exactly C tokens per completion on both sides. With a mean
length one token in so many ends its completion, and the model finds all tokens almost equally likely: lengths are then
geometric, cut at C, and drawn by the model itself.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8

from perc_jax.batch import PromptBatch, TokenIds
from perc_jax.config import Config, StageConfig
from perc_jax.model.pixels import values
from perc_jax.prompt import tokenizer
from perc_jax.prompt.prompt import Prompt, lay_out, make_prompt, pack
from perc_jax.prompt.tokenizer import Tokenizer

TOKENIZER = "debug.model"
TRIES = 200  # words tried as the last ones of a question


class Case(NamedTuple):
    """Prompts as we read them, and what they were made of, for a peer's own processor."""

    batch: PromptBatch
    questions: list[str]
    pictures: list[UInt8[np.ndarray, "h w 3"]]


class Size(NamedTuple):
    """Of a prompt: its square picture and all of its tokens."""

    side_px: int
    tokens: int


class PeerPrompts(NamedTuple):
    """Prompts as Hugging Face's model reads them."""

    input_ids: Int[np.ndarray, "P S"]
    pixel_values: Float[np.ndarray, "patches X"]
    image_grid_thw: Int[np.ndarray, "P 3"]


def shaped(
    config: Config,
    prompt_tokens: int = 0,
    max_tokens: int = 0,
    group_size: int = 0,
    prompts: int = 0,
    mean_tokens: int = 0,
) -> Config:
    """The config with its last GRPO stage only, in the given shapes; 0 leaves a shape as it is. Nothing is evaluated.

    With `mean_tokens` completions have different lengths, and the update rows of several widths. With `prompt_tokens`
    the picture is the largest square of whole windows that takes at most half of the prompt, as
    in the recipes. Raises `ValueError` if there is no GRPO stage or a shape is not possible.
    """
    stages = [stage for stage in config.stages if stage.kind == "grpo"]
    if not stages:
        raise ValueError(f"config {config.name} must have a stage of kind 'grpo', got none")
    stage = stages[-1]
    stage = dataclasses.replace(
        stage,
        group_size=group_size or stage.group_size,
        prompts_per_step=prompts or stage.prompts_per_step,
        row_widths=(),
    )
    data, vision = config.data, config.model.vision
    if prompt_tokens:
        window = vision.window_size
        unit = vision.patch_size * vision.spatial_merge_size
        windows = int((prompt_tokens / 2) ** 0.5 * unit) // window
        if windows < 1:
            raise ValueError(f"--prompt-tokens must hold twice a window of {window} px, got {prompt_tokens}")
        side = windows * window
        patches = (side // vision.patch_size) ** 2
        data = dataclasses.replace(
            data, image_px=side, max_prompt_tokens=prompt_tokens, max_patches=patches, buckets=()
        )
    rollout = config.rollout
    if max_tokens:  # a ring on the way there would have to divide it
        rollout = dataclasses.replace(rollout, max_tokens=max_tokens, short_rings=())
    if mean_tokens:
        whole = stage.group_size * rollout.max_tokens
        stage = dataclasses.replace(stage, row_widths=tuple(whole * eighths // 8 for eighths in (1, 2, 3, 4)))
    return dataclasses.replace(
        config,
        data=dataclasses.replace(data, tokenizer=TOKENIZER, instruction=""),
        rollout=rollout,
        stages=(stage,),
        evaluation=dataclasses.replace(config.evaluation, batch=stage.prompts_per_step),
        pretrained="",
    )


def without_narrow_rows(config: Config) -> Config:
    """A case whose updates are not measured: of their programs it has the widest only."""
    stages = tuple(dataclasses.replace(stage, row_widths=()) for stage in config.stages)
    return dataclasses.replace(config, stages=stages)


def drawn_ids(tokens: Tokenizer, vocab_size: int, mean_tokens: int = 0) -> TokenIds:
    """Token ids under which every id is sampled but the marks. None ends a completion; with `mean_tokens`, one in so
    many does."""
    ids = tokens.ids
    never = {*ids.forbidden, *ids.ends}
    ids = ids._replace(forbidden=tuple(never), vocab_size=vocab_size)
    if not mean_tokens:
        return ids
    drawn = [token for token in range(vocab_size) if token not in never]
    return ids._replace(ends=tuple(drawn[: max(1, round(len(drawn) / mean_tokens))]))


def draw(config: Config, stage: StageConfig, seed: int, sizes: Sequence[Size] = ()) -> Case:
    """Draw the stage's prompts; `sizes` says of each what it fills, none: the bucket.

    Raises `ValueError` if a picture and the chat around it leave no room for words in a prompt's tokens.
    """
    tokens, data, vision = tokenizer.load(TOKENIZER), config.data, config.model.vision
    rng = np.random.default_rng(seed)
    rows, questions, pictures = [], [], []
    for size in sizes or [Size(data.image_px, data.max_prompt_tokens)] * stage.prompts_per_step:
        picture = rng.integers(0, 256, (size.side_px, size.side_px, 3), np.uint8)
        question, prompt = _fill(config, tokens, picture, size.tokens, rng)
        rows.append(
            lay_out(
                prompt,
                max_tokens=data.max_prompt_tokens,
                max_patches=data.max_patches,
                pad=tokens.ids.pad,
                vision=vision,
            )
        )
        questions.append(question)
        pictures.append(picture)
    return Case(pack(rows), questions, pictures)


def _fill(
    config: Config, tokens: Tokenizer, picture: np.ndarray, wanted: int, rng: np.random.Generator
) -> tuple[str, Prompt]:
    """A question with which the prompt has exactly so many tokens."""

    def made(question: str) -> Prompt:
        return make_prompt([picture], question, tokenizer=tokens, vision=config.model.vision)

    question, length = "", len(made("").tokens)
    for _ in range(TRIES + wanted):
        if length == wanted:
            return question, made(question)
        word = "".join(chr(97 + letter) for letter in rng.integers(0, 26, rng.integers(1, 4)))
        longer = f"{question} {word}"
        grown = length - len(tokens.encode(question)) + len(tokens.encode(longer))
        if grown <= wanted:
            question, length = longer, grown
    side = len(picture)
    raise ValueError(f"data.max_prompt_tokens must hold the chat, a picture of {side} px and words, got {wanted}")


def for_peer(config: Config, batch: PromptBatch) -> PeerPrompts:
    """The same prompts in Hugging Face's form: patches of merge units row by row, no padding."""
    read, grids = [], []
    vision = config.model.vision
    merge, of_batch = vision.spatial_merge_size, values(batch.pixels, batch.patch_image, vision.temporal_patch_size)
    for patches, rowcol, owner in zip(np.asarray(of_batch), batch.patch_rowcol, batch.patch_image, strict=True):
        patches, (row, column) = patches[owner >= 0], rowcol[owner >= 0].T
        rows, columns = int(row.max()) + 1, int(column.max()) + 1
        unit = (row // merge) * (columns // merge) + column // merge
        place = (unit * merge + row % merge) * merge + column % merge
        read.append(patches[np.argsort(place)])
        grids.append((1, rows, columns))
    return PeerPrompts(np.asarray(batch.tokens), np.concatenate(read), np.array(grids))
