"""The free speech synthesisers of the demo voices, behind one function: `speak`."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from agentaudio.sound.audio import Audio
from agentaudio.voice_library.voice import Source

SAMPLE_RATE_HZ = 16_000
PEAK = 10 ** (-3 / 20)  # -3 dBFS
AUDIBLE = 0.01  # share of the peak; quieter samples at the ends are silence
EDGE_S = 0.05
TIMEOUT_S = 60

PROGRAMS = {"flite": "flite", "festival": "festival", "espeak-ng": "espeak-ng"}
FESTIVAL_PACKAGES = {
    "ked_diphone": "festvox-kdlpc16k",
    "czech_ph": "festvox-czech-ph",
    "czech_dita": "festvox-czech-dita",
    "czech_krb": "festvox-czech-krb",
    "czech_machac": "festvox-czech-machac",
    "upc_ca_ona_hts": "festvox-ca-ona-hts",
    "pc_diphone": "festvox-itapc16k",
    "lp_diphone": "festvox-italp16k",
    "hy_fi_mv_diphone": "festvox-suopuhe-mv",
    "suo_fi_lj_diphone": "festvox-suopuhe-lj",
    "msu_ru_nsh_clunits": "festvox-ru",
    "hindi_NSK_diphone": "festival-hi festvox-hi-nsk",
}
FESTIVAL_ENCODINGS = {
    "czech": "iso-8859-2", "upc_ca": "iso-8859-15", "pc_": "iso-8859-1", "lp_": "iso-8859-1",
    "hy_fi": "iso-8859-15", "suo_fi": "iso-8859-15",
}  # fmt: skip


class NotInstalled(Exception):
    """A synthesiser or one of its voices is missing; the message names the package to install."""


def speak(source: Source, text: str) -> Audio:
    """Synthesise `text` with the engine, voice and settings of a card's `source`.

    Returns mono sound at the engine's own rate, untrimmed.
    Raises NotInstalled when the engine or its voice is missing.
    """
    settings = dict(pair.split("=") for pair in source.settings.split())
    if source.engine == "pico":
        return _pico(source.voice, text, settings)
    if source.engine == "kokoro":
        import demo_kokoro

        return demo_kokoro.speak(source.voice, text, settings)
    program = shutil.which(PROGRAMS[source.engine])
    if program is None:
        raise NotInstalled(f"{source.engine} is not installed: apt-get install {PROGRAMS[source.engine]}")
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "speech.wav"
        if source.engine == "espeak-ng":
            # eSpeak ignores variants of en-gb and fr-fr without an error; "en+croak" and "fr+croak" work.
            assert not source.voice.startswith(("en-gb+", "fr-fr+")), source.voice
            pitch, speed = settings.get("pitch", "50"), settings.get("speed", "175")
            _run(program, "-v", source.voice, "-p", pitch, "-s", speed, "-w", str(wav), text)
        elif source.engine == "flite":
            stretch = f"duration_stretch={settings.get('stretch', '1')}"
            _run(program, "-voice", source.voice, "--setf", stretch, "-t", text, "-o", str(wav))
        else:
            _festival(program, source.voice, text, settings, wav)
        return Audio.load(wav)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=TIMEOUT_S, capture_output=True)


def _festival(program: str, voice: str, text: str, settings: dict[str, str], wav: Path) -> None:
    package = FESTIVAL_PACKAGES[voice]
    stretch = settings.get("stretch", "1")
    script = f"""
        (voice_{voice})
        (Parameter.set 'Duration_Stretch {stretch})
        (set! utterance (Utterance Text "{text}"))
        (utt.synth utterance)
        (utt.save.wave utterance "{wav}")
    """
    encoding = next((code for start, code in FESTIVAL_ENCODINGS.items() if voice.startswith(start)), "utf-8")
    commands = wav.with_suffix(".scm")
    commands.write_text(script, encoding=encoding)
    ran = subprocess.run([program, "-b", str(commands)], timeout=TIMEOUT_S, capture_output=True)
    if ran.returncode or not wav.exists():
        reason = ran.stderr.decode(errors="replace").strip().splitlines()[:1]
        raise NotInstalled(f"festival cannot speak as {voice} ({reason}): apt-get install {package}")


def _pico(voice: str, text: str, settings: dict[str, str]) -> Audio:
    try:
        from py_nanotts import NanoTTS
    except ImportError:
        raise NotInstalled("Pico is not installed: pip install py-nanotts") from None
    pcm = NanoTTS().speak(text, voice=voice, speed=float(settings.get("speed", "1")))
    return Audio.from_pcm16(pcm, 16_000)


def tidy(audio: Audio) -> Audio:
    """Resample to 16 kHz, trim the silence at both ends to 50 ms, and set the peak to -3 dBFS."""
    samples = audio.resample(SAMPLE_RATE_HZ).samples
    samples = samples - samples.mean()
    audible = np.flatnonzero(np.abs(samples) > AUDIBLE * np.abs(samples).max())
    edge = round(EDGE_S * SAMPLE_RATE_HZ)
    samples = samples[max(0, audible[0] - edge) : audible[-1] + edge]
    return Audio(samples * (PEAK / np.abs(samples).max()), SAMPLE_RATE_HZ)
