"""What going on from a turn saves: conversations in a group's own caches, and each of them laid out anew, in turns.

    python -m perc_jax.bench.turns --size tiny --prompt-tokens 512 --turns 2

A conversation has `--turns` turns that are each replied to with a picture and some words, and one more, all of
`--turn-tokens` tokens. Ours: the group's prompt is prefilled once, replies go through each row's own cache, the update
has group rows and, the vision tower being frozen, takes the features that the rollout left. Anew: at each turn every
conversation, its pictures included, is a prompt of its own, and the update has a row for each. Models, tokens, pictures
and programs are the same; anew gives each turn prompts of the very length that they have. Timed are rollouts up to the
tokens on the host, and updates from the looks at pictures to the optimizer's step.
"""

import argparse
import dataclasses
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from perc_jax import cli
from perc_jax.bench.peer_service import Clock, Spent
from perc_jax.config import Config, EnvironmentConfig
from perc_jax.processes import ends
from perc_jax.records.files import to_json

SIZES = ("tiny", "100m")
PICTURES = ("pixels", "patch_rowcol", "patch_image")
WORDS = "Look again."


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line, measure, print and write."""
    with ends.told():
        arguments, rest = _parse(argv)
        config, _ = cli.parse(["--config", str(cli.CONFIGS / f"bench_{arguments.size}.py"), *rest])
        if arguments.json and not Path(arguments.json).absolute().parent.is_dir():
            raise ValueError(f"--json must be in a folder that exists, got {arguments.json}")
        found = measure(config, arguments)
        print("\n".join(lines(found)))
        if arguments.json:
            Path(arguments.json).write_text(to_json(found, indent=1))


def case(config: Config, prompt_tokens: int, turns: int, turn_tokens: int, side_px: int, reply_tokens: int) -> Config:
    """The config of such conversations, whose replies have so many tokens and a picture of so many pixels a side."""
    from perc_jax.bench.cases import shaped

    vision = config.model.vision
    windows = -(-side_px // vision.window_size)
    environment = EnvironmentConfig(
        "jigsaw",
        turns=turns + 1,
        turn_tokens=turn_tokens,
        pictures=turns,
        shapes=((reply_tokens, windows**2 * vision.window_patches),),
        view_px=side_px,
    )
    most = (turns + 1) * turn_tokens + turns * reply_tokens
    plain = shaped(config, prompt_tokens=prompt_tokens, max_tokens=most)
    segment = min(plain.rollout.segment_tokens, turn_tokens)
    return dataclasses.replace(
        plain,
        data=dataclasses.replace(plain.data, answer_form="answer"),
        rollout=dataclasses.replace(plain.rollout, segment_tokens=segment),
        evaluation=dataclasses.replace(plain.evaluation, blind=0),
        stages=(dataclasses.replace(plain.stages[0], environment=environment),),
    )


def measure(config: Config, arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds of both parts by the clock and of processors, medians of the repeats, ours and anew."""
    import numpy as np

    from perc_jax.bench import cases, figures
    from perc_jax.prompt import tokenizer
    from perc_jax.prompt.chat import PICTURE
    from perc_jax.prompt.observe import Observer

    load, tokens, side = os.getloadavg()[0], tokenizer.load(cases.TOKENIZER), arguments.picture_px
    observer = Observer(tokens, config.model.vision, side**2, side**2)
    picture = np.random.default_rng(arguments.seed).integers(0, 256, (side, side, 3), np.uint8)
    length = len(observer.reply((PICTURE, WORDS), (picture,), 0).tokens)
    whole = case(config, arguments.prompt_tokens, arguments.turns, arguments.turn_tokens, side, length)
    ids, stage = cases.drawn_ids(tokens, config.model.text.vocab_size), whole.stages[0]
    prompts = cases.draw(whole, stage, arguments.seed).batch
    ours = _Ours(whole, ids, prompts, lambda start: observer.reply((PICTURE, WORDS), (picture,), start), arguments.seed)
    first = ours.spent()
    anew = _Anew(ours, ids, prompts)
    anew.spent()
    counter, spent = ours.side.compiles, {"ours": [], "anew": []}
    compiled = counter.count
    for _ in range(arguments.repeats):
        spent["ours"].append(ours.spent())
        spent["anew"].append(anew.spent())

    def medians(kind: int) -> dict[str, dict[str, float]]:
        """By the clock (0) or of processors (1)."""
        return {
            name: {part: figures.median([one[part] for one in all_s], kind) for part in first}
            for name, all_s in spent.items()
        }

    return {
        "config": config.name,
        "prompts": stage.prompts_per_step,
        "group_size": stage.group_size,
        "prompt_tokens": whole.data.max_prompt_tokens,
        "turns": arguments.turns,
        "turn_tokens": arguments.turn_tokens,
        "reply_tokens": length,
        "load": load,
        "recompiles": counter.count - compiled,
        "seconds": medians(0),
        "processor_seconds": medians(1),
    }


