"""Without their libraries, the chat models by weights name the command that installs them."""

from __future__ import annotations

import importlib
import sys

import pytest

from agentaudio.errors import MissingExtra


@pytest.mark.parametrize(
    ("module", "missing", "extra"),
    [("transformers_chat", "torch", "local"), ("transformers_chat", "transformers", "local"),
     ("llama_chat", "llama_cpp", "llama-cpp")],
)  # fmt: skip
def test_a_missing_library_names_its_pip_line(
    module: str, missing: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    for name in (module, "llama_weights", "transformers_network"):
        monkeypatch.delitem(sys.modules, f"agentaudio.model.chat_models.{name}", raising=False)
    with pytest.raises(MissingExtra, match=rf"pip install 'agentaudio\[{extra}\]'"):
        importlib.import_module(f"agentaudio.model.chat_models.{module}")
