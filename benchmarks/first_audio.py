"""Time from the end of a 3 s question to the first sound of the answer, and the share of each stage.

    python benchmarks/first_audio.py [--json FILE] [--device cpu|cuda] [--runs N]

On a GPU both models have their full size, with random weights (the language model in bfloat16, the flow in
float16), and decoding is compiled as `warm_up` prepares it; times are wall times. On a CPU they are small, on
one thread, and times are CPU times: there the shares mean little, and the script shows that it runs.

The stages: the features that remain when the question ends, as all but the end were computed while it arrived in
parts of 0.2 s, as in a live session;
the audio encoder; reading a prompt of 600 tokens, of which 560 (system message, tools) are in the prefix cache;
the ids of the first chunk (8 speech tokens and 3 to look ahead at, with a text token before each 4: 14 ids);
the flow; the vocoder. For comparison: the features of the whole question at once, and the first chunk of 10
tokens (17 ids) that was the first before.

The encoder reads a piece of 25 s as a whole, so it can work ahead only for longer questions: features and encoder after
one of 30 s, with what was computed while it arrived and without.

Gapless: the speech tokens per second, and how long the first chunk must be held back for sound without gaps at
that rate (see `hold_s`); 0 if the rate is too low for it.
"""

from __future__ import annotations

import argparse
import statistics
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from decode import FULL, MIDDLE, clock, prepared, prompt, random_weights
from report import publish
from token2wav import made, voice

from agentaudio.model.step_audio_2.decoding.hearing_ahead import HeardAhead, piece_encoder
from agentaudio.model.step_audio_2.decoding.prefix_cache import States
from agentaudio.model.step_audio_2.network.features import SAMPLE_RATE, features
from agentaudio.model.step_audio_2.token2wav.chunks import FIRST_CHUNK
from agentaudio.model.step_audio_2.token2wav.pacing import hold_s
from agentaudio.sound.audio import Audio

KNOWN = 560
QUESTION_S = 3
LONG_QUESTION_S = 30
PART = 3200
"""Samples of the parts in which a question arrives."""
IDS_PER_CODE = 5 / 4


