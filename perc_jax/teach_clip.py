"""A tiny FG-CLIP, taught on the engines' pictures and what they show in words: for pipelines that a laptop can run.

    python -m perc_jax.teach_clip --out runs/clip

The folder has the names and forms of the published ones, so `clip.folder` takes it as it takes those. Pictures and
texts are those of grids and boards of the training split; the two text paths learn in turn to tell which
text belongs to which picture of a batch (InfoNCE, Radford et al., arXiv 2103.00020, section 2.3). At the end other
scenes say how well it does. Equal arguments give equal bytes on equal machines.
"""

import argparse
import dataclasses
import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from perc_jax.config import TINY_CLIP as TINY
from perc_jax.config import ClipConfig
from perc_jax.processes import ends

if TYPE_CHECKING:
    from perc_jax.batch import Array
    from perc_jax.clip import Clip

MARKS = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>"}
# What CLIP's tokenizer takes for words: its own expression.
WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
TAUGHT = (  # types of the scenes
    ("grid", "grid_size"),
    ("grid", "read_colour"),
    ("grid", "count_colour"),
    ("sudoku", "count_empty"),
    ("sudoku", "read"),
)
LEVEL, SEED, BATCH = 0, 0, 64
SCALE = 20.0  # of cosines in the loss
RATE, WARMUP, DECAY = 1e-3, 50, 0.05


class Scenes(NamedTuple):
    """n pictures and what they show."""

    pictures: np.ndarray  # uint8 [n, S, S, 3]
    texts: list[str]


def main(argv: Sequence[str] | None = None) -> None:
    """Draw, teach, write, measure."""
    with ends.told():
        parser = ends.Parser(prog="python -m perc_jax.teach_clip", description=__doc__.splitlines()[0])
        add = parser.add_argument
        add("--out", type=Path, required=True, metavar="DIR", help="folder of the model")
        add("--scenes", type=int, default=4000, metavar="N", help="to learn from (default %(default)s)")
        add("--steps", type=int, default=800, metavar="N", help=f"of {BATCH} scenes each (default %(default)s)")
        add("--test-scenes", type=int, default=512, metavar="N", help="to be measured on (default %(default)s)")
        asked = parser.parse_args(argv)
        _check(asked)
        teach(asked)


def _check(asked: argparse.Namespace) -> None:
    for name, least in (("scenes", BATCH), ("steps", 1), ("test_scenes", BATCH)):
        if getattr(asked, name) < least:
            raise ValueError(f"--{name.replace('_', '-')} must be >= {least}, got {getattr(asked, name)}")
    if asked.test_scenes % BATCH:
        raise ValueError(f"--test-scenes must be a multiple of {BATCH}, got {asked.test_scenes}")
    if asked.out.exists() and any(asked.out.iterdir()):
        raise ValueError(f"--out must be a folder that is empty or not there, got {asked.out}")


def teach(asked: argparse.Namespace) -> dict[str, float]:
    """Make the model and say how well it tells scenes apart. Raises `OSError` where the folder cannot be written."""
    from perc_jax.processes.progress import Progress
    from perc_jax.prompt.clip_inputs import ClipTokenizer

    asked.out.mkdir(parents=True, exist_ok=True)  # first: what cannot be written need not be taught
    with Progress(600.0) as screen:
        with screen.bar("drawing", asked.scenes + asked.test_scenes, 0) as advance:
            learnt = drawn("train", asked.scenes, advance)
            test = drawn("test_a", asked.test_scenes, advance)
        write_small_files(asked.out, learnt.texts)
        read = [
            ClipTokenizer(asked.out, length=length, begin=TINY.begin, end=TINY.end)
            for length in (TINY.positions, TINY.long_positions)
        ]
        with screen.bar("teaching", asked.steps, 0) as advance:
            params = _taught(learnt, [one(learnt.texts).tokens for one in read], asked.steps, advance)
        _write_weights(asked.out, params)
        found = measured(asked.out, test)
        for name, value in found.items():
            screen.say(f"{name} {value:.3f}")
    return found


def drawn(split: str, count: int, advance: Any = lambda _: None) -> Scenes:
    """Draw scenes of the types in turn."""
    import engines

    pictures, texts = [], []
    for number in range(count):
        engine, question_type = TAUGHT[number % len(TAUGHT)]
        sample = engines.sample(
            engine, question_type=question_type, split=split, index=number, level=LEVEL, size_px=TINY.image_px
        )
        pictures.append(sample.image)
        texts.append(sample.scene_text)
        advance(1)
    return Scenes(np.stack(pictures), texts)


