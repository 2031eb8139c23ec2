r"""Text to token ids and back, for a tiny SentencePiece model and for a Hugging Face tokenizer, behind one interface.

`load("debug.model")` reads a SentencePiece file of the package's assets (or a path), `load(folder)` a Hugging Face
folder or hub id; transformers is imported only for the latter. Both know the same chat marks. Text round-trips exactly:
`decode(encode(text)) == text` for any text without chat marks (in the Unicode form to which a Hugging Face tokenizer
brings it, Qwen's to NFC). What a model can sample is seen in the text, but for the end tokens. `TextStream` gives the
text of tokens as they come.

A run may add words (`of(config)`): each is one id, cut out of a text before anything else is, and text again when it is
decoded. They are numbered on behind the tokenizer's own; one that a folder's tokenizer was given before keeps its id.

`python -m perc_jax.prompt.tokenizer --out perc_jax/assets/debug.model` trains the shipped debug tokenizer on the
engines' own questions and gold answers; the same engines give the same file.
"""

import argparse
import functools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

import numpy as np
import sentencepiece
from jaxtyping import Int

from perc_jax.batch import TokenIds
from perc_jax.config import CodesConfig, Config
from perc_jax.prompt import added as additions
from perc_jax.prompt import pretrained

IM_START, IM_END, END_OF_TEXT = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
VISION_START, VISION_END = "<|vision_start|>", "<|vision_end|>"
VISION_PAD, IMAGE_PAD, VIDEO_PAD = "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"
CHAT_MARKS = (END_OF_TEXT, IM_START, IM_END, VISION_START, VISION_END, VISION_PAD, IMAGE_PAD, VIDEO_PAD)
NEVER_SAMPLED = (VISION_START, VISION_END, VISION_PAD, IMAGE_PAD, VIDEO_PAD)
ANSWER_MARKS = ("<answer>", "</answer>", r"\boxed{")  # text like any other, but one piece each in the debug tokenizer
SYSTEM = "You are a helpful assistant."  # of the published chat template

UNKNOWN = "<unk>"
UNFINISHED = "\ufffd"  # what bytes decode to that are no whole character (yet)
META_SPACE = "\u2581"  # SentencePiece writes a space as this; the sign itself must go in as bytes
DEBUG_PIECES = 1024  # enough for every frequent word of the engines to be one piece
_CAPITALS = re.compile("(?<=[A-Z])(?=[A-Z])")  # names of segments are spelled: the pieces of AB are those of A and B
PHRASINGS = 24  # questions drawn per question type and level for training


Message = dict[str, Any]  # {"role": …, "content": …}, as chat templates read it


@runtime_checkable
class Tokenizer(Protocol):
    """What prompts, rollouts and rewards need of a tokenizer."""

    ids: TokenIds
    vocab_size: int  # one more than its highest id; a model's vocabulary may be larger

    def encode(self, text: str) -> list[int]:
        """Token ids of a text; chat marks in it become their single ids, nothing is added."""

    def decode(self, ids: Iterable[int] | Int[np.ndarray, " n"]) -> str:
        """The text of token ids; bytes that are no UTF-8 become U+FFFD.

        End tokens, ids that are never sampled and ids beyond the vocabulary are dropped. Every other token is seen,
        the beginning of a turn too, and whatever a fine-tune made special, such as `<think>`.
        """

    def render(self, messages: list[Message]) -> str | None:
        """The chat up to the assistant's turn, by the tokenizer's own template; None if it has none."""


