"""HTML pages about conversations: their frame, waveforms and audio players."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from importlib.resources import files
from string import Template

import numpy as np

from agentaudio.sound.audio import Audio

WAVE_WIDTH, WAVE_HEIGHT = 640, 56


def page(title: str, intro: str, body: str) -> bytes:
    """A whole page, with its style in it.

    title, intro: plain text
    body: HTML
    """
    return b"".join(page_pieces(title, intro, [body]))


def page_pieces(title: str, intro: str, bodies: Iterable[str]) -> Iterator[bytes]:
    """A page in pieces, so that a long one need not fit into memory; see `page`.

    bodies: HTML, one after the other
    """
    template = Template((files("agentaudio") / "page.html").read_text(encoding="utf-8"))
    above, _, below = template.template.partition("$body")
    names = {"title": escape(title), "intro": escape(intro)}
    yield Template(above).substitute(names).encode("utf-8", "replace")
    for body in bodies:
        yield body.encode("utf-8", "replace")
    yield Template(below).substitute(names).encode("utf-8", "replace")


def player(label: str, audio: Audio, source: str) -> str:
    """A sound with its waveform.

    label: plain text
    source: address of the sound file, or a data URL
    """
    return (
        f"<figure><figcaption>{escape(label)} · {audio.duration:.1f} s</figcaption>{waveform(audio)}"
        f'<audio controls preload="metadata" src="{escape(source)}"></audio></figure>'
    )


def waveform(audio: Audio) -> str:
    """An inline SVG of the sound: one bar per column, as high as the column's peak."""
    columns = np.array_split(np.abs(audio.samples), WAVE_WIDTH // 3)
    peaks = np.array([column.max(initial=0.0) for column in columns])
    heights = np.maximum(1.0, peaks / max(float(peaks.max(initial=0.0)), 1e-6) * (WAVE_HEIGHT - 4))
    bars = "".join(
        f'<rect x="{3 * i}" y="{(WAVE_HEIGHT - h) / 2:.1f}" width="2" height="{h:.1f}"/>' for i, h in enumerate(heights)
    )
    return f'<svg class="wave" viewBox="0 0 {WAVE_WIDTH} {WAVE_HEIGHT}" preserveAspectRatio="none">{bars}</svg>'
