"""The conversation around a game: whose turn it is, what it must look like, how long it may last, how it ends.

A turn that is neither a call that is allowed nor an answer is met with words that say what is allowed, and counts: it
takes a turn, and what it lacked is kept. What a turn calls happens whole or not at all. The last turn must be the
answer.

Endings have, beside the game's parts, AGILE's `steps` (arXiv 2510.01304; github.com/yuzeng0-0/AGILE): -0.05 for each
picture that was returned where the answer is right, else -0.05 for each turn that there could have been.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from perc_jax.config import EnvironmentConfig
from perc_jax.environments.base import Game, Judged, Move, Observation, Question, Shows, State, Step
from perc_jax.environments.calls import Call, Refused, allowed
from perc_jax.environments.turns import read_turn, written_answer, written_code
from perc_jax.prompt.chat import PICTURE
from perc_jax.rewards.endings import Ending
from perc_jax.rewards.forms import Form

STEP = -0.05  # AGILE's lambda
NO_MORE = "No more pictures are shown."
SAYS_NOTHING = ("overlong", "no_room", "late", "died")  # cuts after which nobody reads the turn


@dataclass(frozen=True)
class Environment:
    """A game with its rules of conversation. Its functions are pure."""

    config: EnvironmentConfig
    form: Form  # of answers, of `config.environment.FORMS`
    game: Game

    def start(self, question: Question) -> State:
        """Where every conversation about a question begins. Raises `ValueError` for one that does not serve."""
        return State(*self.game.begin(question))

    def opening(self, state: State) -> Observation:
        """What the model is asked, as the user's first turn: pictures and the game's words, and where the config says
        so, what may be called and how an answer must look."""
        asked = self.game.opening(state.scene, state.board)
        if not self.config.explains:
            return asked
        more, code = self.game.explained(state.scene, state.board), written_code("...", self.form)
        calls = f" In {code} you may call {allowed(self.game.calls)}." if self.config.turns > 1 else ""
        answer = f" Answer as {written_answer('...', self.form)}."
        return asked._replace(parts=(*asked.parts[:-1], f"{asked.parts[-1]} {more}{calls}{answer}"))

    def step(self, move: Move) -> Step:
        """Answer a turn."""
        state = move.state._replace(turns=move.state.turns + 1)
        if move.cut in SAYS_NOTHING:
            return self._cut(state, move.cut)
        try:
            said = read_turn(move.text, self.form, self.game.calls)
            if isinstance(said, str):
                return self._judged(state, said)
            if move.cut:
                return self._cut(state, move.cut)
            if state.turns >= self.config.turns:
                return self._cut(state, "no_answer")
            return self._act(state, said)
        except Refused as refused:
            state = state._replace(met=(*state.met, refused.reason))
            if move.cut or state.turns >= self.config.turns:
                return self._cut(state, move.cut or "no_answer")
            return Step(state, Observation((f"{refused.words}{self._told()}",)))

    def give_up(self, state: State, reason: str) -> Ending:
        """The ending of a conversation that is not gone on with, for one of `rewards.endings.REASONS`."""
        return self._cut(state, reason).outcome

    def solution(self, state: State, rng: np.random.Generator) -> Iterator[tuple[str, Step]]:
        """A conversation that ends with the right answer: what the model says, and what comes of it."""
        most = self.config.turns - 1
        blocks = self.game.solution(state.scene, rng, most)[:most]
        gold = written_answer(self.game.gold(state.scene).text(), self.form)
        for said in (*(written_code(block, self.form) for block in blocks), gold):
            step = self.step(Move(state, said))
            yield said, step
            state = step.state

    def _act(self, state: State, calls: list[Call]) -> Step:
        """Do what a turn calls; raises `Refused`, and then nothing is done."""
        shows = Shows(state.board, "")
        picture, sight = shows.picture, shows.sight
        for call in calls:
            shows = self.game.act(state.scene, shows.board, call)
            if shows.picture is not None:
                picture, sight = shows.picture, shows.sight
        state, text = state._replace(board=shows.board), shows.words
        if picture is None:
            return Step(state, Observation((text,)))
        if state.pictures >= self.config.pictures:
            return Step(state, Observation((f"{text} {NO_MORE}".strip(),)))
        state = state._replace(board=self.game.looked(state.board, sight), pictures=state.pictures + 1)
        return Step(state, Observation((PICTURE, text) if text else (PICTURE,), (picture,)))

    def _judged(self, state: State, answer: str) -> Step:
        """End with an answer."""
        judged = self.game.judge(state.scene, state.board, answer)
        if not judged.is_read:
            state = state._replace(met=(*state.met, "form"))
        return Step(state, self._ending(state, judged, answer))

    def _told(self) -> str:
        return f" Allowed: {allowed(self.game.calls)}." if self.config.explains else ""

    def _cut(self, state: State, reason: str) -> Step:
        """End without an answer."""
        state = state._replace(met=(*state.met, reason))
        return Step(state, self._ending(state, Judged(False, False, self.game.nothing), None))

    def _ending(self, state: State, judged: Judged, answer: str | None) -> Ending:
        """The ending with what it is worth."""
        parts = judged.parts | {"steps": STEP * (state.pictures if judged.correct else self.config.turns)}
        counts = {"turns": state.turns, "pictures": state.pictures, **Counter(state.met)}
        return Ending(
            judged.correct, judged.is_read and not state.met, answer if judged.is_read else None, parts, counts
        )
