"""The documents, voices and web of an agent, opened on first use, when the modules for them are imported, too."""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from agentaudio.conversation import Conversation
from agentaudio.errors import OptionError, VoiceNotFound
from agentaudio.model.speech_lm import SpeechLM
from agentaudio.portal import portal
from agentaudio.text.embedding import Embed, default_embedder, find_embedder
from agentaudio.tools.context import RunContext
from agentaudio.tools.tool import Need, Tool
from agentaudio.voice_library.voice import Voice

if TYPE_CHECKING:
    from agentaudio.retrieval.documents.files import Transcribe
    from agentaudio.retrieval.documents.index import DocumentIndex
    from agentaudio.retrieval.voices.search import VoiceSearch
    from agentaudio.retrieval.web.web import Web
    from agentaudio.voice_library.library import VoiceLibrary

Documents: TypeAlias = "str | os.PathLike[str] | DocumentIndex"
Voices: TypeAlias = "str | os.PathLike[str] | VoiceLibrary | VoiceSearch"


def open_documents(documents: Documents, *, embed: Embed | str | None = "default") -> DocumentIndex:
    """Open a folder as a searchable index; "demo" opens the documents that come with agentaudio.

    embed: text embedder, or its name for `load_embedder`
    """
    from agentaudio.retrieval.documents.index import DocumentIndex

    if isinstance(documents, DocumentIndex):
        return documents
    if documents != "demo":
        return DocumentIndex.from_folder(documents, embed=embed)
    found = find_embedder(embed)
    return _demo_documents() if found is default_embedder() else _new_demo_documents(found)


def _new_demo_documents(embed: Embed | None) -> DocumentIndex:
    from agentaudio.retrieval.documents.index import DocumentIndex

    return DocumentIndex.from_folder(str(files("agentaudio.demo") / "documents"), embed=embed)


@cache
def _demo_documents() -> DocumentIndex:
    """The index that all agents of this process share. The vectors of its passages come with agentaudio, because to
    embed them takes a second or two."""
    from agentaudio.text.known_vectors import KnownVectors

    embed = default_embedder()
    return _new_demo_documents(embed and KnownVectors(embed, Path(str(files("agentaudio.demo") / "documents.npz"))))


def open_voices(voices: Voices, *, encoder: str | None = None, embed: Embed | str | None = "default") -> VoiceSearch:
    """Open a library for voice search; "demo" opens the voices that come with agentaudio.

    encoder: name of a speaker encoder for search by clip, as for `load_encoder`; None uses the library's
        own, if it has one
    embed: text embedder, or its name for `load_embedder`
    """
    from agentaudio.retrieval.voices.search import VoiceSearch
    from agentaudio.voice_library.encoders import default_encoder, load_encoder
    from agentaudio.voice_library.library import VoiceLibrary, demo_voices

    if isinstance(voices, VoiceSearch):
        return voices
    if voices == "demo":
        voices = demo_voices()
    library = voices if isinstance(voices, VoiceLibrary) else VoiceLibrary(voices)
    named = library.encoder_name
    speaks = load_encoder(encoder) if encoder is not None else default_encoder(named) if named is not None else None
    return VoiceSearch(library, embed=embed, encoder=speaks)


def transcriber(model: SpeechLM) -> Transcribe:
    """A blocking transcription function with `model`, for `DocumentIndex.from_folder(..., transcribe=)`.

    It raises OptionError inside an event loop, and the errors of `transcribe`.
    """
    from agentaudio.model.transcribe import transcribe

    return lambda audio: portal().run(transcribe(model, audio))


def _check_place(what: Need, given: object) -> None:
    """Raises OptionError for documents or voices that cannot be opened later."""
    if given is None or given == "demo":
        return
    kinds = _classes(what)
    if isinstance(given, kinds):
        return
    names = " or ".join(kind.__name__ for kind in kinds)
    if not isinstance(given, str | os.PathLike):
        raise OptionError(f'{what} is {given!r:.100}; give a folder, "demo" or a {names}')
    if not os.path.isdir(given):
        raise OptionError(
            f'{what}: there is no folder {os.fspath(given)!r:.200}; give one that exists, "demo" or a {names}'
        )
    if what == "voices":
        from agentaudio.voice_library.database import FILE

        if not os.path.exists(os.path.join(given, FILE)):
            raise OptionError(
                f'voices: {os.fspath(given)!r:.200} is not a voice library; make one there, or give "demo"'
            )


