"""What buckets save: a stage on prompts of two sizes, with a bucket for the small ones and without, in turns.

    python -m perc_jax.bench.buckets --size 100m --large 512 --small 128 --share 0.25

`--large` and `--small` are tokens of a prompt, of which a square picture takes up to half; `--share` is that of the
large ones. The last GRPO stage of the config is measured, with two prompts to a micro-batch and room for half of the
prompts at a time in the rollout. Timed is what buckets change: the look of a frozen vision tower, all prefills of a
step, its update. Decoding is the same with and without.
"""

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from perc_jax import cli
from perc_jax.bench.peer_service import Clock, Spent
from perc_jax.config import Config
from perc_jax.processes import ends
from perc_jax.records.files import to_json

SIZES = ("tiny", "100m")
PARTS = ("pictures", "prefill", "update")


class Mixture(NamedTuple):
    """Tokens of the two sizes of prompts, and how many of each a step has."""

    large: int
    small: int
    large_prompts: int
    small_prompts: int


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line, measure, print and write."""
    with ends.told():
        arguments, rest = _parse(argv)
        config, _ = cli.parse(["--config", str(cli.CONFIGS / f"bench_{arguments.size}.py"), *rest])
        if arguments.json and not Path(arguments.json).absolute().parent.is_dir():
            raise ValueError(f"--json must be in a folder that exists, got {arguments.json}")
        large = round(arguments.share * arguments.prompts)
        found = measure(
            config,
            Mixture(arguments.large, arguments.small, large, arguments.prompts - large),
            arguments.repeats,
            arguments.seed,
        )
        print("\n".join(lines(found)))
        if arguments.json:
            Path(arguments.json).write_text(to_json(found, indent=1))


def case(config: Config, mixture: Mixture) -> tuple[Config, tuple[int, int]]:
    """The config of a step of the mixture, without a bucket, and the shape of one for the small prompts.

    Raises `ValueError` for sizes that are none.
    """
    from perc_jax.bench.cases import shaped

    if not 0 < mixture.small < mixture.large:
        raise ValueError(f"--small must be below --large ({mixture.large}), got {mixture.small}")
    if min(mixture.large_prompts, mixture.small_prompts) < 1:
        raise ValueError(f"--share must leave prompts of both sizes, got {mixture.large_prompts} large ones")
    prompts = mixture.large_prompts + mixture.small_prompts
    small = shaped(config, prompt_tokens=mixture.small).data
    whole = shaped(config, prompt_tokens=mixture.large, prompts=prompts)
    half = max(1, prompts // 2)
    whole = dataclasses.replace(
        whole,
        rollout=dataclasses.replace(whole.rollout, slots=half),
        stages=(dataclasses.replace(whole.stages[0], micro_batches=half),),
    )
    return whole, (small.max_prompt_tokens, small.max_patches)


def measure(config: Config, mixture: Mixture, repeats: int, seed: int) -> dict[str, Any]:
    """Seconds of each part by the clock and of processors, medians of `repeats`, without and with the bucket."""
    import numpy as np

    from perc_jax.bench import cases, figures, ours
    from perc_jax.prompt import tokenizer

    load = os.getloadavg()[0]
    whole, bucket = case(config, mixture)
    sides = {tokens: cases.shaped(config, prompt_tokens=tokens).data.image_px for tokens in mixture[:2]}
    of_each = [mixture.large] * mixture.large_prompts + [mixture.small] * mixture.small_prompts
    order = np.random.default_rng(seed).permutation(of_each).tolist()
    ids = cases.drawn_ids(tokenizer.load(cases.TOKENIZER), config.model.text.vocab_size)
    stage = whole.stages[0]
    prompts = cases.draw(whole, stage, seed, [cases.Size(sides[tokens], tokens) for tokens in order]).batch
    cut = dataclasses.replace(whole, data=dataclasses.replace(whole.data, buckets=(bucket,)))
    is_large = np.array(order) > bucket[0]
    both = {
        "largest": _Side(ours.Ours(whole, ids, prompts, seed), np.zeros(len(order), int)),
        "buckets": _Side(ours.Ours(cut, ids, prompts, seed), is_large.astype(int)),
    }
    spent: dict[str, list[dict[str, Spent]]] = {name: [] for name in both}
    for _ in range(repeats + 1):
        for name, side in both.items():
            spent[name].append(side.spent())

    def medians(kind: int) -> dict[str, dict[str, float]]:
        """By the clock (0) or of processors (1); the first repeat has warmed up."""
        return {
            name: {part: figures.median([one[part] for one in all_s[1:]], kind) for part in PARTS}
            for name, all_s in spent.items()
        }

    return {
        "config": config.name,
        "mixture": mixture._asdict(),
        "shapes": [*cut.data.buckets, (whole.data.max_prompt_tokens, whole.data.max_patches)],
        "group_size": stage.group_size,
        "max_tokens": whole.rollout.max_tokens,
        "prefill_prompts": whole.rollout.prefill_prompts,
        "load": load,
        "seconds": medians(0),
        "processor_seconds": medians(1),
    }


class _Side:
    """The compiled stage, with a bucket or without; `places` [P]: the place of each prompt's shape."""

    def __init__(self, ours: Any, places: Any):
        self._ours, self._places = ours, places
        self._plan = ours.programs.blueprints.rollout(ours.stage)
        self._prefills = [*(program.compile() for program in self._plan.smaller), self._plan.prefill.compile()]
        self._sampled, _ = ours.rollout()

    def spent(self) -> dict[str, Spent]:
        """Seconds of each part."""
        import jax

        ours, clock = self._ours, Clock()
        prompts = jax.block_until_ready(ours.compiled.look(ours.state.params, ours.prompts))
        found = {"pictures": clock.spent()}
        weights = jax.block_until_ready(ours.programs.publish_for_sampling(ours.state.params))
        clock = Clock()
        jax.block_until_ready(self._prefill(weights, prompts))
        return found | {"prefill": clock.spent()} | ours.update(self._sampled)

    def _prefill(self, weights: Any, prompts: Any) -> list[Any]:
        """The prefills of a step, window by window, as a rollout with slots makes them."""
        import numpy as np

        ours, devices = self._ours, self._plan.devices
        of_devices, given = self._places.reshape(devices, -1), (ours.names, ours.state.key, ours.state.step)
        ahead, done = ours.config.rollout.prefill_prompts, []
        for first in range(0, of_devices.shape[1], ahead):
            place = of_devices[:, first : first + ahead].max()
            done.append(self._prefills[place](weights, prompts, *given, np.full(devices, first, np.int32))[1].begun)
        return done


