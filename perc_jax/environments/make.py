"""An environment by its name."""

from perc_jax.config import DataConfig, EnvironmentConfig, VisionConfig
from perc_jax.environments.base import Game
from perc_jax.environments.conversation import Environment
from perc_jax.environments.detail import Inspect
from perc_jax.environments.jigsaw import Jigsaw
from perc_jax.environments.views import Viewer
from perc_jax.rewards.forms import Form


def make(config: EnvironmentConfig, data: DataConfig, vision: VisionConfig) -> Environment:
    """Make the environment of a stage; one that is not `none`.

    Args:
        config: the stage's.
        data: its form of answers is the environment's, its pictures' size that of the pictures on a sheet.
        vision: its merged patch is the unit of what is shown.
    """
    viewer = Viewer(vision.merged_px, config.view_px)
    game: Game
    if config.name == "jigsaw":
        game = Jigsaw(config.side, viewer, config.rotation)
    else:
        game = Inspect(config.side, data.image_px, viewer)
    return Environment(config, Form.of(data), game)
