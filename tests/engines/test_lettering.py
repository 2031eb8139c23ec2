"""Letters: every font writes every ASCII character at one height, in the same place wherever its pixels fall."""

import string

import numpy as np
import pytest
from PIL import ImageFont

from engines.canvas import Canvas
from engines.lettering import FONTS, OVERSAMPLE, extent, font_for, font_path, letters, text_width_px

EACH_FONT = pytest.mark.parametrize("font", FONTS)


def shown(text, font, height_px=40.0):
    """Ink of a text in the middle of a large picture: float [200, 200]."""
    canvas = Canvas(200, (255, 255, 255))
    canvas.text((20, 100), text, height_px, (0, 0, 0), "ls", font)
    return 1 - np.asarray(canvas.image())[..., 0] / 255.0


@EACH_FONT
def test_every_ascii_character_is_there_and_looks_like_no_other(font):
    lacking = shown("\uffff", font).tobytes()  # the box of a character that no font has
    seen = {char: shown(char, font).tobytes() for char in string.ascii_letters + string.digits + string.punctuation}
    assert lacking not in seen.values() and len(set(seen.values())) == len(seen)


@EACH_FONT
@pytest.mark.parametrize("text, height", [("xzv", 0.547), ("0123456789", 0.742), ("HEX", 0.742)])
def test_fonts_have_one_height(font, text, height):
    rows = np.nonzero(shown(text, font, 60.0).max(1) > 0.5)[0]
    assert rows.max() - rows.min() + 1 == pytest.approx(60 * height, abs=4.0)


@EACH_FONT
def test_characters_outside_a_fonts_order_are_written_by_another(font):
    assert font_for("A < B", font) in FONTS and font_for("12", font) == font
    assert (font_for("a_b", font) != font) == (font == "modern")


@EACH_FONT
def test_fonts_are_files_of_matplotlib_with_open_licences(font):
    assert font_path(font).parts[-4:-1] == ("mpl-data", "fonts", "ttf")
    family = ImageFont.truetype(str(font_path(font))).getname()[0]
    assert family.startswith(("DejaVu", "STIX", "cmr10")), family


def test_a_text_is_the_same_a_third_of_a_pixel_further():
    for column in range(OVERSAMPLE):
        for row in range(OVERSAMPLE):
            written = letters("Ag8", "sans", 60, "mm", 0, column, row)
            rows, columns = np.indices(written.mask.shape) + 0.5
            share = written.mask / written.mask.sum()
            place = ((columns * share).sum() + written.left_px, (rows * share).sum() + written.top_px)
            if column == row == 0:
                first = place
            assert place == pytest.approx((first[0] + column / 3, first[1] + row / 3), abs=0.02)


def test_quarter_turns_turn_the_box_and_the_ink():
    flat, upward = (letters("Lg", "sans", 60, "ls", turns, 0, 0).mask for turns in (0, 1))
    assert np.abs(np.rot90(flat).sum() / upward.sum() - 1) < 0.01
    left, top, right, bottom = extent("Lg", "sans", 60, "ls", 0)
    assert extent("Lg", "sans", 60, "ls", 1) == (top, -right, bottom, -left)
    assert extent("Lg", "sans", 60, "ls", 4) == (left, top, right, bottom)


def test_widths_add_up_and_grow_with_the_height():
    assert text_width_px("12345", 20) == pytest.approx(5 * text_width_px("1", 20), rel=0.02)
    assert text_width_px("Word", 40) == pytest.approx(2 * text_width_px("Word", 20), rel=0.05)
    assert text_width_px("", 20) == 0
