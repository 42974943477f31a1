"""What retrieval needs of a text embedder."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""n texts to (n, dim) float32 rows of unit length. Retrieval without one is lexical only.

One that has a `name` may find what it made kept on the disk.
"""
