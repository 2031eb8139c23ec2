"""The environments of a run, each with its players, and the conversations of its rollouts."""

import contextlib
from collections.abc import Sequence

from perc_jax.config import Config, EnvironmentConfig, StageConfig
from perc_jax.environments.base import State
from perc_jax.environments.make import make
from perc_jax.environments.players import Agree, Agreeing, Players
from perc_jax.environments.talks import Talks, talks_of
from perc_jax.prompt.tokenizer import Tokenizer


class Playground:
    """Opened once in a run; stages with the same environment share its players. A context manager."""

    def __init__(self, config: Config):
        """Start the players' processes; none where no stage has an environment."""
        self._config = config
        played = {stage.environment for stage in config.stages if stage.plays}
        with contextlib.ExitStack() as undo:
            self._players = {
                one: undo.enter_context(Players.of(config, make(one, config.data, config.model.vision)))
                for one in played
            }
            self._open = undo.pop_all()

    def talks(
        self, stage: StageConfig, states: Sequence[State | None], tokenizer: Tokenizer, agree: Agree | None = None
    ) -> Talks | None:
        """The conversations about a stage's prompts, G about each; None where it has no environment.

        `agree`: where other hosts have the same prompts (`players.Agreeing`).
        """
        if not stage.plays:
            return None
        return self.talks_in(stage.environment, states, stage.group_size, tokenizer, agree)

    def talks_in(
        self,
        played: EnvironmentConfig,
        states: Sequence[State | None],
        group: int,
        tokenizer: Tokenizer,
        agree: Agree | None = None,
    ) -> Talks:
        """The same in one of the run's environments, `group` about each prompt."""
        own = self._players[played]
        players = own if agree is None else Agreeing(own, agree, len(states) * group)
        return talks_of(self._config, own.environment, players, tokenizer, states, group)

    def close(self) -> None:
        """End the processes."""
        self._open.close()

    def __enter__(self) -> "Playground":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
