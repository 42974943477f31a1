"""`load_faiss`: FAISS, imported on first use and safe after `fork`."""

from __future__ import annotations

import functools
import os
from typing import Any


@functools.cache
def load_faiss() -> Any:
    """The module `faiss`.

    A forked child has none of the parent's OpenMP threads, and would wait for them forever; it searches in
    one thread instead.
    """
    import faiss

    os.register_at_fork(after_in_child=lambda: faiss.omp_set_num_threads(1))
    return faiss
