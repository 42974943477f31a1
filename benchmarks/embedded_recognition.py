"""Speech recognition of the embedded engine: word error rates and speed on recorded requests.

    python benchmarks/embedded_recognition.py [--set dev] [--limit 20] [--json figures.json]

Four language models are compared:

open     the general model alone
mixed    the general model mixed with a domain model of the demo documents and the development
         requests, as the engine does it (on --set dev, without the fold that is being recognised)
covered  as mixed, with the in-domain requests of the set in the domain model too
closed   the domain model of `covered` alone

`covered` and `closed` stand for an application that knows what users will say. They are measured on
the in-domain requests only.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jiwer

from agentaudio.model.embedded.hearing.sphinx_pool import SphinxPool
from agentaudio.model.embedded.speaking.espeak import Espeak
from agentaudio.sound.audio import Audio

ROOT = Path(__file__).resolve().parent.parent
REQUESTS = ROOT / "benchmarks" / "requests"
DOCUMENTS = ROOT / "agentaudio" / "demo" / "documents"
OUT_OF_DOMAIN = ("chat", "out_of_scope")
FOLDS = 4  # the number of domain models that a recogniser process caches

Request = dict[str, Any]
Heard = dict[str, Any]


def read_requests(name: str) -> list[Request]:
    lines = (REQUESTS / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def document_sentences() -> list[str]:
    texts = (path.read_text("utf-8") for path in sorted(DOCUMENTS.glob("*.md")))
    return [part for text in texts for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part.strip()]


def domain_for(number: int, set_name: str, documents: list[str], dev: list[Request]) -> list[str]:
    others = [request["text"] for place, request in enumerate(dev) if set_name != "dev" or (place - number) % FOLDS]
    return documents + others


def listen(requests: Sequence[Request], recognise: Callable[[int, Audio], tuple[str, float]]) -> list[Heard]:
    heard = []
    for number, request in enumerate(requests):
        audio = Audio.load(REQUESTS / "audio" / f"{request['id']}.opus", sample_rate=16_000)
        started = time.perf_counter()
        text, confidence = recognise(number, audio)
        wall_s = time.perf_counter() - started
        heard.append(
            {
                "id": request["id"],
                "kind": request["kind"],
                "voice": request["recorded_by"],
                "said": request["text"],
                "heard": text,
                "confidence": round(confidence, 3),
                "audio_s": audio.duration,
                "wall_s": wall_s,
            }
        )
    return heard


def word_error_rate(rows: Sequence[Heard]) -> float | None:
    """Word error rate in percent; None without rows."""
    if not rows:
        return None
    rate = jiwer.wer([row["said"] for row in rows], [row["heard"] or "-" for row in rows])
    return round(100 * float(rate), 1)


def summarise(rows: Sequence[Heard], cpu_s: float) -> dict[str, Any]:
    groups: dict[str, list[Heard]] = defaultdict(list)
    for row in rows:
        groups[row["voice"]].append(row)
        groups[row["kind"]].append(row)
        groups["out of domain" if row["kind"] in OUT_OF_DOMAIN else "in domain"].append(row)
    audio_s = sum(row["audio_s"] for row in rows)
    return {
        "wer_percent": word_error_rate(rows),
        "exact_percent": round(100 * sum(row["said"] == row["heard"] for row in rows) / len(rows)),
        "rtf_cpu": round(cpu_s / audio_s, 3),
        "wall_s_median": round(sorted(row["wall_s"] for row in rows)[len(rows) // 2], 2),
        "wer_percent_by_group": {name: word_error_rate(group) for name, group in sorted(groups.items())},
        "calibration": calibration(rows),
    }


def calibration(rows: Sequence[Heard]) -> list[dict[str, float]]:
    """By range of confidence: the mean confidence (`promised`) and the share of words that were right."""
    found = []
    for low, high in ((0.0, 0.5), (0.5, 0.7), (0.7, 0.85), (0.85, 1.01)):
        some = [row for row in rows if low <= row["confidence"] < high and row["heard"]]
        if some:
            counts = [jiwer.process_words(row["said"], row["heard"]) for row in some]
            heard_words = sum(len(row["heard"].split()) for row in some)
            promised = sum(row["confidence"] * len(row["heard"].split()) for row in some) / heard_words
            right = sum(count.hits for count in counts) / heard_words
            found.append({"requests": len(some), "promised": round(promised, 2), "right": round(right, 2)})
    return found


def measure(set_name: str, limit: int | None) -> dict[str, Any]:
    documents, dev = document_sentences(), read_requests("dev")
    requests = read_requests(set_name)[:limit]
    synthesiser = Espeak()
    in_domain = [request for request in requests if request["kind"] not in OUT_OF_DOMAIN]
    covered = documents + [request["text"] for request in in_domain]
    recogniser = SphinxPool(synthesiser.phonemes, processes=1)
    closed = SphinxPool(synthesiser.phonemes, processes=1, domain_weight=1.0)
    ways: list[tuple[str, SphinxPool, list[Request], Callable[[int], list[str]]]] = [
        ("open", recogniser, requests, lambda number: []),
        ("mixed", recogniser, requests, lambda number: domain_for(number % FOLDS, set_name, documents, dev)),
        ("covered", recogniser, in_domain, lambda number: covered),
        ("closed", closed, in_domain, lambda number: covered),
    ]
    results: dict[str, Any] = {"set": set_name, "requests": len(requests)}
    for name, ears, asked, sentences in ways:

        def recognise(
            number: int,
            audio: Audio,
            ears: SphinxPool = ears,
            sentences: Callable[[int], list[str]] = sentences,
        ) -> tuple[str, float]:
            recognition = ears.recognise(audio, sentences(number))
            return recognition.text, recognition.confidence

        for fold in range(FOLDS if set_name == "dev" else 1):
            ears.prepare(sentences(fold))  # not timed: an application does it at start-up
        started = _cpu_seconds(ears)
        rows = listen(asked, recognise)
        results[name] = summarise(rows, _cpu_seconds(ears) - started)
        print_table(name, results[name])
    recogniser.close()
    closed.close()
    synthesiser.close()
    return results


def _cpu_seconds(recogniser: SphinxPool) -> float:
    """CPU seconds used so far by the recogniser processes and by this one."""
    ticks = 0
    for pid in recogniser.pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK") + time.process_time()


def print_table(name: str, result: dict[str, Any]) -> None:
    print(
        f"{name:7} WER {result['wer_percent']:5}  exact {result['exact_percent']:3}%  "
        f"RTF {result['rtf_cpu']:.2f}  median wall {result['wall_s_median']:.2f} s"
    )
    for group, rate in result["wer_percent_by_group"].items():
        print(f"       {group:16} {rate:5}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--set", default="test", choices=("dev", "test"))
    parser.add_argument("--limit", type=int, help="use only the first LIMIT requests")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    results = measure(options.set, options.limit)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
