"""The judge of synthesised speech: the neural ear of the tests, `Ear`, and how it compares words."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))

from support.ear import Ear, words  # noqa: E402

__all__ = ["Ear", "words"]
