"""The exceptions of agentaudio: their text is safe to print, whatever it quotes."""

from __future__ import annotations

import inspect
import pickle

import pytest

from agentaudio import errors
from agentaudio.errors import LONGEST_MESSAGE, AgentAudioError, MissingExtra, ToolError, VoiceError

CLASSES = [
    found for _, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, AgentAudioError) and found is not MissingExtra
]  # fmt: skip
HOSTILE = "no file a\x1b[2J\x07\r\u202eb\u200b\ud800 here\nerror: none"


@pytest.mark.parametrize("kind", CLASSES)
def test_the_text_has_no_character_that_a_terminal_obeys(kind: type[AgentAudioError]) -> None:
    text = str(kind(HOSTILE))
    lines = "\n" if issubclass(kind, ToolError) else " "
    assert text == rf"no file a\x1b[2J\x07\x0d\u202eb\u200b\ud800 here{lines}error: none"
    assert str(kind("铜钟, ß, 👩\u200d🚀 and\ttabs stay")) == "铜钟, ß, 👩\u200d🚀 and\ttabs stay"


def test_a_long_message_keeps_its_beginning_and_its_remedy() -> None:
    text = str(VoiceError(f"there is no column {'9' * 50_000!r}; known: file, name"))
    assert len(text) == LONGEST_MESSAGE
    assert text.startswith("there is no column '999") and text.endswith("999'; known: file, name")


def test_an_error_survives_pickling_and_quoting_an_error() -> None:
    error = ToolError("a\x1bb")
    assert str(pickle.loads(pickle.dumps(error))) == str(error) == str(ToolError(str(error)))


def test_a_missing_extra_names_the_command() -> None:
    assert str(MissingExtra("reading\nPDF", "documents")) == (
        "reading PDF needs the extra 'documents': pip install 'agentaudio[documents]'"
    )
