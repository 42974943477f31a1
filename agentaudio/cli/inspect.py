"""`agentaudio inspect`: what a sound file says about its origin, and whether that holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table

from agentaudio.cli.console import in_home, mark, out, print_json
from agentaudio.errors import OptionError
from agentaudio.provenance.claims import Claims, VoiceClaim
from agentaudio.provenance.inspection import Inspection, SignedBy
from agentaudio.provenance.inspection import inspect as inspected
from agentaudio.provenance.mark_search import FoundMark, find_marks
from agentaudio.provenance.watermark import load_watermark
from agentaudio.voice_library.library import VoiceLibrary, demo_voices

_SIGNATURES = {
    "intact": ("green", "intact: the file is as it was signed"),
    "broken": ("red", "broken: the file was changed after it was signed; what it says below may be false"),
    "none": ("yellow", "none: the file does not say where it comes from"),
}
_STANDINGS = {
    "this installation": "signed by this installation of agentaudio, with a certificate that it made itself",
    "trusted": "certified by a signer that you trust",
    "unknown": "not known here: anyone can make such a certificate, and sign anything with it",
}
_SOURCES = {
    "trainedAlgorithmicMedia": "made by a trained model",
    "algorithmicMedia": "made by rules",
    "compositeSynthetic": "made by a model, and moved to a recorded voice",
}


def inspect(
    file: Path,
    /,
    *,
    trust: Path | None = None,
    voices: str = "demo",
    watermark: tuple[str, ...] = (),
    json: bool = False,
) -> int:
    """Show who signed a sound file, what it says about voice and consent, and the watermarks in it.

    Exits with 1 unless the file has an intact signature.

    Parameters
    ----------
    file
        A sound file. WAV, MP3, FLAC and M4A files may be signed; watermarks are sought in every format.
    trust
        PEM file with certificates of signers, or of those who certify them, that you trust.
    voices
        Folder of a voice library, to name the voice of a watermark; `demo` stands for the voices that ship with
        agentaudio.
    watermark
        Watermark to seek, as NAME or NAME:ARGUMENT; repeat it for more. By default all that are installed are sought.
    json
        Print the findings as JSON.
    """
    found = inspected(file, trust=b"" if trust is None else _read(trust))
    library = demo_voices() if voices == "demo" else VoiceLibrary(voices)
    marks = find_marks(file, library, found.claims, map(load_watermark, watermark) if watermark else None)
    if json:
        print_json(found.to_dict() | {"watermarks": [one.to_dict() for one in marks]})
    else:
        _show(file, found, marks)
    return 0 if found.signature == "intact" else 1


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OptionError(f"cannot read {path}: {error.strerror}; give a PEM file to --trust") from None


def _show(file: Path, found: Inspection, marks: list[FoundMark]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    style, words = _SIGNATURES[found.signature]
    table.add_row("file", f"{in_home(file)} ({found.format})")
    table.add_row("signature", mark(words, style))
    for name, value in [*_signed(found), *(_claimed(found.claims) if found.claims is not None else ())]:
        table.add_row(name, value)
    for one in marks:
        table.add_row("watermark", one.line)
    for problem in found.problems:
        table.add_row("problem", mark(problem, "yellow"))
    out.print(table)


def _signed(found: Inspection) -> list[tuple[str, str]]:
    rows = []
    if (signer := found.signer) is not None:
        rows = [("signer", _name(signer)), ("", _STANDINGS[signer.standing])]
    if found.generator is not None:
        rows.append(("program", found.generator))
    if found.source is not None:
        rows.append(("sound", _SOURCES.get(found.source, found.source)))
    return rows


def _name(signer: SignedBy) -> str:
    return ", ".join(part for part in (signer.name, signer.organisation) if part) or "without a name"


def _claimed(claims: Claims) -> list[tuple[str, str]]:
    rows = [("model", claims.model), ("when", f"{claims.spoken:%Y-%m-%d %H:%M:%S %Z}")]
    if claims.own_voice:
        rows.append(("voice", "the model's own"))
    for voice in claims.voices:
        rows += _voice(voice)
    return rows


def _voice(voice: VoiceClaim) -> list[tuple[str, str]]:
    how = f", {voice.imitation}" if voice.imitation else ""
    rows = [("voice", f"{voice.name} ({voice.id}{how})")]
    rows += [(name, value) for name, value in (("source", voice.source), ("licence", voice.licence)) if value]
    if (consent := voice.consent) is None:
        return [*rows, ("consent", "none stated")]
    parts: list[Any] = [consent.basis, f"for {', '.join(consent.scope)}"]
    parts += [f"by {consent.holder}"] if consent.holder else []
    parts += [f"until {consent.until}"] if consent.until else []
    if (recording := consent.recording) is not None:
        when = "" if recording.made is None else f" of {recording.made:%Y-%m-%d}"
        parts.append(f"recording {recording.id}{when}")
    return [*rows, ("consent", ", ".join(parts))]
