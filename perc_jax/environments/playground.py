"""The environments of a run, each with its players, and the conversations of its rollouts."""

import contextlib
from collections.abc import Sequence

from perc_jax.config import Config, EnvironmentConfig, StageConfig
from perc_jax.environments.base import State
from perc_jax.environments.make import make
from perc_jax.environments.players import Players
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

    def talks(self, stage: StageConfig, states: Sequence[State | None], tokenizer: Tokenizer) -> Talks | None:
        """The conversations about a stage's prompts, G about each; None where it has no environment."""
        if not stage.plays:
            return None
        return self.talks_in(stage.environment, states, stage.group_size, tokenizer)

    def talks_in(
        self, played: EnvironmentConfig, states: Sequence[State | None], group: int, tokenizer: Tokenizer
    ) -> Talks:
        """The same in one of the run's environments, `group` about each prompt."""
        players = self._players[played]
        return talks_of(self._config, players.environment, players, tokenizer, states, group)

    def close(self) -> None:
        """End the processes."""
        self._open.close()

    def __enter__(self) -> "Playground":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
