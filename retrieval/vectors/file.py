"""A built index on disk: replaced atomically, and memory-mapped when it is opened."""

from __future__ import annotations

import json
import uuid
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from agentaudio.errors import RetrievalError
from agentaudio.files import replacing, write_atomically
from agentaudio.retrieval.vectors.build import Built
from agentaudio.retrieval.vectors.id_set import IdSet
from agentaudio.retrieval.vectors.library import load_faiss
from agentaudio.retrieval.vectors.plan import Plan

FORMAT = 1


def write_index(path: Path, built: Built, about: dict[str, Any]) -> None:
    """Save an index as PATH, a JSON file, and a data file beside it, which the JSON names.

    A process that reads at the same time gets the old index or the new one. The old one stays when this raises or
    the process is killed.

    about: plain data that `read_index` returns
    Raises RetrievalError when the index cannot be written.
    """
    faiss = load_faiss()

    data = path.with_name(f"{path.stem}-{uuid.uuid4().hex[:12]}.faiss")
    record = {"format": FORMAT, "data": data.name, "plan": asdict(built.plan), "probes": built.probes,
              "recall": built.recall, "about": about}  # fmt: skip
    try:
        with replacing(data, error=RetrievalError, durable=True) as temporary:
            faiss.write_index(built.index, str(temporary))
        write_atomically(path, json.dumps(record).encode(), error=RetrievalError, durable=True)
    except (RetrievalError, RuntimeError) as error:  # FAISS raises RuntimeError when a disk is full
        with suppress(OSError):
            data.unlink()
        raise RetrievalError(
            f"cannot write the index {path}: {error}; free disk space or make the folder writable"
        ) from None
    for file in path.parent.glob(f"{path.stem}-*.faiss"):
        if file != data:
            with suppress(OSError):  # another process was faster
                file.unlink()


def read_index(path: Path) -> tuple[Built, dict[str, Any]] | None:
    """The memory-mapped index that was saved as PATH, and its `about`; None when there is none.

    Returns None for a damaged index or another format too, because an index can be built again.
    """
    faiss = load_faiss()

    for _ in range(2):  # between two reads another process may replace the file that the first one named
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if record["format"] != FORMAT:
                return None
            plan = Plan(**record["plan"])
            probes, recall, about = int(record["probes"]), float(record["recall"]), record["about"]
            data = path.with_name(record["data"])
            if not (isinstance(about, dict) and isinstance(plan.lists, int) and probes >= 0 and 0 <= recall <= 1):
                return None
            index = faiss.read_index(str(data), faiss.IO_FLAG_MMAP_IFC)
            if plan.lists != getattr(index, "nlist", 0):  # FAISS reads beyond its lists without a check
                return None
            return Built(index, plan, IdSet(_ids(index, plan)), probes, recall), about
        except Exception:  # damaged bytes make the parsers raise exceptions of any type
            continue
    return None


def _ids(index: Any, plan: Plan) -> Any:
    faiss = load_faiss()

    if not plan.lists:
        return faiss.vector_to_array(index.id_map)
    lists = index.invlists
    found = [np.zeros(0, np.int64)]
    for number in range(plan.lists):
        if size := lists.list_size(number):
            found.append(faiss.rev_swig_ptr(lists.get_ids(number), size))
    return np.concatenate(found)
