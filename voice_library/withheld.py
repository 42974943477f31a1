"""`withheld`: how many voices of a library may not be used, and why."""

from __future__ import annotations

from collections import Counter

import numpy as np

from agentaudio.voice_library.catalogue import Catalogue

MOST_READ = 2000
"""Cards that are read for their reasons; of a larger number the rest is counted only."""


def withheld(library: Catalogue, purpose: str = "synthesis") -> dict[str, int]:
    """Each reason for which voices may not be used for `purpose` now, with their number, the most frequent first."""
    rows = np.setdiff1d(library.select(), library.select(purpose=purpose))
    policy = library.policy
    reasons = Counter(
        voice.card.refusal(purpose, policy=policy) or "it became usable meanwhile"
        for voice in library.at(rows[:MOST_READ].tolist())
    )
    if len(rows) > MOST_READ:
        reasons["their cards were not read"] = len(rows) - MOST_READ
    return dict(reasons.most_common())


def in_words(reasons: dict[str, int]) -> str:
    """One line on withheld voices, such as "2 voices are withheld: it has no licence (2)"; empty for none."""
    count = sum(reasons.values())
    if not count:
        return ""
    listed = "; ".join(f"{reason} ({number})" for reason, number in reasons.items())
    return (
        f"{count} {'voice is' if count == 1 else 'voices are'} withheld, neither found nor used: {listed}; mend "
        "their cards with `agentaudio voices edit`, or see `agentaudio voices policy`"
    )