def ids_until_sound(first_chunk: int, ahead: int) -> int:
    """Generated ids before the first chunk can be spoken: a text token before each 4 speech tokens."""
    codes = first_chunk + ahead
    return codes + -(-codes // 4)


def arrived(model: Any, seconds: float) -> tuple[HeardAhead, Audio]:
    """What was computed of a question while it arrived, and the question."""
    samples = np.random.default_rng(0).normal(0, 0.1, round(seconds * SAMPLE_RATE)).astype(np.float32)
    ahead = HeardAhead(piece_encoder(model.encode_audio, model.device, nullcontext()))
    sound = ahead.begin(SAMPLE_RATE)
    for start in range(0, len(samples), PART):
        sound.push(samples[start : start + PART])
    return ahead, Audio(samples, SAMPLE_RATE)


@torch.no_grad()
def hearing_s(model: Any, ahead: HeardAhead, question: Audio) -> float:
    """Seconds of features and encoder after the end of a question."""
    begin = clock(model.device)
    for piece in ahead.pieces(question):
        if piece.rows is None:
            model.encode_audio(torch.from_numpy(piece.mel)[None].to(model.device), None)
    return clock(model.device) - begin


@torch.no_grad()
def once(model: Any, passes: Any, decoder: Any, known: States, stream: Any) -> dict[str, float]:
    """Seconds of each stage, and of one id."""
    device = passes.device
    ticks = [clock(device)]

    def lap() -> float:
        ticks.append(clock(device))
        return ticks[-1] - ticks[-2]

    ahead, question = arrived(model, QUESTION_S)
    ticks[-1] = clock(device)
    (piece,) = ahead.pieces(question)
    mel = piece.mel
    taken = {"features": lap()}
    inputs = prompt(mel, str(device))
    heard = model.encode_audio(inputs["input_features"], None)
    taken["encoder"] = lap()
    states = known.copy(KNOWN)
    ids = inputs["input_ids"]
    model(ids, past_key_values=states.cache, use_cache=True, logits_to_keep=1, audio_embeds=heard)
    taken["reading the prompt"] = lap()
    layers = [(layer.keys, layer.values) for layer in states.cache.layers]
    length = KNOWN + ids.shape[1]
    bucket = passes.buckets.of(1, length + 64) if passes.buckets else (1, length + 64)
    passes.rows.reserve(*bucket, layers)
    passes.rows.write(0, layers)
    passes.positions.fill_(length)
    count = ids_until_sound(FIRST_CHUNK, decoder.flow.encoder.ahead)
    ticks[-1] = clock(device)
    for _ in range(count):
        passes.run(bucket[0], passes.rows.length if device.type == "cuda" else bucket[1])
        passes.ids[:1].tolist()
    taken["ids of the first chunk"] = lap()
    codes = list(range(1, FIRST_CHUNK + decoder.flow.encoder.ahead + 1))
    vocoder = 0.0

    def before(*_: Any) -> None:
        nonlocal vocoder
        vocoder -= clock(device)

    hook = decoder.vocoder.f0_predictor.register_forward_pre_hook(before)
    ticks[-1] = clock(device)
    sound = stream.feed(codes)
    vocoder += clock(device)
    taken["flow and vocoder"] = lap()
    hook.remove()
    taken["of that, vocoder"] = vocoder
    assert len(sound), "a first chunk gives sound"
    return taken | {"one id": taken["ids of the first chunk"] / count}


def measure(device: str, runs: int) -> dict[str, Any]:
    on_gpu = device == "cuda"
    model = random_weights(FULL if on_gpu else MIDDLE, device)
    decoder = made("full" if on_gpu else "tiny", device)
    with torch.no_grad():
        passes = prepared(model, 1, compiled=on_gpu)
        known = States([1000] * KNOWN)
        model(torch.tensor([[1000] * KNOWN], device=device), past_key_values=known.cache, use_cache=True)
    speaker = voice(5)
    took = [once(model, passes, decoder, known, decoder.stream(speaker)) for _ in range(runs + 2)][2:]
    stages = {name: statistics.median(run[name] for run in took) for name in took[0]}
    per_id, speaking = stages.pop("one id"), stages["flow and vocoder"]
    total = sum(seconds for name, seconds in stages.items() if not name.startswith("of that"))
    whole = []
    for _ in range(5):
        sound = arrived(model, QUESTION_S)[1]
        begin = clock(passes.device)
        features(sound)
        whole.append(clock(passes.device) - begin)
    ahead_of_long, long = arrived(model, LONG_QUESTION_S)
    hearing = {
        name: statistics.median(hearing_s(model, known_sound, long) for _ in range(3))
        for name, known_sound in (("computed while it arrived", ahead_of_long), ("all at its end", HeardAhead(None)))
    }
    rate = 1 / (per_id * IDS_PER_CODE)
    ahead = decoder.flow.encoder.ahead
    longer = per_id * (ids_until_sound(10, ahead) - ids_until_sound(FIRST_CHUNK, ahead)) + speaking / 4
    return {
        "device": torch.cuda.get_device_name() if on_gpu else "CPU, one thread",
        "sizes": "full" if on_gpu else "small",
        "first audio (ms)": round(1000 * total, 1),
        **{f"{name} (ms)": round(1000 * seconds, 1) for name, seconds in stages.items()},
        **{f"share of {name}": f"{100 * seconds / total:.0f} %" for name, seconds in stages.items()},
        "later, if the features were computed at the end (ms)": round(
            1000 * (statistics.median(whole) - stages["features"]), 1
        ),
        **{
            f"features and encoder after {LONG_QUESTION_S} s, {name} (ms)": round(1000 * seconds, 1)
            for name, seconds in hearing.items()
        },
        "later, with a first chunk of 10 tokens (ms)": round(1000 * longer, 1),
        "speech tokens per second": round(rate, 1),
        "hold for gapless sound (ms)": round(1000 * hold_s(rate, speaking, ahead), 1),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    publish("First audio after a question of 3 s", measure(options.device, options.runs), options.json)
