"""`MilvusIndex`: vectors in Milvus, for more voices than fit on one machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentaudio.errors import MissingExtra, RetrievalError
from agentaudio.retrieval.vectors.id_set import Ids, IdSet, as_ids

VECTORS_AT_ONCE = 1000
MOST_RESULTS = 16_384  # the most that Milvus returns for one search


class MilvusIndex:
    """A `VectorIndex` in one collection of Milvus, which many machines can share.

    Every search sees all changes made before it (Milvus's strong consistency).

    uri: `http://host:19530` of a cluster, or a file ending in .db for Milvus Lite, which serves one process
    dim: width of the vectors
    collection: name of the collection; created when it does not exist
    token: `user:password`

    Raises MissingExtra without the extra `scale`; RetrievalError when Milvus cannot be reached, or the
    collection holds vectors of another width.
    """

    def __init__(self, uri: str, dim: int, *, collection: str = "voices", token: str = "") -> None:
        try:
            from pymilvus import DataType, MilvusClient
        except ImportError as error:
            raise MissingExtra("an index in Milvus", "scale") from error
        self.dim = dim
        self._uri, self._collection = uri, collection
        with self._milvus_errors():
            self._client: Any = MilvusClient(uri=uri, token=token)
            if not self._client.has_collection(collection):
                schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
                schema.add_field("id", DataType.INT64, is_primary=True)
                schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dim)
                indexes = self._client.prepare_index_params()
                indexes.add_index("vector", index_type="AUTOINDEX", metric_type="COSINE")
                self._client.create_collection(
                    collection, schema=schema, index_params=indexes, consistency_level="Strong"
                )
            fields = {field["name"]: field for field in self._client.describe_collection(collection)["fields"]}
            self._client.load_collection(collection)
        width = fields.get("vector", {}).get("params", {}).get("dim")
        if width is None or int(width) != dim:
            raise RetrievalError(
                f"collection {collection!r} of {uri} holds vectors of width {width}, not {dim}; name another collection"
            )

    def __len__(self) -> int:
        with self._milvus_errors():
            return int(self._client.query(self._collection, filter="", output_fields=["count(*)"])[0]["count(*)"])

    def ids(self) -> IdSet:
        """Ids of the vectors in the collection, all fetched from Milvus."""
        found = IdSet()
        with self._milvus_errors():
            pages = self._client.query_iterator(
                self._collection, filter="id >= 0", output_fields=["id"], batch_size=VECTORS_AT_ONCE
            )
            while page := pages.next():
                found |= IdSet(row["id"] for row in page)
            pages.close()
        return found

    def add(self, ids: Sequence[int] | Ids, vectors: NDArray[np.float32]) -> None:
        """Add vectors: n ids from 0 and (n, dim) float32.

        Raises RetrievalError for another width, NaN, infinity, or an id that is repeated or already in the index;
        of more than VECTORS_AT_ONCE vectors, those before the failing batch stay added.
        """
        given, rows = as_ids(ids), np.asarray(vectors, np.float32)
        if rows.shape != (len(given), self.dim):
            raise RetrievalError(f"{len(given)} ids for vectors of shape {rows.shape} in an index of width {self.dim}")
        if not np.isfinite(rows).all():
            raise RetrievalError("a vector holds NaN or infinity; check what was embedded")
        with self._milvus_errors():
            for start in range(0, len(given), VECTORS_AT_ONCE):
                part = slice(start, start + VECTORS_AT_ONCE)
                if len(np.unique(given[part])) < len(given[part]) or self._client.get(
                    self._collection, ids=given[part].tolist(), output_fields=["id"]
                ):
                    raise RetrievalError("an id is given twice, or is already in the index; remove it first")
                pairs = zip(given[part].tolist(), rows[part].tolist(), strict=True)
                self._client.insert(self._collection, [{"id": id, "vector": vector} for id, vector in pairs])

    def remove(self, ids: Iterable[int] | IdSet) -> None:
        """Remove vectors by id; unknown ids are ignored."""
        gone = ids.ids() if isinstance(ids, IdSet) else as_ids(ids)
        with self._milvus_errors():
            for start in range(0, len(gone), VECTORS_AT_ONCE):
                self._client.delete(self._collection, ids=gone[start : start + VECTORS_AT_ONCE].tolist())

    def search(
        self, vector: NDArray[np.float32], k: int, *, among: Iterable[int] | IdSet | None = None
    ) -> list[tuple[int, float]]:
        """(id, cosine) of the k nearest, best first. among: only these ids, filtered before the ranking."""
        row = np.asarray(vector, np.float32)
        if row.shape != (self.dim,) or not np.isfinite(row).all():
            raise RetrievalError(f"a vector of shape {row.shape}, or with NaN, in an index of width {self.dim}")
        allowed = among.ids() if isinstance(among, IdSet) else None if among is None else as_ids(among)
        if k < 1 or (allowed is not None and not len(allowed)):
            return []
        # Milvus Lite does not support parameters in filters; integers are safe to format.
        condition = "" if allowed is None else f"id in {allowed.tolist()}"
        with self._milvus_errors():
            found = self._client.search(
                self._collection, data=[row.tolist()], limit=min(k, MOST_RESULTS), filter=condition
            )
        return [(int(hit["id"]), float(hit["distance"])) for hit in found[0]]

    def close(self) -> None:
        """Close the connection or the file."""
        self._client.close()

    @contextmanager
    def _milvus_errors(self) -> Iterator[None]:
        """Raise errors of Milvus as RetrievalError."""
        from pymilvus.exceptions import MilvusException

        try:
            yield
        except MilvusException as error:
            raise RetrievalError(
                f"Milvus at {self._uri} failed: {error.message or type(error).__name__}; "
                "check that it runs, or that no other process has its file open"
            ) from None
