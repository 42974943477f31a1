"""What an agent reads from: its documents and its voices, made ready once."""

from __future__ import annotations

import os
import threading
from importlib.resources import files

from agentaudio.conversation import Conversation
from agentaudio.model.speech_lm import SpeechLM
from agentaudio.model.transcribe import transcribe
from agentaudio.portal import portal
from agentaudio.retrieval.documents.files import Transcribe
from agentaudio.retrieval.documents.index import DocumentIndex
from agentaudio.retrieval.voices.search import VoiceSearch
from agentaudio.text.embedding import default_embedder
from agentaudio.tools.context import RunContext
from agentaudio.voice_library.encoders import default_encoder, load_encoder
from agentaudio.voice_library.library import VoiceLibrary, demo_voices
from agentaudio.voice_library.voice import Voice

Documents = str | os.PathLike[str] | DocumentIndex
Voices = str | os.PathLike[str] | VoiceLibrary | VoiceSearch


def open_documents(documents: Documents | None = None) -> DocumentIndex:
    """A folder as a searchable index; None opens the documents that ship as a demo."""
    if isinstance(documents, DocumentIndex):
        return documents
    folder = documents if documents is not None else str(files("agentaudio.demo") / "documents")
    return DocumentIndex.from_folder(folder, embed=default_embedder())


def open_voices(voices: Voices | None = None, *, encoder: str | None = None) -> VoiceSearch:
    """A library as a voice search; None opens the voices that ship as a demo.

    encoder: for search by clip, as `load_encoder` names it; needless where the library has a default one
    """
    if isinstance(voices, VoiceSearch):
        return voices
    if voices is None:
        voices = demo_voices()
    library = voices if isinstance(voices, VoiceLibrary) else VoiceLibrary(voices)
    named = library.encoder_name
    speaks = load_encoder(encoder) if encoder is not None else default_encoder(named) if named is not None else None
    return VoiceSearch(library, embed=default_embedder(), encoder=speaks)


def transcriber(model: SpeechLM) -> Transcribe:
    """A blocking `transcribe` with this model, for `DocumentIndex.from_folder(..., transcribe=)`.

    It raises OptionError inside an event loop, and what `transcribe` raises.
    """
    return lambda audio: portal().run(transcribe(model, audio))


class Resources:
    """Opens documents and voices once, on first use; the opening blocks, so it belongs in a thread."""

    def __init__(self, documents: Documents | None, voices: Voices | None) -> None:
        self._documents, self._voices = documents, voices
        self._lock = threading.Lock()
        self._opened: tuple[DocumentIndex, VoiceSearch] | None = None

    def open(self) -> tuple[DocumentIndex, VoiceSearch]:
        """Raises RetrievalError or VoiceError when a folder cannot be read."""
        with self._lock:
            if self._opened is None:
                self._opened = open_documents(self._documents), open_voices(self._voices)
            return self._opened

    def prepare(self) -> None:
        """Open both and build their indexes."""
        documents, voices = self.open()
        documents.prepare()
        voices.prepare()

    @property
    def ready(self) -> bool:
        return self._opened is not None

    def context(self, conversation: Conversation, voice: Voice | None) -> RunContext:
        documents, voices = self.open()
        return RunContext(conversation, voice, documents, voices, default_embedder())