class _Ours:
    """Rollouts in turns and updates on them, by the run's own programs. `reply(start)` is what every turn is told."""

    def __init__(self, config: Config, ids: Any, prompts: Any, reply: Callable[[int], Any], seed: int):
        from perc_jax.bench.ours import Ours

        self.side, self._reply, self._turns = (
            Ours(config, ids, prompts, seed),
            reply,
            config.stages[0].environment.turns,
        )
        self.sampled: Any = None  # the last rollout, on the host

    def spent(self) -> dict[str, Spent]:
        """Seconds of a rollout and its update."""
        import jax

        from perc_jax.batch import TrainBatch
        from perc_jax.mesh import sharding

        side, stage, clock = self.side, self.side.compiled, Clock()
        prompts = stage.look(side.state.params, side.prompts)
        self.sampled, on_mesh = stage.roll(prompts, side.names, side.state, self._talk(Counter()))
        found, clock = {"rollout": clock.spent()}, Clock()
        advantages = sharding.rows_to_mesh(side.advantages, side.programs.mesh)
        tokens, logprobs, mask, _, observed = on_mesh
        rows = TrainBatch(prompts, tokens, mask, logprobs, advantages, observed=observed)
        plan = stage.plan(side.prompt_mask, self.sampled.mask, prompts=prompts)
        side.state, metrics = stage.update(side.state, rows, plan)
        jax.block_until_ready((side.state, metrics))
        return found | {"update": clock.spent()}

    def _talk(self, told: Counter[tuple[int, int]]) -> Callable[[Sequence[Any]], Iterator[Any]]:
        """What replies to all turns but each completion's last."""

        def talk(ended: Sequence[Any]) -> Iterator[Any]:
            for turn in ended:
                told[turn.prompt, turn.completion] += 1
                is_last = told[turn.prompt, turn.completion] == self._turns
                yield None if is_last else self._reply(turn.position)

        return talk


class _Anew:
    """Every conversation of `ours`'s last rollout as a prompt of its own: at each turn, and in the update."""

    def __init__(self, ours: _Ours, ids: Any, prompts: Any):
        import jax
        import numpy as np

        from perc_jax.mesh import sharding
        from perc_jax.programs.blueprints import Blueprints
        from perc_jax.update.update import make_encode

        self._side, config = ours.side, ours.side.config
        stage, mesh, compile = config.stages[0], self._side.programs.mesh, self._side.programs.compile
        count = stage.prompts_per_step * stage.group_size
        each = jax.tree.map(lambda x: np.repeat(x, stage.group_size, axis=0), prompts)
        alone = jax.tree.map(lambda x: x.reshape(count, 1, *x.shape[2:]), ours.sampled)
        self._turns = [self._turn(each, alone, number, ids) for number in range(stage.environment.turns)]
        names = np.arange(count, dtype=np.uint32), (np.array([0, 1], np.uint32), np.int32(0))
        self._names = (sharding.rows_to_mesh(names[0], mesh), *sharding.same_to_mesh(names[1], mesh))
        single = dataclasses.replace(stage, group_size=1, prompts_per_step=count, micro_batches=1)
        update = Blueprints(dataclasses.replace(config, stages=(single,)), ids, mesh).update(single)
        self._begin, self._finish = compile(update.begin), compile(update.finish)
        self._gradient, self._look = compile(update.gradients[stage_tokens(config)]), jax.jit(make_encode(config.model))
        rows = np.arange(count, dtype=np.int32)[None], self._side.advantages.reshape(count, 1)
        self._rows, self._batch = (
            sharding.rows_to_mesh(rows[0], mesh),
            sharding.rows_to_mesh((each, alone, rows[1]), mesh),
        )
        room = config.stages[0].environment.shapes[-1][1] // config.model.vision.spatial_merge_size**2
        self._pad = jax.jit(lambda x: jax.numpy.pad(x[:, None], [(0, 0), (0, 0), (0, room), (0, 0)]))

    def _turn(self, each: Any, alone: Any, number: int, ids: Any) -> tuple[Any, Any]:
        """What samples a turn of all conversations, and these so far; all of a moment are equally long."""
        from perc_jax.mesh import sharding
        from perc_jax.programs.blueprints import Blueprints
        from perc_jax.programs.generation import Generation
        from perc_jax.rollout.sampling import Draws

        side, stage = self._side, self._side.config.stages[0]
        turn, (tokens, patches) = stage.environment.turn_tokens, stage.environment.shapes[0]
        so_far = prompts_of(each, alone, number * (turn + tokens), number * patches)
        config = dataclasses.replace(
            side.config,
            data=dataclasses.replace(
                side.config.data,
                max_prompt_tokens=so_far.tokens.shape[1],
                max_patches=so_far.pixels.shape[1],
            ),
            rollout=dataclasses.replace(side.config.rollout, max_tokens=turn, short_rings=()),
            stages=(dataclasses.replace(stage, environment=EnvironmentConfig()),),
        )
        blueprints = Blueprints(config, ids, side.programs.mesh)
        plan = blueprints.sampling(f"anew {number}", len(so_far.tokens), 1, Draws())
        return Generation(plan, side.programs.compile), sharding.rows_to_mesh(so_far, side.programs.mesh)

    def spent(self) -> dict[str, Spent]:
        """Seconds of as many turns as ours has, and of an update."""
        import jax
        import numpy as np

        from perc_jax.batch import TrainBatch
        from perc_jax.mesh import sharding

        side, clock = self._side, Clock()
        weights = side.programs.publish_for_sampling(side.state.params)
        for generation, prompts in self._turns:
            sharding.rows_to_host(generation(weights, prompts, *self._names))
        found, clock, params = {"rollout": clock.spent()}, Clock(), side.state.params
        prompts, alone, advantages = self._batch
        seen = prompts._replace(**{name: getattr(alone.observed, name)[:, 0] for name in PICTURES})
        observed = alone.observed._replace(features=self._pad(self._look(params, seen)))
        prompts = prompts._replace(features=self._look(params, prompts))
        rows = TrainBatch(prompts, alone.tokens, alone.mask, alone.logprobs, advantages, observed=observed)
        progress = self._begin(params, rows.mask, rows.advantages, np.int32(0))
        progress = self._gradient(params, (), progress, rows, self._rows)
        side.state, metrics = self._finish(side.state, progress, np.int32(1))
        jax.block_until_ready((side.state, metrics))
        return found | {"update": clock.spent()}


