"""A run's suites as papers to hand out after every stage: drawn in one stream, and kept while they are small.

Whatever asks, the questions of a suite are the same each time. Drawing them takes processor time, and a worker seconds
to start, so small pictures are kept from one time to the next; large ones are drawn anew, and take less than a model
that is large enough for them to answer.
"""

import contextlib
import itertools
from collections.abc import Callable, Container, Iterator, Mapping

from perc_jax.batch import Share
from perc_jax.config import Config
from perc_jax.data import streams
from perc_jax.data.batches import Batch, Batches

KEPT_BYTES = 2**28  # of all papers of a host together

Ask = Callable[[str], Iterator[Batch]]


class Papers:
    """The questions of all suites and test tables of a run, this host's part.

    Args:
        config: says how they are drawn.
        counts: questions of each suite, in the order in which suites are asked.
        share: this host's, of every batch.

    Raises:
        ValueError: a suite has no question that is legible.
    """

    def __init__(self, config: Config, counts: Mapping[str, int], share: Share):
        self._config, self._share = config, share
        self._drawn = {suite: of_suite(config, suite, count, share) for suite, count in counts.items()}
        self._kept: dict[str, list[Batch]] = {}

    @contextlib.contextmanager
    def opened(self, but: Container[str] = ()) -> Iterator[Ask]:
        """A function that gives the batches of a suite; all `but` those must be asked for in their order, each to its
        end."""
        drawn = {suite: batches for suite, batches in self._drawn.items() if suite not in but}
        if self._kept or not drawn:
            yield lambda suite: iter(self._kept[suite])
            return
        kept: dict[str, list[Batch]] = {suite: [] for suite in self._drawn}
        room = KEPT_BYTES  # below 0: nothing is kept
        with streams.exam(self._config, *drawn.values()) as stream:

            def ask(suite: str) -> Iterator[Batch]:
                nonlocal room
                for batch in itertools.islice(stream, len(self._drawn[suite])):
                    room -= sum(leaf.nbytes for leaf in batch.prompts if leaf is not None)
                    room -= sum(info.state.nbytes for info in batch.samples if info.state)
                    if room >= 0:
                        kept[suite].append(batch)
                    else:
                        kept[suite] = []
                    yield batch

            yield ask
        if all(len(kept[suite]) == len(drawn) for suite, drawn in self._drawn.items()):
            self._kept = kept

    @contextlib.contextmanager
    def first(self, suite: str, count: int) -> Iterator[Iterator[Batch]]:
        """The first `count` questions of a suite once more, in whole batches."""
        batches = -(-count // self._config.evaluation.batch)
        if self._kept:
            yield itertools.islice(self._kept[suite], batches)
            return
        with streams.exam(self._config, of_suite(self._config, suite, count, self._share)) as stream:
            yield itertools.islice(stream, batches)


def of_suite(config: Config, suite: str, count: int, share: Share) -> Batches:
    """This host's part of the first `count` questions of a suite, or of all rows of a test table."""
    for table in config.evaluation.tables:
        if table.label == suite:
            return streams.of_table(config, table, share=share)
    return streams.of_suite(config, suite, count, share=share)
