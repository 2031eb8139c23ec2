"""A codebook of maps, taught on the maps that engines know: what perception tokens are written with.

    python -m perc_jax.teach_codes --out runs/codes --engines depth,scene --map depth

Maps of scenes of the training split are learnt from, those of test_a tell at the end how well they are restored and how
many codes are used. What is measured is what a run's workers will do: `prompt/codebook.py` writes the maps in codes and
restores them. The numbers are kept in `config.json`. Equal arguments give equal bytes on equal machines.

At first there are no codes: encoder and decoder learn as they would without. Then, and again each so often, every code
that none of the last maps took is set on something that the encoder says (random restarts of Jukebox, arXiv 2005.00341,
section 3.1), which is chosen as k-means++ chooses its centres: most cells look alike, and need no second code.
"""

import argparse
import dataclasses
import functools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import numpy as np
from jaxtyping import Float, Float32, Int

from perc_jax.config import CodebookConfig, check
from perc_jax.processes import ends
from perc_jax.prompt.codebook import CONFIG, KIND, WEIGHTS, Codebook, Kind, resized, values

if TYPE_CHECKING:
    from perc_jax.batch import Array

SEED, BATCH = 0, 32
RATE, WARMUP = 3e-3, 50
FREE = 0.1  # share of the steps that are taught without codes, at first
RESTARTS, SETTLED = 50, 0.7  # steps between them; share of the steps after which codes stay what they are
PATIENCE = 100  # samples of an engine in a row that may have no such map
SAID = 10  # times that the loss is told
HELP = {  # of what is a field of `CodebookConfig`
    "side": "codes along an edge of a map",
    "codes": "in the book",
    "width": "of a code's vector",
    "map_px": "side of the maps, --side x a power of two",
    "channels": "of the convolutions",
    "commitment": "weight of the encoder's distance from its codes",
}


class Asked(NamedTuple):
    """What is to be drawn."""

    kind: Kind
    engines: tuple[str, ...]
    levels: tuple[int, ...]
    photo_share: float
    map_px: int


class Measured(NamedTuple):
    """How well a codebook does on maps that it did not learn from."""

    mse: float  # of restored maps
    variance_share: float  # of the error that the mean of all maps learnt from makes
    used: float  # share of the codes that any of the maps took
    perplexity: float  # of codes, over all cells: as many equally frequent ones would be as hard to guess


def main(argv: Sequence[str] | None = None) -> None:
    """Draw, teach, write, measure."""
    with ends.told():
        asked = _parser().parse_args(argv)
        config = CodebookConfig(**{name: getattr(asked, name) for name in HELP})
        wanted = Asked(asked.map, asked.engines, asked.levels, asked.photo_share, config.map_px)
        _check(asked, config)
        teach(asked.out, config, wanted, maps=asked.maps, steps=asked.steps, test_maps=asked.test_maps)


def _parser() -> argparse.ArgumentParser:
    parser = ends.Parser(prog="python -m perc_jax.teach_codes", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="folder of the codebook")
    add("--engines", type=_names, default=("depth", "scene"), metavar="A,B", help="whose maps (default depth,scene)")
    add("--map", choices=get_args(Kind), default="depth", help="which of their maps (default %(default)s)")
    add("--levels", type=_numbers, default=(0, 1, 2), metavar="L,L", help="of the scenes (default 0,1,2)")
    add("--photo-share", type=float, default=0.0, metavar="X", help="of maps as photographs see them (default 0)")
    add("--maps", type=int, default=4000, metavar="N", help="to learn from (default %(default)s)")
    add("--steps", type=int, default=3000, metavar="N", help=f"of {BATCH} maps each (default %(default)s)")
    add("--test-maps", type=int, default=512, metavar="N", help="to be measured on (default %(default)s)")
    for field in dataclasses.fields(CodebookConfig):
        name = f"--{field.name.replace('_', '-')}"
        told = f"{HELP[field.name]} (default %(default)s)"
        add(name, type=type(field.default), default=field.default, metavar="N", help=told)
    return parser


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in _names(text))


