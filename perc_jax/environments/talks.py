"""The conversations of one rollout on the host: turns come in as tokens, replies go out as the model reads them.

What the loop calls between two stretches of decoding. It knows tokens, and nothing of models.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from perc_jax.batch import Ended, Reply
from perc_jax.config import Config, EnvironmentConfig
from perc_jax.environments.base import Move, Observation, State, Step
from perc_jax.environments.conversation import Environment
from perc_jax.prompt.observe import Observer
from perc_jax.prompt.tokenizer import Tokenizer
from perc_jax.rewards.endings import Ending

LEAST_TURN = 2  # places that a turn needs: a token and its end mark


class Exchange(NamedTuple):
    """A turn, and what was given in return; None for the last."""

    tokens: tuple[int, ...]
    text: str
    returned: Observation | None


@runtime_checkable
class Plays(Protocol):
    """Who plays moves: `players.Players`, or `players.Agreeing`."""

    def begin(self, moves: Sequence[Move]) -> Iterator[Step]:
        """Begin to play; the steps come in the order of the moves."""


class Talks:
    """The conversations about P prompts, G about each."""

    def __init__(
        self,
        environment: Environment,
        players: Plays,
        tokenizer: Tokenizer,
        observer: Observer,
        states: Sequence[State],
        group: int,
    ):
        """Begin with the states of the prompts."""
        self._environment, self._players = environment, players
        self._tokenizer, self._observer = tokenizer, observer
        self._group = group
        self._states = [state for state in states for _ in range(group)]
        self._endings: list[Ending | None] = [None] * len(self._states)
        self.exchanges: list[list[Exchange]] = [[] for _ in self._states]  # of all completions, group by group

    def begin(self, ended: Sequence[Ended]) -> Iterator[Reply | None]:
        """Begin to answer turns; the replies come in their order, None where a completion is over.

        The turns are played in other processes meanwhile. Raises `ValueError` for a reply that no shape holds.
        """
        moves = [self._move(turn) for turn in ended]
        return self._replies(ended, moves, self._players.begin(moves))

    def endings(self) -> list[Ending]:
        """How the conversations ended, group by group; those that go on are given up, for want of room."""
        pairs = zip(self._endings, self._states, strict=True)
        return [ending or self._environment.give_up(state, "no_room") for ending, state in pairs]

    def _replies(self, ended: Sequence[Ended], moves: Sequence[Move], steps: Iterator[Step]) -> Iterator[Reply | None]:
        for turn, move, step in zip(ended, moves, steps, strict=True):
            place = turn.prompt * self._group + turn.completion
            self._states[place] = step.state
            outcome, reply = step.outcome, None
            if isinstance(outcome, Observation):
                reply = self._observer.reply(outcome.parts, outcome.pictures, turn.position)
                check_shape(reply, self._environment.config)
                if len(reply.tokens) + LEAST_TURN > turn.room:
                    reply, outcome = None, self._environment.give_up(step.state, "no_room")
            if isinstance(outcome, Ending):
                self._endings[place] = outcome
            self.exchanges[place].append(Exchange(tuple(turn.tokens), move.text, outcome if reply else None))
            yield reply

    def _move(self, turn: Ended) -> Move:
        """The turn as its environment reads it."""
        place, ids = turn.prompt * self._group + turn.completion, self._tokenizer.ids
        last, cut = turn.tokens[-1] if turn.tokens else ids.pad, ""
        if last not in ids.ends:
            cut = "no_room" if turn.room <= 0 else "overlong"
        elif last != ids.ends[0]:
            cut = "stopped"
        return Move(self._states[place], self._tokenizer.decode(turn.tokens), cut)


def check_shape(reply: Reply, config: EnvironmentConfig) -> None:
    """Raise `ValueError` for a reply that none of the environment's shapes holds."""
    tokens, patches = len(reply.tokens), len(reply.patch_image)
    if not any(tokens <= most and patches <= slots for most, slots in config.shapes):
        raise ValueError(
            f"environment.shapes must hold what {config.name} returns, {tokens} tokens and {patches} patch slots, "
            f"got {config.shapes}"
        )


def talks_of(
    config: Config,
    environment: Environment,
    players: Plays,
    tokenizer: Tokenizer,
    states: Sequence[State],
    group: int,
) -> Talks:
    """The conversations of a rollout, laid out as a run's prompts are."""
    observer = Observer(tokenizer, config.model.vision, config.data.min_pixels, config.data.max_pixels)
    return Talks(environment, players, tokenizer, observer, states, group)
