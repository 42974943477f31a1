"""`end_in_pause`: a reference clip that ends as those of the training do."""

from __future__ import annotations

import numpy as np

from agentaudio.model.pocket_tts.engine import SAMPLE_RATE_HZ, Floats
from agentaudio.sound.levels import frame_powers

STEP = SAMPLE_RATE_HZ // 50
SILENT_BELOW_DB = 35.0
FADE_S, PAUSE_S = 0.02, 0.08
"""Clips that end in speech make the model go on with it; source: `end_on_pause` of pocket-tts 4.0.1."""


def end_in_pause(samples: Floats) -> Floats:
    """A clip, 24 kHz, without the silence at its end, faded out, and with PAUSE_S of zeros."""
    powers = frame_powers(samples, STEP)
    loud = np.flatnonzero(powers > powers.max(initial=0) * 10 ** (-SILENT_BELOW_DB / 10))
    end = min(len(samples), (int(loud[-1]) + 1) * STEP) if loud.size else len(samples)
    kept = samples[:end].copy()
    fade = min(end, round(FADE_S * SAMPLE_RATE_HZ))
    kept[end - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return np.concatenate([kept, np.zeros(round(PAUSE_S * SAMPLE_RATE_HZ), np.float32)])
