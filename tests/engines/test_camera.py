"""The camera's map: exactly invertible, continuous, never mirrored, the whole picture in the frame, nothing at rest."""

import numpy as np
import pytest

from engines.base import make_rng
from engines.camera import STRONGEST, WEAKEST, Pose, camera, pose

LEVELS = pytest.mark.parametrize("level", range(10))


def cameras(level, count=40, size_px=448, share=1.0):
    return [camera(pose(make_rng("camera", level, index), level), size_px, share) for index in range(count)]


@LEVELS
def test_back_undoes_view(level):
    points = make_rng("points").uniform(0, 448, size=(60, 2))
    for taken in cameras(level):
        assert abs(taken.back(taken.view(points)) - points).max() < 1e-6
        assert abs(taken.view(taken.back(points)) - points).max() < 1e-6


@LEVELS
def test_the_whole_picture_stays_in_the_frame_the_right_way_round(level):
    net = np.stack(np.meshgrid(np.linspace(0, 448, 29), np.linspace(0, 448, 29)), -1)
    for taken in cameras(level):
        seen = taken.view(net)
        assert seen.min() >= -0.5 and seen.max() <= 448.5
        right, down = seen[:-1, 1:] - seen[:-1, :-1], seen[1:, :-1] - seen[:-1, :-1]
        assert (right[..., 0] * down[..., 1] - right[..., 1] * down[..., 0]).min() > 0.3 * 16**2
        assert right[..., 0].min() > 0 and down[..., 1].min() > 0


def test_strengths_grow_with_the_level_and_shrink_with_the_share():
    assert all(low < high for low, high in zip(WEAKEST, STRONGEST, strict=True))
    points = make_rng("points").uniform(0, 448, size=(60, 2))

    def moved(level, share=1.0):
        return np.mean([abs(taken.view(points) - points).mean() for taken in cameras(level, share=share)])

    assert moved(0) < moved(4) < moved(9)
    assert moved(9, 0.0) < 1e-9 and moved(9, 0.3) < moved(9, 0.6) < moved(9)


def test_the_size_only_scales():
    points = make_rng("points").uniform(0, 1, size=(20, 2))
    for small, large in zip(cameras(7, 10, 112), cameras(7, 10, 448), strict=True):
        assert small.view(points * 112) * 4 == pytest.approx(large.view(points * 448))


def test_each_part_of_a_pose_does_what_its_name_says():
    still = Pose((0.0, 0.0), 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, (0.5, 0.5))
    corners = np.array([(0, 0), (448, 0), (448, 448), (0, 448)], float)

    def seen(**change):
        return camera(still._replace(**change), 448, 1.0).view(corners)

    assert seen() == pytest.approx(corners)
    assert seen(inset=0.1) == pytest.approx(corners * 0.9 + 22.4)
    sides = np.linalg.norm(seen(tilt=(0.4, 0.0)) - np.roll(seen(tilt=(0.4, 0.0)), -1, axis=0), axis=1)
    assert abs(sides[0] - sides[2]) > 40 and sides[1] == pytest.approx(sides[3])  # one edge is nearer
    turned = seen(roll=0.1)
    assert np.degrees(np.arctan2(*(turned[1] - turned[0])[::-1])) == pytest.approx(np.degrees(0.1))
    line = np.stack([np.linspace(0, 448, 9), np.full(9, 20.0)], 1)
    for change in ({"lens": 0.05}, {"curl": 0.02}):
        bent = camera(still._replace(**change), 448, 1.0).view(line)
        straight = np.linspace(bent[0], bent[-1], 9)
        assert abs(bent - straight)[:, 1].max() > 1


def test_flat_things_do_not_curl():
    assert pose(make_rng("a"), 9, is_flat=True) == pose(make_rng("a"), 9)._replace(curl=0.0)
    assert pose(make_rng("a"), 9).curl != 0