def stage_tokens(config: Config) -> int:
    """Places of a conversation in an update's row."""
    return config.completion_tokens(config.stages[0])


def prompts_of(prompts: Any, completions: Any, tokens: int, patches: int) -> Any:
    """n prompts with the first `tokens` of one completion of each [n, 1, C] behind them, and their pictures."""
    import numpy as np

    observed, merged = completions.observed, prompts.pixels.shape[1] // 4
    slots, numbers = observed.image_slots[:, 0, :tokens], observed.patch_image[:, 0, :patches]
    after = 1 + prompts.patch_image.max(axis=1, keepdims=True)
    return prompts._replace(
        tokens=np.concatenate([prompts.tokens, completions.tokens[:, 0, :tokens]], axis=1),
        mask=np.concatenate([prompts.mask, observed.present[:, 0, :tokens]], axis=1),
        positions=np.concatenate([prompts.positions, observed.positions[:, 0, :, :tokens]], axis=2),
        next_position=(prompts.next_position if not tokens else observed.positions[:, 0, 0, tokens - 1] + 1),
        image_slots=np.concatenate([prompts.image_slots, np.where(slots < 0, -1, slots + merged)], axis=1),
        pixels=np.concatenate([prompts.pixels, observed.pixels[:, 0, :patches]], axis=1),
        patch_rowcol=np.concatenate([prompts.patch_rowcol, observed.patch_rowcol[:, 0, :patches]], axis=1),
        patch_image=np.concatenate([prompts.patch_image, np.where(numbers < 0, -1, numbers + after)], axis=1),
    )


def lines(found: dict[str, Any]) -> list[str]:
    """The figures in words."""
    from perc_jax.bench.table import beside

    return [
        f"{found['config']}: {found['prompts']} prompts of {found['prompt_tokens']} tokens, {found['group_size']} "
        f"conversations each, of {found['turns']} turns with a reply and one more; turns of {found['turn_tokens']} "
        f"tokens, replies of {found['reply_tokens']} with a picture; recompiles {found['recompiles']}",
        *beside(found, {"anew": "anew", "ours": "in turns"}),
    ]


def _parse(argv: Sequence[str] | None) -> tuple[argparse.Namespace, list[str]]:
    parser = ends.Parser(
        prog="python -m perc_jax.bench.turns",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--size", choices=SIZES, default="tiny", help="a shipped case (default: %(default)s)")
    parser.add_argument("--prompt-tokens", type=int, default=512, help="(default: %(default)s)")
    parser.add_argument("--turns", type=int, default=2, help="with a reply (default: %(default)s)")
    parser.add_argument("--turn-tokens", type=int, default=32, help="(default: %(default)s)")
    parser.add_argument("--picture-px", type=int, default=224, help="side of what is returned (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--json", metavar="F", help="write the result there")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    return parser.parse_known_args(sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    main()