class PieceTokenizer:
    """A SentencePiece model with byte fallback and without normalisation, and words `added` behind its pieces."""

    def __init__(self, path: Path, added: Sequence[str] = ()):
        additions.check(added, CHAT_MARKS)
        self._model = sentencepiece.SentencePieceProcessor(model_file=str(path))
        pieces = self._model.get_piece_size()
        self.vocab_size = pieces + len(added)
        self._mark_ids = {mark: self._model.piece_to_id(mark) for mark in CHAT_MARKS}
        unknown = self._model.unk_id()
        missing = [mark for mark, number in self._mark_ids.items() if number == unknown]
        if missing:
            raise ValueError(f"tokenizer {path} must hold every chat mark, got none for {', '.join(missing)}")
        additions.refuse_words(path, [name for name in added if self._model.piece_to_id(name) != unknown])
        self.ids = _token_ids(self._mark_ids, self.vocab_size, extra=(unknown,))
        dropped = {*self.ids.forbidden, *self.ids.ends}
        self._bytes = [b"" if i in dropped else self._piece_bytes(i) for i in range(pieces)]
        self._bytes += [name.encode() for name in added]
        self._meta_ids = [self._model.piece_to_id(f"<0x{byte:02X}>") for byte in META_SPACE.encode()]
        self._mark_ids |= {name: number for number, name in enumerate(added, pieces)}
        longest_first = sorted((*self._mark_ids, META_SPACE), key=len, reverse=True)
        self._split = re.compile("(" + "|".join(map(re.escape, longest_first)) + ")")

    def _piece_bytes(self, number: int) -> bytes:
        piece = self._model.id_to_piece(number)
        if self._model.is_byte(number):
            return bytes([int(piece[3:5], 16)])
        return piece.replace(META_SPACE, " ").encode()

    def encode(self, text: str) -> list[int]:
        """See `Tokenizer`."""
        ids: list[int] = []
        for part in self._split.split(text):
            if part in self._mark_ids:
                ids.append(self._mark_ids[part])
            elif part == META_SPACE:
                ids.extend(self._meta_ids)
            elif part:
                ids.extend(self._model.encode(part))
        return ids

    def decode(self, ids: Iterable[int] | Int[np.ndarray, " n"]) -> str:
        """See `Tokenizer`."""
        return b"".join(self._bytes[i] for i in ids if 0 <= i < self.vocab_size).decode("utf-8", errors="replace")

    def render(self, messages: list[Message]) -> None:
        """See `Tokenizer`; SentencePiece files hold no template."""


class HuggingFaceTokenizer:
    """A tokenizer that transformers loads from a folder, with the folder's chat template, and words `added` to it.

    Raises `FileNotFoundError` without a tokenizer's files, `ValueError` for files that do not fit each other, for a
    chat template that cannot show a picture and for words that cannot be added.
    """

    def __init__(self, folder: Path, added: Sequence[str] = ()):
        additions.check(added, CHAT_MARKS)
        self._template_file = pretrained.chat_template_file(folder)
        self._template = pretrained.chat_template(folder)
        self._tokenizer = _from_folder(folder)
        self._add(folder, added)
        self.vocab_size = len(self._tokenizer)
        marks = {mark: self._tokenizer.convert_tokens_to_ids(mark) for mark in CHAT_MARKS}
        missing = [mark for mark, number in marks.items() if number is None or number == self._tokenizer.unk_token_id]
        if missing:
            where = f"{folder}: tokenizer.json and tokenizer_config.json"
            raise ValueError(f"{where} must hold every chat mark, got none for {', '.join(missing)}")
        pretrained.check_marks(folder, marks)
        self.ids = _token_ids(marks, self.vocab_size)
        self._special = frozenset(self._tokenizer.all_special_ids)
        self._check_template()

    def _add(self, folder: Path, added: Sequence[str]) -> None:
        """Add words as text, not as special tokens, which others' decoding may leave out; those that were added before
        stay as they are."""
        first, before = len(self._tokenizer), self._tokenizer.get_added_vocab()
        wanted = [name for name in added if name not in before]
        if not wanted:
            return
        words = self._tokenizer.get_vocab()
        additions.refuse_words(folder, [name for name in wanted if name in words])
        make = published("AddedToken")
        self._tokenizer.add_tokens([make(name, normalized=False, special=False) for name in wanted])
        found = self._tokenizer.convert_tokens_to_ids(wanted)
        if found != [*range(first, first + len(wanted))]:
            raise ValueError(f"{folder}: ids of added tokens must follow the {first} of the tokenizer, got {found[0]}")

    def _check_template(self) -> None:
        """Raise `ValueError` unless the template shows a question's picture: now, not from a worker process."""
        text = self.render([{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "?"}]}])
        if text is not None and text.count(IMAGE_PAD) != 1:
            raise ValueError(
                f"{self._template_file}: chat template must show a picture as one {IMAGE_PAD}, "
                f"got {text.count(IMAGE_PAD)}; one of a text model shows none"
            )

    def encode(self, text: str) -> list[int]:
        """See `Tokenizer`."""
        return self._tokenizer.encode(text, add_special_tokens=False)

    def decode(self, ids: Iterable[int] | Int[np.ndarray, " n"]) -> str:
        """See `Tokenizer`."""
        # An end that generation_config.json names may be a word of the vocabulary: that is text.
        dropped = {*self.ids.forbidden, *(self._special & {*self.ids.ends})}
        seen = [int(i) for i in ids if 0 <= i < self.vocab_size and int(i) not in dropped]
        return self._tokenizer.decode(
            seen, skip_special_tokens=False, clean_up_tokenization_spaces=False, spaces_between_special_tokens=False
        )

    def render(self, messages: list[Message]) -> str | None:
        """See `Tokenizer`. Raises `ValueError` for a template that cannot be rendered."""
        if self._template is None:
            return None
        from jinja2 import TemplateError

        # A template is a program: it may fail as any can, and that is no fault of ours.
        failures = (TemplateError, TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RuntimeError)
        try:
            return self._tokenizer.apply_chat_template(
                messages, chat_template=self._template, tokenize=False, add_generation_prompt=True
            )
        except failures as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise ValueError(f"{self._template_file}: chat template must render a question, got {reason}") from error


