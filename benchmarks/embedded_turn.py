"""Whole turns of an embedded engine: the recorded questions of the demo, answered and judged.

    python benchmarks/embedded_turn.py [--model embedded-lite] [--json FILE]

One session asks the eight recorded questions. For each it reports:

- the recognised words, whether the right tool was called, whether the answer contains the expected
  facts, and whether the retrieved voice is the requested one;
- the word error rate of the spoken answer, heard by Whisper base;
- the gain in speaker similarity to the reference voice over the unchanged synthesiser;
- the time from the end of the question to the first sound, in a process that is warmed up, and the time of the CPU
  until then, without that of worker processes. On a machine that does other work only the second says something.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from typing import Any

from judge import Ear
from report import machine, publish
from rich.console import Console
from rich.table import Table

from agentaudio import Audio, Reply, Session
from agentaudio.demo.run import demo_agent, questions_folder
from agentaudio.events import AudioSpoken, TurnFinished
from agentaudio.model.embedded.speaking.espeak import Espeak
from agentaudio.sound.speaker_encoder import EmbeddedSpeakerEncoder
from agentaudio.text.spoken_form import spoken_form


class Judge:
    """Recognises spoken answers, and compares their voice with the reference."""

    def __init__(self) -> None:
        self.synthesiser = Espeak()
        self.encoder = EmbeddedSpeakerEncoder()
        self.ear = Ear()

    def wer(self, reply: Reply) -> float:
        """Word error rate of the spoken answer, in percent."""
        assert reply.audio is not None
        return self.ear.wer(reply.text, reply.audio)

    def gain(self, reply: Reply) -> float | None:
        """Cosine similarity to the reference voice, minus that of the unchanged synthesiser speaking the same text."""
        if reply.voice is None or reply.audio is None:
            return None
        reference = self.encoder.encode(reply.voice.clip)
        untouched = self.encoder.encode(self.synthesiser.speak(spoken_form(reply.text)))
        return float(reference @ self.encoder.encode(reply.audio) - reference @ untouched)


Turn = tuple[dict[str, Any], Reply, float]
"""A question, its reply, and the CPU seconds to the first sound."""


async def ask_all(questions: list[dict[str, Any]], model: str) -> list[Turn]:
    async with demo_agent(model) as agent:
        await agent.warm_up()
        session = agent.session()
        return [(question, *await ask(session, question["file"])) for question in questions]


async def ask(session: Session, file: str) -> tuple[Reply, float]:
    sound = Audio.load(questions_folder() / file)
    used, first_cpu_s, reply = time.process_time(), float("nan"), None
    async for event in session.stream(sound):
        if isinstance(event, AudioSpoken) and first_cpu_s != first_cpu_s:
            first_cpu_s = time.process_time() - used
        if isinstance(event, TurnFinished):
            reply = event.reply
    assert reply is not None
    return reply, first_cpu_s


def share(verdicts: list[bool | None]) -> str:
    given = [verdict for verdict in verdicts if verdict is not None]
    return f"{sum(given)} of {len(given)}"


def judge(question: dict[str, Any], reply: Reply, first_cpu_s: float, by: Judge) -> dict[str, Any]:
    expected = question["expects"]
    called = [run.call.name for run in reply.tool_calls]
    gain = by.gain(reply)
    return {
        "question": question["text"],
        "heard": reply.heard or "",
        "tool_right": called == ([expected["tool"]] if expected["tool"] else []),
        "facts": any(fact in reply.text for fact in expected["facts"]) if "facts" in expected else None,
        "voice_right": None
        if "voice" not in expected
        else reply.voice is not None and reply.voice.id == expected["voice"],
        "voice": reply.voice.id if reply.voice else "own",
        "answer_wer": round(by.wer(reply), 1),
        "voice_gain": None if gain is None else round(gain, 3),
        "first_audio_s": round(reply.timings.get("first_audio", float("nan")), 2),
        "first_audio_cpu_s": round(first_cpu_s, 2),
        "answer": reply.text,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="embedded", choices=["embedded", "embedded-lite"])
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    questions = json.loads((questions_folder() / "questions.json").read_text(encoding="utf-8"))
    by = Judge()
    rows = [judge(*turn, by) for turn in asyncio.run(ask_all(questions, arguments.model))]
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in rows[0]:
        table.add_column(title.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    Console(width=200).print(table)
    gains = [row["voice_gain"] for row in rows if row["voice_gain"] is not None]
    publish(
        f"turns of {arguments.model}",
        {
            "model": arguments.model,
            "questions": len(rows),
            "tool_right": sum(row["tool_right"] for row in rows),
            "facts_right": share([row["facts"] for row in rows]),
            "voice_right": share([row["voice_right"] for row in rows]),
            "answer_wer_mean": round(statistics.mean(row["answer_wer"] for row in rows), 1),
            "voice_gain_mean": round(statistics.mean(gains), 3) if gains else None,
            "voice_gain_min": min(gains, default=None),
            "first_audio_s_median": round(statistics.median(row["first_audio_s"] for row in rows), 2),
            "first_audio_s_max": max(row["first_audio_s"] for row in rows),
            "first_audio_cpu_s_median": round(statistics.median(row["first_audio_cpu_s"] for row in rows), 2),
            "first_audio_cpu_s_max": max(row["first_audio_cpu_s"] for row in rows),
            **machine(),
            "rows": rows,
        },
        arguments.json,
    )
    by.synthesiser.close()
    by.ear.close()


if __name__ == "__main__":
    main()
