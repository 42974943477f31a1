"""Requests in other languages than English: are they declined, and is the language named?

    PYTHONPATH=. python benchmarks/other_languages.py --json docs/figures/other_languages.json

The 112 requests of benchmarks/languages/requests.jsonl, 48 of them in Chinese, are put to the router with four
tools in writing, and the Chinese ones also as Whisper base hears them from eight stock styles of Kokoro. Other
languages are heard from the demo voices that speak them, a sentence of four to five seconds each. A request is right
when no tool is called and the answer declines it: in Chinese to Chinese, else with the language's name. The English
requests and exchanges of the other benchmarks must not be declined.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from report import publish

from agentaudio import Agent, Audio, Reply
from agentaudio.model.cascade.cascade import Cascade
from agentaudio.model.embedded.dialogue.languages import CHINESE
from agentaudio.model.kokoro.synthesiser import KokoroSynthesiser
from agentaudio.model.registry import load_chat_model, load_recogniser, load_synthesiser
from agentaudio.text.languages import HAN
from agentaudio.voice_library import library

HERE = Path(__file__).parent
TOOLS = ("search_documents", "audio_search", "get_date_time", "calculate")
STYLES = ("zf_xiaobei", "zf_xiaoni", "zf_xiaoxiao", "zf_xiaoyi", "zm_yunjian", "zm_yunxi", "zm_yunxia", "zm_yunyang")
NAMES = {
    "de": "German", "fr": "French", "es": "Spanish", "it": "Italian", "pt": "Portuguese", "nl": "Dutch",
    "ru": "Russian", "ja": "Japanese", "hi": "Hindi", "cs": "Czech", "fi": "Finnish",
}  # fmt: skip


class Speakers:
    """Says Chinese requests in the styles of Kokoro, one after the other."""

    def __init__(self) -> None:
        self._kokoro: dict[str, KokoroSynthesiser] = {}

    async def say(self, number: int, text: str) -> Audio:
        style = STYLES[number % len(STYLES)]
        if style not in self._kokoro:
            loaded = load_synthesiser(f"kokoro:{style}")
            assert isinstance(loaded, KokoroSynthesiser)
            self._kokoro[style] = loaded
        speaker = self._kokoro[style]
        return await asyncio.to_thread(speaker.say, text, await speaker.prepare(None), "zh")


def is_declined(language: str, reply: Reply) -> bool:
    """In Chinese to Chinese, else with the name of the language; no tool was called."""
    wanted = CHINESE if language == "zh" else f"I think that was {NAMES.get(language, 'another language')}."
    return not reply.tool_calls and reply.text.startswith(wanted)


def english() -> list[str]:
    """What the other benchmarks say in English."""
    said = []
    for path in sorted([*(HERE / "requests").glob("*.jsonl"), *(HERE / "exchanges").glob("*.jsonl")]):
        for line in path.read_text(encoding="utf-8").splitlines():
            item = json.loads(line)
            said += [item["text"]] if "text" in item else [turn["say"] for turn in item["turns"]]
    return [text for text in said if not re.search(f"[{HAN}]", text)]  # a few turns of the exchanges are Chinese


async def measured(show: bool) -> dict[str, Any]:
    lines = (HERE / "languages" / "requests.jsonl").read_text(encoding="utf-8").splitlines()
    requests = [json.loads(line) for line in lines]
    speakers, ear = Speakers(), load_recogniser("whisper:base")
    agent = Agent(Cascade(ear, load_chat_model("router"), None), tools=list(TOOLS), documents="demo", voices="demo")
    counts: Counter[str] = Counter()

    async def ask(group: str, language: str, text: str, user: str | Audio) -> None:
        reply = await agent.run(user)
        counts[f"{group} requests"] += 1
        if is_declined(language, reply):
            counts[f"{group} declined"] += 1
        elif show:
            print(f"{group} {language} {text!r} heard {reply.heard!r}: {reply.text!r}", flush=True)

    async with agent:
        await agent.warm_up()
        for number, request in enumerate(requests):
            language, text = request["language"], request["text"]
            await ask("Chinese written" if language == "zh" else "others written", language, text, text)
            if language == "zh":
                await ask("Chinese spoken", language, text, await speakers.say(number, text))
        for voice in library.demo_voices():
            language = (voice.card.language or "en").partition("-")[0]
            if language not in ("en", "zh"):
                await ask("others spoken", language, voice.transcript, voice.clip)
        for text in english():
            reply = await agent.run(text)
            counts["English requests"] += 1
            if CHINESE in reply.text or "I understand English only" in reply.text:
                counts["English declined"] += 1
                if show:
                    print(f"declined in English: {text!r}")
    return {
        f"{group} {what}": counts[f"{group} {what}"]
        for group in ("Chinese written", "Chinese spoken", "others written", "others spoken", "English")
        for what in ("requests", "declined")
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="PATH")
    parser.add_argument("--show", action="store_true", help="print what is wrong")
    options = parser.parse_args()
    publish("requests in other languages", asyncio.run(measured(options.show)), options.json)


if __name__ == "__main__":
    main()
