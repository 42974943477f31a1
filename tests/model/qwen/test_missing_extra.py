"""Without torch, the models of Qwen name the command that installs it."""

from __future__ import annotations

import sys

import pytest

from agentaudio.errors import MissingExtra


@pytest.mark.parametrize("missing", ["torch", "transformers"])
def test_a_missing_extra_names_its_pip_line(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, "agentaudio.model.qwen.generate", raising=False)
    with pytest.raises(
        MissingExtra, match=r"a model of Qwen needs the extra 'local': pip install 'agentaudio\[local\]'"
    ):
        import agentaudio.model.qwen.generate  # noqa: F401