def _check(asked: argparse.Namespace, config: CodebookConfig) -> None:
    import engines

    check(config)
    for name, least in (("maps", BATCH), ("steps", 1), ("test_maps", 1)):
        if getattr(asked, name) < least:
            raise ValueError(f"--{name.replace('_', '-')} must be >= {least}, got {getattr(asked, name)}")
    unknown = [name for name in asked.engines if name not in engines.ENGINES]
    if unknown or not asked.engines:
        raise ValueError(f"--engines must be of {', '.join(engines.ENGINES)}, got {', '.join(unknown) or 'none'}")
    if not asked.levels or not all(0 <= level <= 9 for level in asked.levels):
        raise ValueError(f"--levels must be of 0..9, got {', '.join(map(str, asked.levels)) or 'none'}")
    if not 0 <= asked.photo_share <= 1:
        raise ValueError(f"--photo-share must be within 0..1, got {asked.photo_share}")
    if asked.out.exists() and any(asked.out.iterdir()):
        raise ValueError(f"--out must be a folder that is empty or not there, got {asked.out}")


def teach(out: Path, config: CodebookConfig, asked: Asked, *, maps: int, steps: int, test_maps: int) -> Measured:
    """Make a codebook and say how well it does.

    Raises `ValueError` for engines that have no such map, `OSError` where the folder cannot be written.
    """
    from engines import ENGINES
    from perc_jax.processes.progress import Progress

    out.mkdir(parents=True, exist_ok=True)  # first: what cannot be written need not be taught
    with Progress(600.0) as screen:
        with screen.bar("drawing", maps + test_maps, 0) as advance:
            learnt = drawn("train", maps, asked, advance)
            test = drawn("test_a", test_maps, asked, advance)
        with screen.bar("teaching", steps, 0) as advance:
            tensors = taught(config, learnt, steps, advance, screen.say)
        told = {
            "map": asked.kind,
            "learnt_from": {
                "engines": {name: ENGINES[name].version for name in asked.engines},
                "levels": asked.levels,
                "photo_share": asked.photo_share,
                "maps": maps,
                "steps": steps,
            },
        }
        found = measured(Codebook(config, asked.kind, tensors), test)
        write(out, config, tensors, told | {"measured": found._asdict()})
        for line in _report(found, config, test_maps):
            screen.say(line)
    return found


def drawn(split: str, count: int, asked: Asked, advance: Any = lambda _: None) -> Float32[np.ndarray, "n M M"]:
    """Maps of scenes of the engines in turn, each at the levels in turn, as the network takes them."""
    sources = [_maps(name, split, asked) for name in asked.engines]
    found = np.empty((count, asked.map_px, asked.map_px), np.float32)
    for number in range(count):
        found[number] = next(sources[number % len(sources)])
        advance(1)
    return found


def _maps(engine: str, split: str, asked: Asked) -> Iterator[Float32[np.ndarray, "M M"]]:
    """The maps of an engine, those of its samples left out that have none."""
    import engines
    from engines.base import make_rng
    from engines.maps import maps

    types = [kind for kind in engines.ENGINES[engine].types if not kind.held_out]
    rng, number, last = make_rng("teach_codes", engine, split), 0, 0
    while number - last <= PATIENCE:
        level = asked.levels[number % len(asked.levels)]
        size_px = max(asked.map_px, min(kind.min_size_px[level] for kind in types))
        is_photo = bool(rng.random() < asked.photo_share)
        sample = engines.sample(engine, split=split, index=number, level=level, size_px=size_px, photo=is_photo)
        number += 1
        held = maps(sample)
        if asked.kind in held:
            last = number
            yield resized(values(asked.kind, held[asked.kind]), asked.map_px)
    raise ValueError(f"--map must be one that the engine {engine} knows, got {asked.kind}: {PATIENCE} samples without")