def _classes(what: Need) -> tuple[type, ...]:
    """Of documents or voices that are open already."""
    if what == "documents":
        from agentaudio.retrieval.documents.index import DocumentIndex

        return (DocumentIndex,)
    from agentaudio.retrieval.voices.search import VoiceSearch
    from agentaudio.voice_library.library import VoiceLibrary

    return VoiceLibrary, VoiceSearch


class Resources:
    """Opens documents and voices once, on first use. Opening blocks, so call it in a thread.

    documents, voices: None when the agent has none
    embed: text embedder of documents, voices and web pages that are not opened yet, or its name for `load_embedder`

    Raises OptionError for a folder that does not exist, and for another type.
    """

    def __init__(
        self, documents: Documents | None, voices: Voices | None, embed: Embed | str | None = "default"
    ) -> None:
        _check_place("documents", documents)
        _check_place("voices", voices)
        self._documents, self._voices, self._embed = documents, voices, find_embedder(embed)
        self._lock = threading.Lock()
        self._opened: tuple[DocumentIndex | None, VoiceSearch | None] | None = None
        self._web: Web | None = None
        if not self.given:
            self._opened = None, None  # nothing to open

    def seen_by(self, owner: str) -> Resources:
        """These resources, for one owner: the private voices of others are not among them. Opens them; blocks."""
        documents, voices = self.open()
        view = copy.copy(self)
        view._opened = documents, None if voices is None else voices.seen_by(owner)
        return view

    @property
    def given(self) -> frozenset[Need]:
        """Which of documents and voices the agent has."""
        given: dict[Need, object] = {"documents": self._documents, "voices": self._voices}
        return frozenset(name for name, value in given.items() if value is not None)

    def check_needs(self, tools: Iterable[Tool]) -> None:
        """Raises OptionError for a tool that needs documents or voices when there are none."""
        for one in tools:
            if missing := one.needs - self.given:
                what = " and ".join(sorted(missing))
                raise OptionError(f'tool {one.name!r} needs {what}; give the agent some, such as {what}="demo"')

    def open(self) -> tuple[DocumentIndex | None, VoiceSearch | None]:
        """Open both. Raises RetrievalError or VoiceError when a folder cannot be read."""
        with self._lock:
            if self._opened is None:
                self._opened = (
                    None if self._documents is None else open_documents(self._documents, embed=self._embed),
                    None if self._voices is None else open_voices(self._voices, embed=self._embed),
                )
            return self._opened

    def prepare(self) -> None:
        """Open both and build their indexes."""
        for one in self.open():
            if one is not None:
                one.prepare()

    @property
    def ready(self) -> bool:
        return self._opened is not None

    def web(self) -> Web:
        """Web search with the engines that environment variables select on the first call.

        Raises OptionError for an engine that is unknown or not configured.
        """
        from agentaudio.retrieval.web.web import Web

        with self._lock:
            if self._web is None:
                self._web = Web()
            return self._web

    def find_voice(self, wanted: str | Voice) -> Voice:
        """Find a voice by id or name.

        Raises VoiceNotFound, ConsentError when speaking in it is not permitted, and OptionError for another type.
        """
        if not isinstance(wanted, str | Voice):
            raise OptionError(f"a voice is an id, a name or a Voice, not {type(wanted).__name__}")
        if isinstance(wanted, str):
            voices = self.open()[1]
            if voices is None:
                raise VoiceNotFound(f"voice {wanted!r} cannot be found without voices; write Agent(voices=...)")
            wanted = voices.get(wanted)
        return wanted.require("synthesis")

    def context(self, conversation: Conversation, voice: Voice | None, deps: Any = None) -> RunContext[Any]:
        """The context in which tools run.

        deps: the user's data of the session
        """
        documents, voices = self.open()
        return RunContext(conversation, voice, documents, voices, self.web, self._embed, deps=deps)