def write_small_files(folder: Path, texts: Sequence[str]) -> None:
    """Write tokenizer, config and processor; the tokenizer's words are those of the texts, its bytes all there are."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

    suffix, letters = "</w>", sorted(pre_tokenizers.ByteLevel.alphabet())
    learner = Tokenizer(models.BPE(end_of_word_suffix=suffix))
    learner.normalizer = normalizers.Lowercase()
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    known = [*letters, *(letter + suffix for letter in letters)]
    room = TINY.vocabulary - len(known) - len(MARKS)
    trainer = trainers.BpeTrainer(
        vocab_size=TINY.vocabulary, initial_alphabet=letters, end_of_word_suffix=suffix, show_progress=False
    )
    learner.train_from_iterator(texts, trainer)
    merges = [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]][:room]
    joined = [first + second for first, second in merges]
    spare = [f"<|spare{number}|>" for number in range(room - len(merges))]
    words = [*known, *joined, *spare, *MARKS.values()]
    _write(folder / "vocab.json", json.dumps({word: number for number, word in enumerate(words)}, ensure_ascii=False))
    _write(folder / "merges.txt", "\n".join(["#version: 0.2", *(" ".join(pair) for pair in merges)]) + "\n")
    marks = MARKS | {"unk_token": MARKS["eos_token"], "pad_token": MARKS["eos_token"]}
    _write(folder / "tokenizer_config.json", json.dumps(marks | {"tokenizer_class": "CLIPTokenizer"}, indent=1))
    _write(folder / "config.json", json.dumps(_published(TINY), indent=1))


def _published(config: ClipConfig) -> dict[str, Any]:
    """A model's config.json."""
    towers = {
        f"{name}_config": {
            "hidden_size": tower.width,
            "intermediate_size": tower.hidden,
            "num_hidden_layers": tower.layers,
            "num_attention_heads": tower.heads,
            "hidden_act": "quick_gelu",
            "layer_norm_eps": 1e-5,
        }
        for name, tower in (("text", config.text), ("vision", config.vision))
    }
    towers["text_config"] |= {"vocab_size": config.vocabulary, "max_position_embeddings": config.positions}
    towers["vision_config"] |= {"image_size": config.image_px, "patch_size": config.patch_px}
    return {"model_type": "clip", "architectures": ["FGCLIPModel"], "projection_dim": config.projection, **towers}


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")


def _taught(scenes: Scenes, tokens: Sequence[np.ndarray], steps: int, advance: Any) -> Any:
    """The parameters after so many steps; `tokens` are the texts' for the short and for the long path."""
    import jax
    import optax

    from engines.base import make_rng
    from perc_jax.clip import bind, init_params

    tokens = [ids[:, : _longest(ids)] for ids in tokens]
    rate = optax.warmup_cosine_decay_schedule(0.0, RATE, WARMUP, max(steps, WARMUP + 1))
    optimizer = optax.adamw(rate, weight_decay=DECAY)

    @functools.partial(jax.jit, static_argnames="long", donate_argnums=(0, 1))
    def step(params: Any, state: Any, pictures: "Array", ids: "Array", *, long: bool) -> tuple[Any, Any]:
        gradient = jax.grad(lambda given: _loss(bind(TINY, given), pictures, ids, long=long))(params)
        updates, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, updates), state

    params = jax.jit(init_params, static_argnums=0)(TINY, jax.random.key(SEED))
    state, rng = optimizer.init(params), make_rng("teach_clip", SEED)
    for number in range(steps):
        chosen, long = rng.choice(len(scenes.texts), size=BATCH, replace=False), number % 2
        params, state = step(params, state, scenes.pictures[chosen], tokens[long][chosen], long=bool(long))
        jax.block_until_ready(state)
        advance(1)
    return jax.device_get(params)


def _longest(ids: np.ndarray) -> int:
    """Tokens up to which a text has more than end marks, with one of those."""
    return int((ids != TINY.end).sum(axis=1).max()) + 1


def _loss(model: "Clip", pictures: "Array", ids: "Array", *, long: bool) -> "Array":
    """Which text belongs to which picture and the other way round, on one of the paths."""
    import jax.numpy as jnp
    import optax

    from perc_jax.clip import cosine

    pairs = SCALE * cosine(model.pictures(pictures)[:, None], model.texts(ids, long=long)[None])
    right = jnp.arange(len(pairs))
    return sum(optax.softmax_cross_entropy_with_integer_labels(one, right).mean() for one in (pairs, pairs.T))


def _write_weights(folder: Path, params: Any) -> None:
    from safetensors.numpy import save

    from perc_jax.clip.params import to_tensors

    tensors = to_tensors(TINY, params)
    part = folder / "model.safetensors.part"
    # Its `save_file` makes files that nobody else may read.
    part.write_bytes(save({name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}))
    part.replace(folder / "model.safetensors")


def measured(folder: Path, scenes: Scenes) -> dict[str, float]:
    """How often a scene's own text is the nearest of `BATCH`, and mean cosines of right and of wrong pairs.

    Raises `ValueError` for scenes that are no multiple of `BATCH`.
    """
    import jax

    from perc_jax.clip import abstract_params, bind, cosine
    from perc_jax.prompt.clip_inputs import ClipTokenizer
    from perc_jax.weights import clip_folder

    if not scenes.texts or len(scenes.texts) % BATCH:
        raise ValueError(f"scenes must be a multiple of {BATCH}, got {len(scenes.texts)}")
    config = dataclasses.replace(TINY, folder=str(folder))
    here = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    target = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=here), abstract_params(config))
    params = clip_folder.load(folder, config, target)
    tokens = ClipTokenizer(folder, length=TINY.long_positions, begin=TINY.begin, end=TINY.end)(scenes.texts).tokens

    @jax.jit
    def compare(pictures: "Array", ids: "Array") -> "Array":
        model = bind(config, params)
        return cosine(model.pictures(pictures)[:, None], model.texts(ids)[None])

    right, own, others = [], [], []
    for begin in range(0, len(tokens), BATCH):
        part = slice(begin, begin + BATCH)
        pairs = np.asarray(compare(scenes.pictures[part], tokens[part]))
        right += (pairs.argmax(axis=1) == np.arange(BATCH)).tolist()
        own += np.diag(pairs).tolist()
        others += pairs[~np.eye(BATCH, dtype=bool)].tolist()
    nearest = f"its own text is the nearest of {BATCH}"
    return {nearest: np.mean(right), "cosine of its own": np.mean(own), "cosine of others": np.mean(others)}


if __name__ == "__main__":
    main()
