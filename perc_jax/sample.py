"""Ask a model a question, about a picture, several pictures or none, and watch it answer.

`python -m perc_jax.sample --model M --image F [--image F2 …] --question "…" [--temperature T] [--seed N] [--json -]`

`M` is a Hugging Face folder or hub id, or the workdir of a run; a run's own instruction follows the question. The
answer appears on standard output token by token. `--json FILE` also writes one line `{"text", "tokens", "logprobs"}`,
`--json -` prints it as the last line; tokens include the end token, and logprobs are natural logarithms under the
distribution that was sampled (temperature 1 when greedy). Standard error says how large the prompt is, and until the
first token what is being done.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from perc_jax.config.run import TEMPERATURE_OR_GREEDY, TOP_P
from perc_jax.processes import ends
from perc_jax.prompt import pretrained

TOKENS_MULTIPLE = 64  # prompt buckets
WINDOWS_MULTIPLE = 4  # patch buckets, in attention windows
DEADLINE_S = 1800.0  # for loading
FIRST_TOKEN_DEADLINE_S = 6 * 3600.0  # for compiling and reading the prompt, which on a CPU can be long


class Asked(NamedTuple):
    """What a model is told apart from the question: all that can be known without the device."""

    config: Any  # ModelConfig
    tokenizer: Any
    instruction: str  # follows the question after a line end
    pixels: pretrained.Processor | None  # None: the published bounds
    stored: dict | None  # a run's config as it was saved; None for a Hugging Face model


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
    parser.add_argument("--question", required=True)
    parser.add_argument("--image", action="append", default=[], help="picture file; may be given several times")
    parser.add_argument("--system", default="", help="replaces the chat template's system line")
    parser.add_argument("--temperature", type=float, default=0.0, help="0 is greedy (default: %(default)s)")
    parser.add_argument("--top-p", type=float, default=1.0, help="share that the likeliest tokens have (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of the random draws (default: %(default)s)")
    parser.add_argument("--max-tokens", type=int, default=512, help="of the answer (default: %(default)s)")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), help="of the computation (default: the model's)")
    parser.add_argument("--json", help="file for the result, or - for standard output")
    arguments = parser.parse_args(argv)
    wrong = TEMPERATURE_OR_GREEDY(arguments.temperature)
    for option, holds, rule, value in (
        ("--temperature", not wrong, wrong, arguments.temperature),
        ("--top-p", not TOP_P(arguments.top_p), TOP_P(arguments.top_p), arguments.top_p),
        ("--seed", 0 <= arguments.seed < 2**32, "must be within 0..4294967295", arguments.seed),
        ("--max-tokens", arguments.max_tokens >= 1, "must be >= 1", arguments.max_tokens),
        ("--question", bool(arguments.question.strip()), "must not be empty", arguments.question),
    ):
        if not holds:
            ends.fail(f"{option} {rule}, got {value!r}")
    return arguments


def answer(arguments: argparse.Namespace) -> None:
    """Load, ask, and write the answer as it comes.

    Raises `ValueError` or `OSError` for a model or a picture that cannot be used.
    """
    from perc_jax.prompt import (
        image,
        prompt,
        tokenizer,  # so that --help and mistakes need not wait
    )

    pictures = [image.open_picture(path) for path in arguments.image]
    asked = _published(arguments) if pretrained.is_pretrained(arguments.model) else _trained(arguments)
    tokenizer.check_fits(asked.tokenizer, asked.config.text.vocab_size)
    vision, question = asked.config.vision, arguments.question
    row = prompt.make_prompt(
        pictures,
        f"{question}\n{asked.instruction}" if asked.instruction else question,
        tokenizer=asked.tokenizer,
        vision=vision,
        system=arguments.system,
        **(asked.pixels._asdict() if asked.pixels else {}),
    )
    batch = prompt.lay_out(
        row,
        max_tokens=_up(len(row.tokens), TOKENS_MULTIPLE),
        max_patches=_up(row.patches, WINDOWS_MULTIPLE * vision.window_patches),
        pad=asked.tokenizer.ids.pad,
        vision=vision,
    )
    size = f"the prompt has {len(row.tokens):,} tokens"
    if pictures:
        patches = sum(int(picture.real.sum()) for picture in row.pictures)
        size += f", of {len(pictures)} picture{'s' * (len(pictures) > 1)} with {patches:,} patches"
    _write(arguments, asked.tokenizer, _sampled(arguments, asked, batch, size))


def _published(arguments: argparse.Namespace) -> Asked:
    """What a Hugging Face folder says."""
    from perc_jax.prompt import tokenizer

    folder = pretrained.folder_of(arguments.model)
    config = pretrained.model_config(folder, dtype=arguments.dtype or "bfloat16")
    tokens = tokenizer.load(str(folder))
    ends = tuple(dict.fromkeys((*tokens.ids.ends, *pretrained.end_ids(folder))))
    tokens.ids = tokens.ids._replace(ends=ends)
    return Asked(config, tokens, "", pretrained.processor(folder), None)


def _trained(arguments: argparse.Namespace) -> Asked:
    """What a run's newest checkpoint says."""
    import dataclasses

    from perc_jax.config import Config, from_dict
    from perc_jax.prompt import tokenizer
    from perc_jax.records.checkpoint import Checkpoints

    stored = Checkpoints.named(arguments.model).config()
    run = from_dict(Config, stored)
    model = dataclasses.replace(run.model, dtype=arguments.dtype or run.model.dtype)
    return Asked(model, tokenizer.load(run.data.tokenizer), run.data.instruction, None, stored)


