"""What environments are made of: questions, states, observations, and what a game must know.

A conversation is a chain of pure functions: `begin` makes a state of a question, a turn's text makes of it the next
state with an observation or an ending (`conversation.py`). All of it can be pickled, so that it runs in processes that
can be killed; equal inputs give equal bytes, so that a run that is killed between two turns and begins its step anew
is the same run. A game is what one environment knows beyond the form of turns.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from engines.answer import Answer
from perc_jax.environments.calls import Allowed, Call
from perc_jax.prompt.chat import Shown
from perc_jax.rewards.answers import Gold
from perc_jax.rewards.endings import Ending

Picture = UInt8[np.ndarray, "_h _w 3"]  # RGB
Parts = tuple[str | Shown, ...]  # texts, and the places of pictures, in order


class Question(NamedTuple):
    """What a game is about: a question as its source gives it."""

    id: str  # names it; all random choices of a game follow from it
    pictures: tuple[Picture, ...]  # the asked one, then `Game.others` more
    text: str
    answer: Answer | Gold
    besides: str = ""  # what its source shows that is neither the text nor the first picture, in words; empty: nothing


class Observation(NamedTuple):
    """What the model is given in return for a turn, as the user's next."""

    parts: Parts
    pictures: tuple[Picture, ...] = ()  # one for each place in the parts


class State(NamedTuple):
    """Where a conversation stands."""

    scene: Any  # what never changes, the same object for all completions of a prompt: pictures, the right answer
    board: Any  # what turns change, small
    turns: int = 0  # that the model has had
    pictures: int = 0  # that it was given in return
    met: tuple[str, ...] = ()  # why turns were malformed, of `rewards.endings.REASONS`, in order

    @property
    def nbytes(self) -> int:
        """What its scene's pictures take."""
        return sum(part.nbytes for part in self.scene if isinstance(part, np.ndarray))


class Move(NamedTuple):
    """The model's turn in a state."""

    state: State
    text: str  # without its end mark
    cut: str = ""  # why it is the last whatever it says, of `rewards.endings.REASONS`; empty: it is not


class Step(NamedTuple):
    """What comes of a move: the next state, and what is given in return."""

    state: State
    outcome: Observation | Ending


class Shows(NamedTuple):
    """What a call shows: the board after it, words, and perhaps a picture."""

    board: Any
    words: str
    picture: Picture | None = None
    sight: Any = None  # what there is to see in the picture, for `Game.looked`


class Judged(NamedTuple):
    """What a game says of an answer's text."""

    correct: bool
    is_read: bool  # whether it is an answer at all: only then it is well formed
    parts: dict[str, float]  # the game's own, without `steps`


@runtime_checkable
class Game(Protocol):
    """What an environment knows beyond the form of turns. Pure functions; a frozen dataclass that can be pickled."""

    @property
    def calls(self) -> Allowed:
        """What may be called."""

    @property
    def others(self) -> int:
        """How many pictures beside the asked one it needs, each of another question of the kind."""

    @property
    def nothing(self) -> dict[str, float]:
        """The game's own parts of an ending without an answer that is read."""

    def begin(self, question: Question) -> tuple[Any, Any]:
        """Make scene and first board. Raises `ValueError` for a question that does not serve."""

    def opening(self, scene: Any, board: Any) -> Observation:
        """What the model is asked, as the user's first turn; words stand last."""

    def explained(self, scene: Any, board: Any) -> str:
        """What a model that does not know the game must be told besides."""

    def act(self, scene: Any, board: Any, call: Call) -> Shows:
        """Do what a call says. Raises `calls.Refused` for arguments that are not possible."""

    def looked(self, board: Any, sight: Any) -> Any:
        """The board once the model is given the picture of a call, with its `Shows.sight`. Of a turn's pictures that is
        one at most."""

    def judge(self, scene: Any, board: Any, answer: str) -> Judged:
        """Judge an answer's text."""

    def gold(self, scene: Any) -> Answer | Gold:
        """The right answer."""

    def solution(self, scene: Any, rng: np.random.Generator, most: int) -> Sequence[str]:
        """Blocks of code that lead from the first board to where the answer can be read off, if that takes `most` of
        them or fewer; at least one."""
