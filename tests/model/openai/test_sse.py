"""Server-sent events: the same events for any cut of the bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentaudio.errors import BackendError
from agentaudio.model.openai.sse import MAX_EVENT_CHARS, EventStream


def events(*pieces: bytes) -> list[str]:
    stream = EventStream()
    return [data for piece in pieces for data in stream.push(piece)] + stream.finish()


@pytest.mark.parametrize(
    ("sent", "data"),
    [
        (b"data: a\n\ndata: b\n\n", ["a", "b"]),
        (b"data:a\r\n\r\ndata: b\r\rdata:  c\n\n", ["a", "b", " c"]),
        (b"data: a\ndata: b\n\n", ["a\nb"]),
        (b": keep-alive\n\nevent: x\nid: 7\nretry: 3\ndata: a\n\n", ["a"]),
        (b"\xef\xbb\xbfdata: a\n\n", ["a"]),
        (b"data: a", ["a"]),
        (b"data: a\n", ["a"]),
        (b"data\n\ndata:\n\n\n\n", []),
        (b"nonsense\n<html>\n\n", []),
        ("data: 你好\n\n".encode(), ["你好"]),
        (b"data: \xff\n\n", ["\ufffd"]),
        (b"", []),
    ],
)
def test_the_data_of_events_is_read(sent: bytes, data: list[str]) -> None:
    assert events(sent) == data
    assert events(*(sent[at : at + 1] for at in range(len(sent)))) == data


LINES = st.lists(st.sampled_from(["data: a", "data: 你", "data:", ": x", "event: e", "", "", "junk"]), max_size=12)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


@given(LINES, st.lists(ENDS, min_size=12, max_size=12), st.lists(st.integers(0, 200), max_size=20))
def test_the_cut_of_the_bytes_does_not_matter(lines: list[str], ends: list[str], cuts: list[int]) -> None:
    sent = "".join(line + end for line, end in zip(lines, ends, strict=False)).encode()
    places = sorted({min(cut, len(sent)) for cut in cuts} | {0, len(sent)})
    pieces = [sent[start:stop] for start, stop in zip(places, places[1:], strict=False)]
    assert events(*pieces) == events(sent)


def test_an_endless_line_and_an_endless_event_are_errors() -> None:
    for piece in (b"x" * 1_000_000, b"data: " + b"x" * 1_000_000 + b"\n"):
        stream = EventStream()
        with pytest.raises(BackendError, match=f"more than {MAX_EVENT_CHARS}"):
            for _ in range(10):
                stream.push(piece)