def _sampled(arguments: argparse.Namespace, asked: Asked, batch: Any, size: str) -> Any:
    """Load the parameters, say how large the prompt is, and answer up to the first token; gives all tokens in turn."""
    import dataclasses
    import itertools

    from perc_jax.evaluation import answering
    from perc_jax.processes.progress import Progress
    from perc_jax.rollout.sampling import Draws

    way = answering.attention_way(batch.tokens.shape[1], batch.pixels.shape[1])
    config = dataclasses.replace(asked.config, attention=way)
    mesh = answering.decoding_mesh(config.text.num_key_value_heads)
    with Progress(DEADLINE_S) as screen, screen.phase("loading the model"):
        if asked.stored is None:
            folder = pretrained.folder_of(arguments.model)
            params = answering.published_params(folder, config, mesh, screen.bar)
        else:
            params = answering.trained_params(arguments.model, asked.stored, config, mesh)
    draws = Draws(arguments.temperature, arguments.top_p)
    answer = answering.make_answer(config, asked.tokenizer.ids, mesh, max_tokens=arguments.max_tokens, draws=draws)
    tokens = answer(params, batch, arguments.seed)
    with Progress(FIRST_TOKEN_DEADLINE_S) as screen, screen.phase("compiling, then reading the prompt"):
        screen.say(size)
        first = list(itertools.islice(tokens, 1))  # nothing is compiled before it is asked for
    return itertools.chain(first, tokens)


def _write(arguments: argparse.Namespace, tokens: Any, sampled: Any) -> None:
    """Show the answer as it comes, then the result as JSON where it is asked for."""
    from etils import epath

    from perc_jax.prompt.tokenizer import TextStream
    from perc_jax.records.files import to_json, write_whole

    stream, ids, logprobs = TextStream(tokens), [], []
    for token, logprob, _ in sampled:
        ids.append(token)
        logprobs.append(logprob)
        print(stream.push(token), end="", flush=True)
    print(stream.finish(), flush=True)
    if arguments.json:
        line = to_json({"text": tokens.decode(ids), "tokens": ids, "logprobs": logprobs})
        if arguments.json == "-":
            print(line)
        else:
            write_whole(epath.Path(arguments.json).expanduser(), line + "\n")


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


if __name__ == "__main__":
    sys.exit(main())