def lines(found: dict[str, Any]) -> list[str]:
    """The figures in words."""
    from perc_jax.bench.table import beside

    mixture, shapes = found["mixture"], [f"{tokens} x {patches}" for tokens, patches in found["shapes"]]
    return [
        f"{found['config']}: {mixture['small_prompts']} prompts of {shapes[0]} (tokens x patch slots), "
        f"{mixture['large_prompts']} of {shapes[1]}; {found['group_size']} completions of {found['max_tokens']} tokens "
        f"each; two prompts to a micro-batch, {found['prefill_prompts']} to a prefill",
        *beside(found, {"largest": "largest alone", "buckets": "with a bucket"}),
    ]


def _parse(argv: Sequence[str] | None) -> tuple[argparse.Namespace, list[str]]:
    parser = ends.Parser(
        prog="python -m perc_jax.bench.buckets",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--size", choices=SIZES, default="tiny", help="a shipped case (default: %(default)s)")
    parser.add_argument("--large", type=int, default=512, help="tokens of a large prompt (default: %(default)s)")
    parser.add_argument("--small", type=int, default=128, help="tokens of a small one (default: %(default)s)")
    parser.add_argument("--share", type=float, default=0.25, help="of the large ones (default: %(default)s)")
    parser.add_argument("--prompts", type=int, default=16, help="of a step (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--json", metavar="F", help="write the result there")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    return parser.parse_known_args(sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    main()
