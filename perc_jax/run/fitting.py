"""The reward's CLIP in a run: opened before step 0, shown a step's pictures once, asked about every completion.

It looks at pictures as the policy saw them, cut out of the prompts' patches and stretched to its own size by a thread
beside the rollout. The device works on them and on the descriptions while the host verifies: both are begun, then both
are waited for.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Int, UInt8

from perc_jax.batch import PromptBatch
from perc_jax.config import ClipConfig, Config, RewardConfig, TermConfig, VisionConfig
from perc_jax.mesh import sharding
from perc_jax.programs.clip import ClipPrograms, Looked
from perc_jax.prompt.clip_inputs import ClipTokenizer, Texts, square
from perc_jax.prompt.image import unpatchify
from perc_jax.rewards import fits
from perc_jax.rewards.callers import Marks
from perc_jax.rewards.terms import Case
from perc_jax.rewards.verifier import Scores, Verifier
from perc_jax.weights import clip_folder
from perc_jax.weights.safetensors import Bar

# (texts, terms by their place) -> what waits for the marks of each
Begin = Callable[[Sequence[str], Mapping[int, TermConfig]], dict[int, Callable[[], Marks]]]


class Pictures(NamedTuple):
    """p prompts' pictures for CLIP."""

    pixels: UInt8[np.ndarray, "p K S S 3"]
    real: Bool[np.ndarray, "p K"]  # False where a prompt has fewer; there the pixels are 0
    count: Int[np.ndarray, " p"]  # that each prompt has, those that are not looked at counted


def pictures(prompts: PromptBatch, vision: VisionConfig, config: ClipConfig) -> Pictures:
    """The first K pictures of each prompt, as the policy sees them, at CLIP's size."""
    count = np.asarray(prompts.patch_image).max(axis=1, initial=-1) + 1
    side, most = config.image_px, config.pictures
    pixels = np.zeros((len(count), most, side, side, 3), np.uint8)
    for row, held in enumerate(count.tolist()):
        patches = prompts.pixels[row], prompts.patch_rowcol[row], prompts.patch_image[row]
        for number in range(min(held, most)):
            pixels[row, number] = square(unpatchify(*patches, vision, number), side)
    return Pictures(pixels, np.arange(most) < count[:, None], count)


def check(config: Config, *, fetch: bool = True) -> None:
    """Look at the folder of a run whose reward asks a CLIP, as far as it is here; nothing is kept.

    Without `fetch` the weights of a hub id are not downloaded, and so not looked at. Raises `ValueError` or `OSError`
    for a folder that is not there or holds another model.
    """
    if config.asks_clip:
        is_here = fetch or Path(config.clip.folder).expanduser().is_dir()
        folder = clip_folder.folder_of(config.clip, weights=is_here)
        _tokenizer(folder, config.clip)
        if is_here:
            clip_folder.verify(folder, config.clip)


def _tokenizer(folder: Path, config: ClipConfig) -> ClipTokenizer:
    return ClipTokenizer(folder, length=config.text_tokens, begin=config.begin, end=config.end)


class Fitting:
    """The CLIP of a run, or nothing where no stage asks one. Its weights lie on the mesh as long as it lives."""

    def __init__(self, config: Config, target: Any, bar: Bar | None = None):
        """Read tokenizer and weights; raises what `check` does.

        Args:
            config: the run's.
            target: where the weights go, `Blueprints.clip_params()`.
            bar: shows progress.
        """
        self._clip, self._vision = config.clip, config.model.vision
        if config.asks_clip:
            folder = clip_folder.folder_of(config.clip)
            self._tokens = _tokenizer(folder, config.clip)
            self._params = clip_folder.load(folder, config.clip, target, bar=bar)

    def judge(self, programs: ClipPrograms | None, prompts: PromptBatch, verifier: Verifier) -> "Judge":
        """Begin to make the pictures of a step's prompts, this host's, beside its rollout; the judge knows what their
        completions are worth."""
        if programs is None:
            return Judge(verifier, None)
        thread = ThreadPoolExecutor(1, thread_name_prefix="clip")
        shown = thread.submit(pictures, prompts, self._vision, self._clip)
        thread.shutdown(wait=False)  # it ends with its one task
        return Judge(verifier, functools.partial(self._begin, programs, shown))

    def _begin(
        self, programs: ClipPrograms, shown: Future[Pictures], texts: Sequence[str], terms: Mapping[int, TermConfig]
    ) -> dict[int, Callable[[], Marks]]:
        """Begin to look at pictures and to read the texts; gives what waits for the marks of each term."""
        found = shown.result()
        looked = programs.look(self._params, found.pixels, found.real)
        return {place: self._ask(programs, looked, found.count, texts, term) for place, term in terms.items()}

    def _ask(
        self,
        programs: ClipPrograms,
        looked: Looked,
        count: Int[np.ndarray, " p"],
        texts: Sequence[str],
        term: TermConfig,
    ) -> Callable[[], Marks]:
        """Begin to read the descriptions of p x G completions; gives what waits for their marks."""
        read = self._tokens([fits.description(text, term) for text in texts], keep_marks=term.as_published)
        tokens = read.tokens.reshape(len(count), -1, read.tokens.shape[1])
        needed = int((tokens == self._clip.end).argmax(axis=2).max()) + 1  # of the longest, to its first end mark
        asked = programs.read(self._params, looked, tokens, needed)
        held = np.repeat(count, tokens.shape[1])
        return functools.partial(self._answer, asked, read, held, term)

    def _answer(self, asked: jax.Array, read: Texts, held: Int[np.ndarray, " n"], term: TermConfig) -> Marks:
        cosine = sharding.rows_to_host(asked).reshape(-1)
        marked = {"empty": read.empty, "cut": read.cut, "pictures": held, "looked_at": self._clip.pictures}
        return fits.value(cosine, term, **marked)


class Judge:
    """A verifier for one rollout, which asks the device about its terms while the host measures its own."""

    def __init__(self, verifier: Verifier, begin: Begin | None):
        self._verifier, self._begin = verifier, begin

    def score(self, cases: Sequence[Case], reward: RewardConfig, group: int) -> Scores:
        """See `Verifier.score`."""
        texts = [case.text for case in cases]
        begun = self._begin(texts, reward.clip_terms) if self._begin else {}
        return self._verifier.score(cases, reward, group, begun)
