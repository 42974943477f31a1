"""Accuracy of voice search on the demo library, by clip and by words: the `quality` part of voice_search.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "scripts"))

from demo_synthesisers import NotInstalled  # noqa: E402
from voice_gallery import utterances  # noqa: E402

from agentaudio.resources import open_voices  # noqa: E402
from agentaudio.retrieval.voices.search import VoiceSearch  # noqa: E402
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder  # noqa: E402
from agentaudio.voice_library.library import demo_voices  # noqa: E402


def quality() -> dict[str, Any]:
    """Shares of searches with the right voice: by held-out utterance, and by each set of questions."""
    return {**_by_clip(), **_by_questions()}


def _by_clip() -> dict[str, Any]:
    """Search with three new utterances of each voice, other than its reference clip."""
    encoder, library = EmbeddedSpeakerEncoder(), demo_voices()
    search = VoiceSearch(library, encoder=encoder)
    first, accepted, asked, missing = 0, 0, 0, []
    for voice in library:
        try:
            spoken = utterances(voice, halves=False)[1:]
        except NotInstalled as error:
            missing.append(f"{voice.id}: {error}")
            continue
        for audio in spoken:
            asked += 1
            found = search.search(clip=audio, min_score=0.0)
            first += found[0].voice.id == voice.id
            accepted += found[0].voice.id == voice.id and found[0].score >= encoder.same_speaker_above
    return {
        "clip_utterances": asked,
        "clip_right_first": round(first / max(1, asked), 4),
        "clip_right_first_and_above_threshold": round(accepted / max(1, asked), 4),
        "clip_engines_missing": missing,
    }


def _by_questions() -> dict[str, Any]:
    search, figures = open_voices("demo"), dict[str, Any]()
    for name in ("dev", "test", "fresh", "independent"):
        lines = (HERE / "voice_questions" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        questions = [json.loads(line) for line in lines]
        in_three, first, refused = [], [], []
        for question in questions:
            found = [match.voice.id for match in search.search(question["query"])]
            if question["voices"]:
                in_three.append(bool(set(found) & set(question["voices"])))
                first.append(bool(found) and found[0] in question["voices"])
            else:
                refused.append(not found)
        figures |= {
            f"{name}_paraphrases": len(in_three),
            f"{name}_in_first_three": round(float(np.mean(in_three)), 4),
            f"{name}_first": round(float(np.mean(first)), 4),
            f"{name}_impossible": len(refused),
            f"{name}_nothing_fits": round(float(np.mean(refused)), 4),
        }
    return figures
