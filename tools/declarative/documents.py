"""Tools of the kind `documents`: search in a folder."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import Field

from agentaudio.retrieval.documents.index import DocumentIndex
from agentaudio.text.template import Phrase, read_phrase
from agentaudio.tools.context import RunContext
from agentaudio.tools.declarative.entry import Entry
from agentaudio.tools.declarative.format import DocumentsTool
from agentaudio.tools.quoting import quoted
from agentaudio.tools.result import ToolResult
from agentaudio.tools.tool import Tool, tool


def documents_tool(entry: Entry, config: DocumentsTool) -> Tool:
    """The tool. Its files are read at the first search. Raises OptionError when the folder does not exist."""
    corpus = _Corpus(entry.folder(config.folder))

    def phrases(context: RunContext) -> Iterable[Phrase]:
        return (*map(read_phrase, config.phrases), *corpus.open(context).sentences)

    @tool(
        name=config.name,
        description=config.description,
        phrases=phrases,
        timeout_s=config.timeout_s,
        idempotent=True,
        approval=config.approval,
        cancellable=config.cancellable,
        filler=config.filler,
    )
    def search(
        context: RunContext,
        query: Annotated[str, Field(description="What to look for, as a question or in key words.")],
    ) -> ToolResult:
        passages = tuple(corpus.open(context).search(query, config.k))
        if not passages:
            return ToolResult(f"The documents say nothing about {query!r}.")
        return ToolResult(quoted(passages), passages)

    return search


class _Corpus:
    """The index of a folder, opened once by the first thread that needs it."""

    def __init__(self, folder: Path) -> None:
        self._open = partial(DocumentIndex.from_folder, folder)
        self._lock = threading.Lock()
        self._index: DocumentIndex | None = None

    def open(self, context: RunContext) -> DocumentIndex:
        with self._lock:
            if self._index is None:
                self._index = self._open(embed=context.embed)
            return self._index
