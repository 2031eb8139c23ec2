"""Properties of everything, in the folders of the wings that they are about; see README.md."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