def taught(config: CodebookConfig, maps: Float32[np.ndarray, "n M M"], steps: int, advance: Any, say: Any) -> Any:
    """The tensors after so many steps."""
    import jax
    import optax

    from engines.base import make_rng
    from perc_jax.codes import Losses, bind, init_params, to_tensors

    rate = optax.warmup_cosine_decay_schedule(0.0, RATE, WARMUP, max(steps, WARMUP + 1))
    optimizer = optax.adam(rate)

    def loss(params: Any, batch: "Array", free: bool) -> tuple["Array", Losses]:
        found = bind(config, params).loss(batch, free=free)
        return found.total, found

    @functools.partial(jax.jit, static_argnums=3)
    def step(params: Any, state: Any, batch: "Array", free: bool) -> tuple[Any, Any, Losses]:
        gradient, found = jax.grad(loss, has_aux=True)(params, batch, free)
        updates, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, found

    encode = jax.jit(lambda params, batch: bind(config, params).encode(batch))
    params = jax.jit(init_params, static_argnums=0)(config, jax.random.key(SEED))
    params |= dict(zip(("mean", "scale"), spread(maps), strict=True))
    state, rng = optimizer.init(params), make_rng("teach_codes", SEED)
    taken = np.zeros(config.codes, int)  # how often each code was, since the last restarts
    first = int(FREE * steps)
    for number in range(steps):
        batch = maps[rng.choice(len(maps), size=BATCH, replace=False)]
        if number >= first and (number - first) % RESTARTS == 0 and number <= SETTLED * steps:
            states = np.asarray(encode(params, batch)).reshape(-1, config.width)
            params["book"] = restarted(np.asarray(params["book"]), taken, states, rng)
            taken[:] = 0
        params, state, found = step(params, state, batch, number < first)
        taken += (number >= first) * np.bincount(np.asarray(found.codes).ravel(), minlength=config.codes)
        if (number + 1) % -(-steps // SAID) == 0:
            say(f"step {number + 1}: reconstruction {found.reconstruction:.5f} commitment {found.commitment:.5f}")
        advance(1)
    return to_tensors(jax.device_get(params))


def spread(maps: Float32[np.ndarray, "n M M"]) -> tuple[Float32[np.ndarray, "M M"], Float32[np.ndarray, ""]]:
    """The mean map, and the root mean square of how maps differ from it. Raises `ValueError` for maps all alike."""
    mean = maps.mean(axis=0, dtype=np.float64).astype(np.float32)
    scale = np.sqrt(np.mean([np.square(one - mean).mean(dtype=np.float64) for one in maps]))
    if not scale > 0:
        raise ValueError("--map must differ between the scenes of --engines, got maps that are all the same")
    return mean, np.asarray(scale, np.float32)


def restarted(
    book: Float[np.ndarray, "V W"],
    taken: Int[np.ndarray, " V"],
    states: Float[np.ndarray, "N W"],
    rng: np.random.Generator,
) -> Float32[np.ndarray, "V W"]:
    """The book with every code that was never taken set on one of the states, as k-means++ chooses: each by its squared
    distance to the nearest code, those that were set before it counted; where there is none yet, all alike."""
    made, far = np.array(book, np.float32), np.full(len(states), np.inf)
    for code in book[taken > 0]:
        far = np.minimum(far, np.square(states - code).sum(axis=1))
    for number in np.flatnonzero(taken == 0):
        is_told = 0 < far.sum() < np.inf
        made[number] = states[rng.choice(len(states), p=far / far.sum() if is_told else None)]
        far = np.minimum(far, np.square(states - made[number]).sum(axis=1))
    return made


def measured(codebook: Codebook, maps: Float32[np.ndarray, "n M M"]) -> Measured:
    """Write maps in codes and restore them. Who knows no codes would guess the mean map that the folder holds."""
    codes = np.array([codebook.codes(one) for one in maps])
    errors = [float(np.square(codebook.restore(one) - given).mean()) for one, given in zip(codes, maps, strict=True)]
    shares = np.bincount(codes.ravel(), minlength=codebook.config.codes) / codes.size
    some = shares[shares > 0]
    mse, blind = float(np.mean(errors)), float(np.square(maps - codebook.tensors["mean"]).mean())
    return Measured(mse, mse / blind, float((shares > 0).mean()), float(np.exp(-(some * np.log(some)).sum())))


def _report(found: Measured, config: CodebookConfig, maps: int) -> Iterator[str]:
    yield f"of {maps} maps of test_a, each in {config.length} codes:"
    yield f"mean squared error {found.mse:.5f}, {found.variance_share:.1%} of the maps' variance"
    yield f"codes used {found.used:.1%} of {config.codes}, perplexity {found.perplexity:.1f}"


def write(folder: Path, config: CodebookConfig, tensors: dict[str, np.ndarray], told: dict[str, Any]) -> None:
    """Write a codebook's folder; `told` goes into config.json beside the sizes and the `map`."""
    from safetensors.numpy import save

    folder.mkdir(parents=True, exist_ok=True)
    described = {"model_type": KIND, **dataclasses.asdict(config), **told}
    (folder / CONFIG).write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    part = folder / f"{WEIGHTS}.part"
    part.write_bytes(save(tensors))  # its `save_file` makes files that nobody else may read
    part.replace(folder / WEIGHTS)


if __name__ == "__main__":
    main()
