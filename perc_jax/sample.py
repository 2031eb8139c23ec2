"""Ask a model a question, about a picture, several pictures or none, and watch it answer.

`python -m perc_jax.sample --model M --image F [--image F2 …] --question "…" [--temperature T] [--seed N] [--json -]`
`python -m perc_jax.sample --model M --image F --environment jigsaw [--side 3]`

`M` is a Hugging Face folder or hub id, or the workdir of a run; a run's own instruction follows the question, and its
system line stands before it, unless `--system` gives one; pictures are made as large as the run's. The answer appears
on standard output token by token. `--json FILE` also writes one line `{"text", "tokens", "logprobs"}`, `--json -`
prints it as the last line; tokens include the end token, and logprobs are natural logarithms under the distribution
that was sampled (temperature 1 when greedy). Standard error says how large the prompt is, and until the first token
what is being done.

With an environment the model talks with it about the picture, over several turns; what it is shown is drawn into the
terminal, and kept as files where `--pictures DIR` says so. Bounds are those of a run's own environment of that name,
with its `rollout.max_tokens` for all turns and all that is returned, else the defaults (`EnvironmentConfig`);
`--max-tokens` then bounds a turn. A turn that is cut is said to be. `--json` then has all turns, and how the
conversation ended.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from perc_jax.config import refuse, violations
from perc_jax.config.run import TEMPERATURE_OR_GREEDY, TOP_P
from perc_jax.processes import ends
from perc_jax.prompt import pretrained

MAX_TOKENS = 512  # of an answer
TOKENS_MULTIPLE = 64  # prompt buckets
WINDOWS_MULTIPLE = 4  # patch buckets, in attention windows
COLUMNS = 64  # of the terminal, that a picture takes
DEADLINE_S = 1800.0  # for loading
FIRST_TOKEN_DEADLINE_S = 6 * 3600.0  # for compiling and reading the prompt, which on a CPU can be long


class Asked(NamedTuple):
    """What a model is told apart from the question: all that can be known without the device."""

    config: Any  # ModelConfig
    tokenizer: Any
    pixels: pretrained.Processor  # bounds on the area of a picture
    stored: dict | None  # a run's config as it was saved; None for a Hugging Face model
    run: Any = None  # and as a `Config`


def main(argv: Sequence[str] | None = None) -> None:
    """Answer one question."""
    with ends.told():
        arguments = _parse(argv)
        answer(arguments)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = ends.Parser(prog="python -m perc_jax.sample", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument(
        "--model", required=True, help="Hugging Face folder or hub id, a workdir, WORKDIR@STEP or WORKDIR@best"
    )
    parser.add_argument("--question", default="", help="needed; with --environment jigsaw there is none")
    parser.add_argument("--image", action="append", default=[], help="picture file; may be given several times")
    parser.add_argument("--environment", choices=("jigsaw", "inspect"), help="what the model talks with")
    parser.add_argument("--side", type=int, help="pieces of the jigsaw along a side, 2..5 (default: the environment's)")
    parser.add_argument("--answer", default="", help="of inspect: the right one, if it is known")
    parser.add_argument("--pictures", default="", help="folder for the pictures that an environment shows")
    parser.add_argument("--system", default="", help="replaces the chat template's system line")
    parser.add_argument("--temperature", type=float, default=0.0, help="0 is greedy (default: %(default)s)")
    parser.add_argument("--top-p", type=float, default=1.0, help="share that the likeliest tokens have (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of the random draws (default: %(default)s)")
    parser.add_argument(
        "--max-tokens", type=int, help=f"of the answer (default: {MAX_TOKENS}), or of a turn (the environment's)"
    )
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), help="of the computation (default: the model's)")
    parser.add_argument("--json", help="file for the result, or - for standard output")
    arguments = parser.parse_args(argv)
    wrong, name = TEMPERATURE_OR_GREEDY(arguments.temperature), arguments.environment
    for option, holds, rule, value in (
        ("--temperature", not wrong, wrong, arguments.temperature),
        ("--top-p", not TOP_P(arguments.top_p), TOP_P(arguments.top_p), arguments.top_p),
        ("--seed", 0 <= arguments.seed < 2**32, "must be within 0..4294967295", arguments.seed),
        (
            "--max-tokens",
            arguments.max_tokens is None or arguments.max_tokens >= 1,
            "must be >= 1",
            arguments.max_tokens,
        ),
        ("--question", arguments.question.strip() or name == "jigsaw", "must not be empty", arguments.question),
        ("--question", not arguments.question or name != "jigsaw", "must not be given for jigsaw", arguments.question),
        ("--image", len(arguments.image) == 1 or not name, f"must be one picture for {name}", arguments.image),
        ("--side", arguments.side is None or name == "jigsaw", "is for jigsaw alone", arguments.side),
        ("--side", arguments.side is None or 2 <= arguments.side <= 5, "must be within 2..5", arguments.side),
        ("--answer", name == "inspect" or not arguments.answer, "is for inspect alone", arguments.answer),
        ("--pictures", name or not arguments.pictures, "must not be given without --environment", arguments.pictures),
    ):
        if not holds:
            ends.fail(f"{option} {rule}, got {value!r}")
    return arguments


def answer(arguments: argparse.Namespace) -> None:
    """Load, ask, and write the answer as it comes.

    Raises `ValueError` or `OSError` for a model or a picture that cannot be used.
    """
    # So that --help and mistakes need not wait.
    from perc_jax.data import table_prompts
    from perc_jax.prompt import chat, image, prompt, tokenizer

    pictures = [image.open_picture(path) for path in arguments.image]
    asked = _published(arguments) if pretrained.is_pretrained(arguments.model) else _trained(arguments)
    tokenizer.check_fits(asked.tokenizer, asked.config.text.vocab_size)
    if arguments.environment:
        _play(arguments, asked, pictures)
        return
    turns = chat.asked(arguments.question, len(pictures), arguments.system)
    if asked.run:
        turns = table_prompts.asked(turns, asked.run.data)
    vision = asked.config.vision
    fitted = [image.fit(picture, vision, *asked.pixels) for picture in pictures]
    row = prompt.chat_prompt(turns, fitted, tokenizer=asked.tokenizer, vision=vision)
    _write(arguments, asked.tokenizer, _Model(arguments, asked, arguments.max_tokens or MAX_TOKENS).ask(row, 0))


class _Model:
    """A model that answers prompts, loaded for the first; each size of prompts is compiled when it comes.

    Args:
        arguments: of the command.
        asked: what is known of it.
        max_tokens: of an answer.
    """

    def __init__(self, arguments: argparse.Namespace, asked: Asked, max_tokens: int):
        self._arguments, self._asked, self._max_tokens = arguments, asked, max_tokens
        self._loaded: tuple[Any, Any] | None = None  # parameters and mesh
        self._answers: dict[str, Any] = {}  # by the way attention is computed

    def ask(self, row: Any, number: int) -> Any:
        """Answer a `Prompt` up to the first token, saying how large it is; gives all tokens in turn."""
        import itertools

        from perc_jax.evaluation import answering
        from perc_jax.processes.progress import Progress
        from perc_jax.prompt import prompt

        asked, vision = self._asked, self._asked.config.vision
        batch = prompt.lay_out(
            row,
            max_tokens=_up(len(row.tokens), TOKENS_MULTIPLE),
            max_patches=_up(row.patches, WINDOWS_MULTIPLE * vision.window_patches),
            pad=asked.tokenizer.ids.pad,
            vision=vision,
        )
        size = f"the prompt has {len(row.tokens):,} tokens"
        if row.pictures:
            patches = sum(int(picture.real.sum()) for picture in row.pictures)
            size += f", of {len(row.pictures)} picture{'s' * (len(row.pictures) > 1)} with {patches:,} patches"
        way = answering.attention_way(batch.tokens.shape[1], batch.pixels.shape[1])
        params, answer = self._answer(way)
        tokens = answer(params, batch, (self._arguments.seed + number) % 2**32)
        with Progress(FIRST_TOKEN_DEADLINE_S) as screen, screen.phase("compiling, then reading the prompt"):
            screen.say(size)
            first = list(itertools.islice(tokens, 1))  # nothing is compiled before it is asked for
        return itertools.chain(first, tokens)

    def _answer(self, way: str) -> tuple[Any, Any]:
        """The parameters, and what answers with attention computed in a way."""
        import dataclasses

        from perc_jax.evaluation import answering
        from perc_jax.processes.progress import Progress
        from perc_jax.rollout.sampling import Draws

        arguments, asked = self._arguments, self._asked
        config = dataclasses.replace(asked.config, attention=way)
        if self._loaded is None:
            mesh = answering.decoding_mesh(config.text.num_key_value_heads)
            with Progress(DEADLINE_S) as screen, screen.phase("loading the model"):
                if asked.stored is None:
                    folder = pretrained.folder_of(arguments.model)
                    params = answering.published_params(folder, config, mesh, screen.bar)
                else:
                    params = answering.trained_params(arguments.model, asked.stored, config, mesh)
            self._loaded = params, mesh
        params, mesh = self._loaded
        if way not in self._answers:
            draws = Draws(arguments.temperature, arguments.top_p)
            self._answers[way] = answering.make_answer(
                config, asked.tokenizer.ids, mesh, max_tokens=self._max_tokens, draws=draws
            )
        return params, self._answers[way]


def _play(arguments: argparse.Namespace, asked: Asked, pictures: Sequence[Any]) -> None:
    """Let the model talk with an environment about a picture."""
    import dataclasses
    import shutil

    from PIL import Image

    from perc_jax.config import DataConfig, EnvironmentConfig
    from perc_jax.data.table_prompts import asked as as_asked
    from perc_jax.environments.base import Question
    from perc_jax.environments.make import make
    from perc_jax.evaluation import playing
    from perc_jax.prompt.observe import Observer
    from perc_jax.rewards.answers import guess

    own = asked.run.environment if asked.run else EnvironmentConfig()
    is_own = own.name == arguments.environment
    environment = own if is_own else EnvironmentConfig(arguments.environment)
    side = 1 if environment.name == "inspect" else arguments.side or environment.side  # one picture is its own sheet
    environment = dataclasses.replace(environment, side=side)
    refuse(violations(environment, "--environment"))
    bounds = playing.Bounds(arguments.max_tokens or environment.turn_tokens)
    if is_own:
        bounds = bounds._replace(whole=asked.run.rollout.max_tokens)
    model, vision, pixels = _Model(arguments, asked, min(bounds)), asked.config.vision, tuple(asked.pixels)
    image_id = asked.tokenizer.ids.image
    plain = DataConfig("", 1, 1, 1, "", answer_form="think_answer")  # as released models are asked
    data = asked.run.data if asked.run else plain
    data = dataclasses.replace(data, system=arguments.system or data.system)
    shown = 0

    def show(picture: Any) -> None:
        nonlocal shown
        if sys.stdout.isatty():
            print(playing.in_characters(picture, min(COLUMNS, shutil.get_terminal_size().columns)))
        if arguments.pictures:
            folder = Path(arguments.pictures).expanduser()
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(folder / f"{shown}.png")
        shown += 1

    turns = playing.play(
        make(environment, data, vision),
        Question(arguments.image[0], tuple(pictures), arguments.question, guess(arguments.answer)),
        lambda ids, seen, number: model.ask(playing.laid_out(ids, seen, image_id, vision, pixels), number),
        asked.tokenizer,
        Observer(asked.tokenizer, vision, *pixels),
        bounds,
        lambda text: print(text, end="", flush=True),
        show,
        lambda chat: as_asked(chat, data),
    )
    ending = turns[-1].outcome
    result = {
        "text": "".join(turn.text for turn in turns),
        "tokens": [token for turn in turns for token in turn.tokens],
        "logprobs": [value for turn in turns for value in turn.logprobs],
        "turns": [{"text": turn.text, "tokens": len(turn.tokens), "cut": turn.cut} for turn in turns],
        "ending": dict(ending._asdict()),
    }
    _keep(arguments, result)


def _published(arguments: argparse.Namespace) -> Asked:
    """What a Hugging Face folder says."""
    from perc_jax.prompt import tokenizer

    folder = pretrained.folder_of(arguments.model)
    config = pretrained.model_config(folder, dtype=arguments.dtype or "bfloat16")
    tokens = tokenizer.load(str(folder))
    ends = tuple(dict.fromkeys((*tokens.ids.ends, *pretrained.end_ids(folder))))
    tokens.ids = tokens.ids._replace(ends=ends)
    return Asked(config, tokens, pretrained.processor(folder), None)


def _trained(arguments: argparse.Namespace) -> Asked:
    """What a run's newest checkpoint says."""
    import dataclasses

    from perc_jax.config import Config, from_dict
    from perc_jax.evaluation import subject
    from perc_jax.prompt import bounds, tokenizer
    from perc_jax.records.checkpoint import Checkpoints

    stored = Checkpoints.named(arguments.model).config()
    run = from_dict(Config, stored)
    model = dataclasses.replace(run.model, dtype=arguments.dtype or run.model.dtype)
    pixels = bounds.of_tables(run) if arguments.environment else subject.pixels_of_run(run)
    return Asked(model, tokenizer.of(run), pixels, stored, run)


def _write(arguments: argparse.Namespace, tokens: Any, sampled: Any) -> None:
    """Show the answer as it comes, then the result as JSON where it is asked for."""
    from perc_jax.prompt.tokenizer import TextStream

    stream, ids, logprobs = TextStream(tokens), [], []
    for token, logprob, _ in sampled:
        ids.append(token)
        logprobs.append(logprob)
        print(stream.push(token), end="", flush=True)
    print(stream.finish(), flush=True)
    _keep(arguments, {"text": tokens.decode(ids), "tokens": ids, "logprobs": logprobs})


def _keep(arguments: argparse.Namespace, result: dict[str, Any]) -> None:
    """The result as JSON, where it is asked for."""
    from perc_jax.records.files import absolute, to_json, write_whole

    if arguments.json == "-":
        print(to_json(result))
    elif arguments.json:
        write_whole(absolute(arguments.json), to_json(result) + "\n")


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


if __name__ == "__main__":
    sys.exit(main())
