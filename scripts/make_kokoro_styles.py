"""Write model/kokoro/assets: styles.npz, 16 rows of each of Kokoro's 54 tables, and speakers.npy, their voices.

    python scripts/make_kokoro_styles.py TABLES KOKORO

TABLES: the folder with the tables NAME.bin, (510, 256) float32 each, such as voices/ of npm's kokoro-js 1.2.1
KOKORO: the folder with kokoro-v1.0.int8.onnx
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from agentaudio.model.kokoro.network import KokoroNetwork
from agentaudio.model.kokoro.spoken import SAMPLE_RATE_HZ
from agentaudio.model.kokoro.styles import SPEAKERS, TABLES, Style
from agentaudio.sound.audio import Audio
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder

ROWS = 16
SHORTEST, LAST = 8, 509
SAID = "ðə ɹˈAnbˌO ɪz ɐ dəvˈɪʒən ʌv wˈIt lˈIt ˈɪntu mˈɛni bjˈuɾəfəl kˈʌləɹz."
"""A sentence of Fairbanks' "The Rainbow Passage" in Kokoro's symbols."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tables", type=Path)
    parser.add_argument("kokoro", type=Path)
    options = parser.parse_args()
    paths = sorted(options.tables.glob("*.bin"))
    lengths = np.unique(np.round(np.geomspace(SHORTEST, LAST, ROWS)).astype(np.int64))
    tables = np.stack([np.fromfile(path, np.float32).reshape(510, 256)[lengths] for path in paths])
    np.savez_compressed(
        TABLES,
        names=np.array([path.stem for path in paths]),
        lengths=lengths.astype(np.int16),
        tables=tables.astype(np.float16),
    )
    network, encoder = KokoroNetwork(options.kokoro), EmbeddedSpeakerEncoder()
    speakers = []
    for path, table in zip(paths, tables, strict=True):
        spoken = network.run(SAID, Style(lengths, table).row(len(SAID)), 1.0)
        speakers.append(encoder.encode(Audio(spoken.samples, SAMPLE_RATE_HZ)))
        print(path.stem, flush=True)
    np.save(SPEAKERS, np.stack(speakers).astype(np.float16))


if __name__ == "__main__":
    main()