def _from_folder(folder: Path) -> Any:
    """The tokenizer that transformers makes of a folder's files, once it has shown that it works."""
    file = pretrained.check_tokenizer_files(folder)
    with Opening(file):
        tokenizer = published("AutoTokenizer").from_pretrained(str(folder))
        tokenizer.decode(tokenizer.encode(SYSTEM, add_special_tokens=False))
    return tokenizer


def published(name: str) -> Any:
    """A class of transformers. It takes seconds to import, and the debug run needs none of it; without torch it would
    say so on the screen, which is nobody's mistake here."""
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    import transformers

    return getattr(transformers, name)


class Opening:
    """Turns what goes wrong inside into a `ValueError` that names the file.

    The tokenizers library raises `Exception` itself for whatever it cannot make sense of, and panics for the rest; no
    narrower kind can be named, and no wider one is caught.
    """

    KINDS = (OSError, ValueError, TypeError, LookupError, AttributeError)

    def __init__(self, file: Path):
        self._file = file

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is Exception or isinstance(error, self.KINDS) or (kind and kind.__name__ == "PanicException"):
            reason = " ".join(f"{kind.__name__}: {error}".removeprefix("Exception: ").split())
            raise ValueError(f"{self._file} must hold a tokenizer that transformers opens, got {reason}") from error


class TextStream:
    """The text of a completion while its tokens come, one by one.

    A character may be split over several tokens: what `push` returns ends with a whole one, the rest waits. All parts
    put together are exactly `decode` of all tokens. (One kind of tokenizer differs, and where bytes are no characters
    only: Hugging Face's with byte fallback makes U+FFFD of every byte in a run that holds a bad one.)
    """

    def __init__(self, tokenizer: Tokenizer):
        self._tokenizer, self._waiting = tokenizer, []

    def push(self, token: int) -> str:
        """The text that became certain with this token."""
        self._waiting.append(token)
        text = self._tokenizer.decode(self._waiting)
        return "" if text.endswith(UNFINISHED) else self.finish()

    def finish(self) -> str:
        """The text that is still waiting, bytes without an end as U+FFFD."""
        text, self._waiting = self._tokenizer.decode(self._waiting), []
        return text


def load(name: str, added: Sequence[str] = ()) -> Tokenizer:
    """Load the tokenizer that `DataConfig.tokenizer` names, with these words added in this order.

    Raises `FileNotFoundError` for a `.model` file that is neither a path nor an asset of the package, and for a folder
    or hub id that is not there; `ValueError` for files that do not fit each other, and for an added word that is empty,
    named twice, a chat mark, or a word of the tokenizer that nobody added.
    """
    if not name.endswith(".model"):
        return HuggingFaceTokenizer(pretrained.folder_of(name, weights=False, field="data.tokenizer"), added)
    return PieceTokenizer(piece_file(name), added)


def of(config: Config) -> Tokenizer:
    """The tokenizer of a run, with all that its `codes` add; `ids.map` says how maps are written where their sampling
    is constrained. Raises what `load` does, and `ValueError` for codes whose ids in a folder are no range."""
    return _made(config.data.tokenizer, config.codes)


