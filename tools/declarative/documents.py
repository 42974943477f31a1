"""Tools that search a folder of documents of their own."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import Field

from agentaudio.retrieval.documents.index import DocumentIndex
from agentaudio.tools.context import RunContext
from agentaudio.tools.declarative.entry import Entry
from agentaudio.tools.declarative.format import DocumentsTool
from agentaudio.tools.quoting import quoted
from agentaudio.tools.result import ToolResult
from agentaudio.tools.tool import Tool, tool


def documents_tool(entry: Entry, written_down: DocumentsTool) -> Tool:
    """Raises OptionError when there is no such folder; its files are read at the first search."""
    folder = entry.path(written_down.folder)
    if not folder.is_dir():
        raise entry.wrong(f"there is no folder {folder}", "folder")
    corpus = _Corpus(folder)

    def phrases(context: RunContext) -> Iterable[str]:
        return (*written_down.phrases, *corpus.open(context).sentences)

    @tool(
        name=written_down.name,
        description=written_down.description,
        phrases=phrases,
        timeout_s=written_down.timeout_s,
        idempotent=True,
        approval=written_down.approval,
        cancellable=written_down.cancellable,
        filler=written_down.filler,
    )
    def search(
        context: RunContext,
        query: Annotated[str, Field(description="What to look for, as a question or in key words.")],
    ) -> ToolResult:
        passages = tuple(corpus.open(context).search(query, written_down.k))
        if not passages:
            return ToolResult(f"The documents say nothing about {query!r}.")
        return ToolResult(quoted(passages), passages)

    return search


class _Corpus:
    """Opens the folder once, whichever thread comes first."""

    def __init__(self, folder: Path) -> None:
        self._open = partial(DocumentIndex.from_folder, folder)
        self._lock = threading.Lock()
        self._index: DocumentIndex | None = None

    def open(self, context: RunContext) -> DocumentIndex:
        with self._lock:
            if self._index is None:
                self._index = self._open(embed=context.embed)
            return self._index
