"""Moves played in worker processes, each with a deadline: what a model writes can neither freeze nor end a run.

Moves are scheduled at once and their steps come in order when they are asked for, so that the device decodes other
completions meanwhile. Moves of one scene travel together, their pictures once. A move that runs past its deadline, or
ends its process, ends its conversation, is worth what an unfinished one is, and is counted (`late`, `died`).
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
from jaxtyping import Int

from perc_jax.config import Config
from perc_jax.environments.base import Move, Step
from perc_jax.environments.conversation import Environment
from perc_jax.rewards.endings import LOST, Ending
from perc_jax.rewards.pool import Lost, Pool

CHUNK = 16  # moves of a scene that are played by one task
# The largest of the numbers that any of the hosts with the same rows brings; all hosts ask, with equally many.
Agree = Callable[[Int[np.ndarray, "n"]], Int[np.ndarray, "n"]]


class Players:
    """Processes that play moves. A context manager: leaving it ends them."""

    def __init__(
        self,
        environment: Environment,
        deadline_s: float,
        processes: int = 1,
        play: Callable[[Move], Step] | None = None,
    ):
        """Start the processes.

        Args:
            environment: gives the endings of what is lost.
            deadline_s: of a task of at most `CHUNK` moves, and then of each of them alone where it ran past.
            processes: how many.
            play: gives the step; the environment's own, unless it is another.
        """
        self.environment, self._play = environment, play or environment.step
        self._pool = Pool(deadline_s, processes)

    @classmethod
    def of(cls, config: Config, environment: Environment) -> "Players":
        """The players that a run asks for: as many, and as patient, as its verifiers."""
        return cls(environment, config.verifier_deadline_s, config.verifier_processes)

    def begin(self, moves: Sequence[Move]) -> Iterator[Step]:
        """Begin to play; the steps come in the order of the moves."""
        tasks = [task for _, same in groupby(moves, lambda move: id(move.state.scene)) for task in _chunks([*same])]
        begun = self._pool.begin(partial(_play, self._play), tasks)
        return self._steps(tasks, begun)

    def _steps(self, tasks: Sequence[Sequence[Move]], begun: Iterator[Any]) -> Iterator[Step]:
        for task, found in zip(tasks, begun, strict=True):
            if isinstance(found, Lost):  # one of them is at fault: each on its own
                found = [
                    one if isinstance(one, Lost) else one[0]
                    for one in self._pool.each(partial(_play, self._play), [[move] for move in task])
                ]
            for move, step in zip(task, found, strict=True):
                if isinstance(step, Lost):
                    yield Step(move.state, self.environment.give_up(move.state, step.value))
                else:
                    yield step._replace(state=step.state._replace(scene=move.state.scene))

    def close(self) -> None:
        """End the processes."""
        self._pool.close()

    def __enter__(self) -> "Players":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Agreeing:
    """Players of moves that other hosts, which bring the same prompts, play as well: what is lost on one of them is
    lost on all.

    A step is the same wherever it is played, but a clock, or the end of a process, is not.
    """

    def __init__(self, players: Players, agree: Agree, most: int):
        """Ask `players`, for `most` moves at a time or fewer, and `agree`."""
        self._players, self._agree, self._most = players, agree, most

    def begin(self, moves: Sequence[Move]) -> Iterator[Step]:
        """As `Players.begin`. All hosts must begin, and ask for steps, equally often, also for no moves at all."""
        return self._agreed(moves, self._players.begin(moves))

    def _agreed(self, moves: Sequence[Move], steps: Iterator[Step]) -> Iterator[Step]:
        found, lost = list(steps), np.zeros(self._most, np.int32)
        lost[: len(found)] = [_lost(step) for step in found]
        lost = self._agree(lost)
        for move, step, number in zip(moves, found, lost[: len(found)].tolist(), strict=True):
            give_up = self._players.environment.give_up
            yield Step(move.state, give_up(move.state, LOST[number - 1])) if number else step


def _lost(step: Step) -> int:
    """0: it is there; else the number of its reason among `LOST`, from 1 on."""
    met = step.outcome.met if isinstance(step.outcome, Ending) else ()
    return max([1 + LOST.index(reason) for reason in met if reason in LOST], default=0)


def _chunks(moves: list[Move]) -> list[list[Move]]:
    return [moves[i : i + CHUNK] for i in range(0, len(moves), CHUNK)]


def _play(play: Callable[[Move], Step], moves: Sequence[Move]) -> list[Step]:
    """Play moves; the scenes, which the caller has, do not travel back."""
    steps = [play(move) for move in moves]
    return [step._replace(state=step.state._replace(scene=None)) for step in steps]
