"""Write model/kokoro/assets/demo_fits.npz: the blends of Kokoro's styles that are fitted to the demo voices.

    python scripts/fit_demo_voices.py

Run it again whenever the demo library, the styles or StyleFitter.version change. It needs the weights `kokoro`, and
takes about two minutes of one core.
"""

from __future__ import annotations

from agentaudio.errors import VoiceError
from agentaudio.model.kokoro.demo_fits import FITS, write_fits
from agentaudio.model.kokoro.network import KokoroNetwork
from agentaudio.model.kokoro.voices import StyleFitter
from agentaudio.voice_library.library import demo_voices
from agentaudio.weights.store import folder


def main() -> None:
    fitter = StyleFitter(KokoroNetwork(folder("kokoro")))
    fits = []
    for voice in demo_voices():
        try:
            fits.append(fitter.fit(voice))
        except VoiceError as error:
            print(f"{voice.id}: {error}", flush=True)
        else:
            print(f"{voice.id}: scale {fits[-1].scale:g}", flush=True)
    write_fits(fits, fitter.version, FITS)


if __name__ == "__main__":
    main()
