#!/usr/bin/env bash
# Pillow 13.0.0: an uncompressed TIFF with an orientation tag of 5 to 8 reads scrambled by path, and right from its bytes.
#
# Opened by path, modes L, P, RGBA, CMYK and I;16 are mapped into memory, with the size that the picture has once it is
# turned in place of the one that is stored: every row of a picture that is no square begins at a wrong pixel, and it is
# turned afterwards. Nothing is said. The same bytes behind a BytesIO, or modes that are not mapped (RGB, 1, F), are
# right. Scanners and cameras write such files. Seen: see the last line.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==13.0.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import io

from PIL import Image

found = {}
for mode in ("L", "P", "RGBA", "CMYK", "I;16", "RGB", "1", "F"):
    stored = Image.new(mode, (16, 12))
    stored.putpixel((3, 2), 1 if mode in ("L", "P", "I;16", "1", "F") else (1,) * len(stored.getbands()))
    exif = Image.Exif()
    exif[0x0112] = 6
    stored.save("turned.tif", exif=exif)
    with open("turned.tif", "rb") as file:
        right = Image.open(io.BytesIO(file.read()))
        right.load()
    with Image.open("turned.tif") as by_path:
        by_path.load()
        found[mode] = by_path.size == right.size and by_path.tobytes() == right.tobytes()
print("read alike by path and from bytes:", found)
assert found == {mode: mode in ("RGB", "1", "F") for mode in found}
PYTHON
# read alike by path and from bytes: {'L': False, 'P': False, 'RGBA': False, 'CMYK': False, 'I;16': False, 'RGB': True, '1': True, 'F': True}
