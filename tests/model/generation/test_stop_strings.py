"""Stop strings, in any cut of the text."""

from __future__ import annotations

import pytest

from agentaudio.errors import OptionError
from agentaudio.model.generation.stop_strings import StopStrings


@pytest.mark.parametrize("cut", [1, 2, 3, 100])
def test_stop_strings_end_the_text_however_it_is_cut(cut: int) -> None:
    text = "one two STOP three"
    for stops, said in (
        (("STOP",), "one two "),
        (("three", "two S"), "one "),
        (("STOPPED",), text),
        ((), text),
    ):
        reader = StopStrings(stops)
        parts = [reader.feed(text[start : start + cut]) for start in range(0, len(text), cut)]
        assert "".join([*parts, reader.finish()]) == said
        assert reader.found == (said != text)
    with pytest.raises(OptionError, match="empty"):
        StopStrings([""])