def shared(config: Config) -> Tokenizer:
    """As `of`, but one for all who ask in this process: it must not be changed."""
    return _kept(config.data.tokenizer, config.codes)


def _made(name: str, codes: CodesConfig) -> Tokenizer:
    tokens = load(name, codes.tokens)
    if codes.constrained:
        ids = [tokens.encode(word)[0] for word in codes.tokens]
        tokens.ids = tokens.ids._replace(map=additions.map_ids(ids, codes))
    return tokens


_kept = functools.cache(_made)


def piece_file(name: str) -> Path:
    """Path of a SentencePiece file: one of that name, or the package's asset. `FileNotFoundError` if there is none."""
    asset = Path(str(resources.files("perc_jax") / "assets" / name))
    path = next((p for p in (Path(name), asset) if p.is_file()), None)
    if path is None:
        raise FileNotFoundError(f"data.tokenizer must be a file or an asset of perc_jax, got {name!r}")
    return path


def check_fits(tokenizer: Tokenizer, vocab_size: int) -> None:
    """Raise `ValueError` unless a model with that many token ids has every id of the tokenizer."""
    if tokenizer.vocab_size > vocab_size:
        raise ValueError(
            f"model.text.vocab_size must be at least the tokenizer's {tokenizer.vocab_size}, got {vocab_size}"
        )


def _token_ids(marks: dict[str, int], vocab_size: int, extra: Sequence[int] = ()) -> TokenIds:
    return TokenIds(
        pad=marks[END_OF_TEXT],
        ends=(marks[IM_END], marks[END_OF_TEXT]),
        image=marks[IMAGE_PAD],
        forbidden=(*extra, *(marks[mark] for mark in NEVER_SAMPLED)),
        vocab_size=vocab_size,
    )


def corpus() -> Iterator[str]:
    """The main engines' questions and gold answers, all types and levels, as sentences to train on; deterministic."""
    import engines  # the program needs them, users of a tokenizer do not
    from engines.base import pose

    for engine in (engines.ENGINES[name] for name in engines.MAIN):
        for question_type in engine.types:
            for level in range(10):
                for index in range(PHRASINGS):
                    posed = pose(engine, question_type, split="train", index=index, level=level)
                    for question, answer in ((posed.question, posed.answer), *posed.facts):
                        for text in (question, rf"<answer>\boxed{{{answer.text()}}}</answer>"):
                            yield _CAPITALS.sub(" ", text)


def train(out: Path, sentences: Iterable[str], pieces: int = DEBUG_PIECES) -> None:
    """Train a SentencePiece model of `pieces` byte-pair pieces and write it to `out`."""
    model = _Sink()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=model,
        model_type="bpe",
        vocab_size=pieces,
        user_defined_symbols=[
            *(*CHAT_MARKS, *ANSWER_MARKS, SYSTEM.replace(" ", META_SPACE)),
            *("system", "user", "assistant", "\n"),
        ],
        unk_piece=UNKNOWN,
        unk_id=0,
        bos_id=-1,
        eos_id=-1,
        pad_id=-1,
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        max_sentencepiece_length=24,
        num_threads=1,  # the order of float sums, and so the file, must not depend on the machine
        minloglevel=2,
    )
    out.write_bytes(b"".join(model.parts))


class _Sink:
    """The writer that the trainer asks for."""

    def __init__(self):
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.parts.append(data)


def main() -> None:
    """Train the debug tokenizer."""
    parser = argparse.ArgumentParser(description="Train the debug tokenizer on the engines' own text.")
    parser.add_argument("--out", type=Path, required=True, help="file to write, e.g. perc_jax/assets/debug.model")
    parser.add_argument("--pieces", type=int, default=DEBUG_PIECES, help="size of the vocabulary")
    arguments = parser.parse_args()
    sentences = list(corpus())
    train(arguments.out, sentences, arguments.pieces)
    tokenizer = PieceTokenizer(arguments.out)
    questions = [len(tokenizer.encode(s)) for s in sentences if not s.startswith("<answer>")]
    print(f"{arguments.out}: {tokenizer.vocab_size} pieces from {len(sentences)} sentences; a question has")
    print(f"{sum(questions) / len(questions):.1f} tokens on average and {max(questions)} at most")


if __name__ == "__main__":
    main()
