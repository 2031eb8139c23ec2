"""How scenes of cubes look."""

from engines.base import Style
from engines.canvas import Canvas
from engines.cube.draw.dice import draw_dice, draw_roll
from engines.cube.draw.maps import maps
from engines.cube.draw.nets import draw_nets
from engines.cube.draw.solids import draw_solids
from engines.cube.draw.stacks import draw_stacks, draw_view
from engines.cube.scene import DiceScene, NetScene, RollScene, Scene, SolidsScene, StackScene, ViewScene
from engines.marks import Drawing
from engines.style import theme_of

DRAWERS = {
    StackScene: draw_stacks,
    ViewScene: draw_view,
    SolidsScene: draw_solids,
    NetScene: draw_nets,
    DiceScene: draw_dice,
    RollScene: draw_roll,
}


def draw(scene: Scene, size_px: int, style: Style) -> Drawing:
    """Draw a scene as an RGB picture of size_px x size_px."""
    theme = theme_of(style)
    # Edges of neighbours must meet in small pictures too, where an unsteady hand would part them.
    canvas = Canvas(size_px, theme.background, theme.wobble_px * min(1.0, size_px / 448))
    return canvas.drawing(DRAWERS[type(scene)](canvas, scene, style))


__all__ = ["draw", "maps"]
