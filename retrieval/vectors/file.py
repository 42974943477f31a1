"""A built index on the disk: written at once or not at all, read without being loaded."""

from __future__ import annotations

import json
import os
import uuid
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from agentaudio.errors import RetrievalError
from agentaudio.retrieval.vectors.build import Built
from agentaudio.retrieval.vectors.id_set import IdSet
from agentaudio.retrieval.vectors.plan import Plan

FORMAT = 1


def write_index(path: Path, built: Built, about: dict[str, Any]) -> None:
    """Keep an index as PATH, a JSON file, and the file that it names beside it.

    Whoever reads meanwhile has the old one or the new one, and so has everybody after a kill.

    about: plain data that `read_index` gives back
    Raises RetrievalError when it cannot be written.
    """
    import faiss

    data = path.with_name(f"{path.stem}-{uuid.uuid4().hex[:12]}.faiss")
    record = {"format": FORMAT, "data": data.name, "plan": asdict(built.plan), "probes": built.probes,
              "recall": built.recall, "about": about}  # fmt: skip
    temporary = data.with_suffix(".json.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        faiss.write_index(built.index, str(data))
        _flush(data)
        temporary.write_text(json.dumps(record), encoding="utf-8")
        _flush(temporary)
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # FAISS raises RuntimeError when a disk is full
        for file in (data, temporary):
            with suppress(OSError):
                file.unlink()
        raise RetrievalError(f"cannot write the index {path}: {error}; free some space, or make it writable") from None
    for file in path.parent.glob(f"{path.stem}-*.faiss"):
        if file != data:
            with suppress(OSError):  # another process was faster
                file.unlink()


def read_index(path: Path) -> tuple[Built, dict[str, Any]] | None:
    """The index kept as PATH, mapped into memory, and what was told about it; None when there is none.

    One that was damaged, or written by another version, counts as none: it can be built again.
    """
    import faiss

    for _ in range(2):  # between two reads another process may replace the file that the first one named
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if record["format"] != FORMAT:
                return None
            plan = Plan(**record["plan"])
            index = faiss.read_index(str(path.with_name(record["data"])), faiss.IO_FLAG_MMAP_IFC)
            held = IdSet(_ids(index, plan))
            return Built(index, plan, held, int(record["probes"]), float(record["recall"])), record["about"]
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError):
            continue
    return None


def _ids(index: Any, plan: Plan) -> Any:
    import faiss

    if not plan.lists:
        return faiss.vector_to_array(index.id_map)
    lists = index.invlists
    found = [np.zeros(0, np.int64)]
    for number in range(plan.lists):
        if size := lists.list_size(number):
            found.append(faiss.rev_swig_ptr(lists.get_ids(number), size))
    return np.concatenate(found)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
