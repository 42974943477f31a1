"""A built index on disk: replaced atomically, and memory-mapped when it is opened."""

from __future__ import annotations

import json
import os
import uuid
import zlib
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from agentaudio.errors import RetrievalError
from agentaudio.files import open_within, replacing, write_atomically
from agentaudio.retrieval.vectors.build import Built
from agentaudio.retrieval.vectors.id_set import IdSet
from agentaudio.retrieval.vectors.library import load_faiss
from agentaudio.retrieval.vectors.plan import Plan

FORMAT = 2

MAX_RECORD_BYTES = 1_000_000

SPARE_IDS = 100_000_000
"""An index whose highest id is larger than this, and than a hundred times its size, is damaged: the set of its ids
takes a bit for each number below the highest."""


def write_index(path: Path, built: Built, about: dict[str, Any]) -> None:
    """Save an index as PATH, a JSON file, and a data file beside it, which the JSON names.

    A process that reads at the same time gets the old index or the new one. The old one stays when this raises or
    the process is killed.

    about: plain data that `read_index` returns
    Raises RetrievalError when the index cannot be written.
    """
    faiss = load_faiss()

    data = path.with_name(f"{path.stem}-{uuid.uuid4().hex[:12]}.faiss")
    head, tail = _structure(built)
    record = {"format": FORMAT, "data": data.name, "plan": asdict(built.plan), "probes": built.probes,
              "recall": built.recall, "about": about, "head": head, "tail": tail}  # fmt: skip
    try:
        with replacing(data, error=RetrievalError, durable=True) as temporary:
            faiss.write_index(built.index, str(temporary))
            with temporary.open("rb") as written:
                record["checksum"] = _checksum(written, head, tail)
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

    Returns None for a damaged index or another format too, because an index can be built again. Only regular files in
    the folder of PATH are opened.
    """
    faiss = load_faiss()

    for _ in range(2):  # between two reads another process may replace the file that the first one named
        try:
            with open_within(path.parent, path) as file:
                record = json.loads(file.read(MAX_RECORD_BYTES))
            if record["format"] != FORMAT:
                return None
            plan = Plan(**record["plan"])
            probes, recall, about = int(record["probes"]), float(record["recall"]), record["about"]
            data = path.with_name(record["data"])
            if not (1 <= probes <= plan.lists if plan.lists else probes == 0):
                return None
            if not (isinstance(about, dict) and isinstance(plan.lists, int) and 0 <= recall <= 1):
                return None
            with open_within(path.parent, data) as file:  # FAISS would wait for a named pipe, and follow a link
                if record["checksum"] != _checksum(file, record["head"], record["tail"]):
                    return None
            index = faiss.read_index(str(data), faiss.IO_FLAG_MMAP_IFC)
            if plan.lists != getattr(index, "nlist", 0):  # FAISS reads beyond its lists without a check
                return None
            ids = _ids(index, plan)
            if len(ids) != index.ntotal or (len(ids) and ids.max() > max(SPARE_IDS, 100 * len(ids))):
                return None
            held = IdSet(ids)
            if len(held) != len(ids):
                return None
            return Built(index, plan, held, probes, recall), about
        except Exception:  # damaged bytes make the parsers raise exceptions of any type
            continue
    return None


def _structure(built: Built) -> tuple[int, int]:
    """How many bytes at the beginning and at the end of a data file hold the structure of the index, or its ids.

    FAISS trusts them: with a damaged one it reads beyond its memory, or takes gigabytes. Vectors may be damaged.
    """
    dim = built.index.d
    head = 4_096 + 16 * dim + built.plan.lists * (4 * dim + 8)  # settings, ranges of a code, centroids, sizes of lists
    return head, 4_096 + (0 if built.plan.lists else 8 * len(built.ids))


def _checksum(file: BinaryIO, head: int, tail: int) -> list[int]:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    checked = zlib.crc32(file.read(min(head, size)))
    file.seek(size - min(tail, size))
    return [size, zlib.crc32(file.read(min(tail, size)), checked)]


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
