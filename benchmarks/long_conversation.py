"""A conversation of three hours with a tiny Step-Audio 2: time to the first token, tokens read, and memory.

    python benchmarks/long_conversation.py [--json FILE] [--hours H] [--scale N]

Every 45 s the user speaks for 6 s, and the agent answers in 18 s of speech (450 speech tokens). Every fourth turn calls
a tool, and every sixth finds another of four voices, all of which are known after 20 minutes. Weights and words are
random; prompts, caches, speech tokens, sound, compaction and storage are the real ones. Time is simulated: nothing is
played, and the time between two turns lasts as long as the compaction in it needs. The answers are prescribed by the
logits. `--scale 12`, the default, divides the speech of each turn by twelve and the context of 16,384 tokens by two, as
the system message and the tools stay as long; 1 is the true size. Ctrl-C ends the conversation and publishes what was
reached.

Targets: no turn fails; the first token takes at most 1.5 times as long as in the first turn (CPU time; median of ten
turns without tools, because of the noise of a shared machine); memory grows by less than 5 % after 20 minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import itertools
import signal
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from report import machine, publish

from agentaudio import Agent, Audio, SqliteStore, tool
from agentaudio.compaction import Compacted
from agentaudio.events import ConversationCompacted, StepFinished, TextSpoken, TurnFinished, VoiceChanged
from agentaudio.free_memory import share_one_heap
from agentaudio.model.speech_lm import GenerateOptions
from agentaudio.model.step_audio_2.decoding.weights import Weights
from agentaudio.model.step_audio_2.generate import StepAudio2
from agentaudio.model.step_audio_2.init_tiny import init_tiny
from agentaudio.model.step_audio_2.language.interleave import interleave
from agentaudio.model.step_audio_2.speech_decoder import SpeechDecoder
from agentaudio.model.step_audio_2.tokens import BpeVocabulary, TokenIds

IDS = TokenIds()
TURN_S, USER_S, ANSWER_CODES, CONTEXT = 45.0, 6.0, 450, 16_384
SETTLED_S = 1200.0
"""Memory is compared with that after this time."""
VOICES = ("walter", "ruth", "angus", "nora")


class Dictation:
    """Prescribes what a model writes. A prompt begins the next answer, or in idle time a short text."""

    def __init__(self, model: Any) -> None:
        self._answers: Iterator[list[int]] = iter(())
        self._answer: list[int] = []
        self._ids: Iterator[int] = iter(())
        self.idle: list[int] = []
        self._reads = self._is_next_chunk = False
        model.model.register_forward_pre_hook(self._look)
        model.lm_head.register_forward_hook(self._prefer)

    def begin(self, *answers: list[int]) -> None:
        """The answers of the next generations."""
        self._answers, self._is_next_chunk = iter(answers), False

    def _look(self, *_: Any) -> None:
        self._reads = True  # the decoder reads a prompt, or a chunk of it; single tokens take another way

    def _prefer(self, _: Any, __: Any, logits: Any) -> Any:
        if self._reads:
            if not self._is_next_chunk:
                self._answer = next(self._answers, self.idle)
            self._ids = iter(self._answer)
        self._reads, self._is_next_chunk = False, self._reads
        return logits.index_fill(-1, torch.tensor([next(self._ids, IDS.eot)]), 1e4)


def resident_mb() -> float:
    """Memory of this process."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def spoken(vocabulary: BpeVocabulary, words: str, codes: int) -> list[int]:
    return [*interleave(vocabulary.encode(words), [17 * n % 6561 for n in range(codes)], IDS)[1:], IDS.eot]


def called(vocabulary: BpeVocabulary, name: str, arguments: str) -> list[int]:
    ids = vocabulary.encode(f"function\n{name}\n{arguments}")
    return [IDS.tts_end, IDS.tool_call, *ids, IDS.tool_call_end, IDS.eot]


@tool
def look_up(word: str) -> str:
    """Look a word up."""
    return f"{word}: " + "a thing that is found in every house, and in some gardens. " * 6


class Talk:
    """The conversation so far, and what was measured of it."""

    def __init__(self) -> None:
        self.first_token: list[float] = []  # CPU seconds
        self.read: list[float] = []
        self.memory: list[tuple[float, float]] = []
        self.compacted: list[Compacted] = []
        self.turns = self.tools = self.voices = self.failed = self.cut = 0

    async def turn(self, session: Any, user: Audio, *, calls: bool) -> None:
        begun, first = time.process_time(), None
        async for event in session.stream(user):
            match event:
                case TextSpoken() if first is None:
                    first = time.process_time() - begun
                case StepFinished():
                    self.read.append(event.usage["input_tokens"] - event.usage["cached_tokens"])
                case ConversationCompacted():
                    self.compacted.append(event.compacted)
                case VoiceChanged():
                    self.voices += 1
                case TurnFinished():
                    self.tools += len(event.reply.tool_calls)
                    self.cut += event.reply.stop == "length"
        if first is not None and not calls:
            self.first_token.append(first)
        self.turns += 1
        waiting = [task for task in asyncio.all_tasks() if task.get_name() == "agentaudio-compaction"]
        if waiting:
            await asyncio.wait(waiting)


async def talk(hours: float, folder: Path, *, scale: int) -> dict[str, Any]:
    """Hold the conversation; see above. folder: for the checkpoint and the store"""
    checkpoint = init_tiny(folder / "tiny", text={"max_position_embeddings": CONTEXT // min(scale, 2)})
    sound = SpeechDecoder.load(checkpoint, device="cpu", steps=1)  # its quality is none either way
    model = StepAudio2.load(checkpoint, device="cpu", dtype="float32", speech=sound)
    vocabulary = BpeVocabulary.load(str(folder / "tiny" / "tokenizer.json"))
    assert isinstance(model._weights, Weights)
    dictation = Dictation(model._weights.model)
    dictation.idle = [*vocabulary.encode("They spoke of houses and gardens."), IDS.eot]
    agent = Agent(model, tools=[look_up, "audio_search"], voices="demo", options=GenerateOptions(temperature=0))
    rng, made, names = np.random.default_rng(0), Talk(), itertools.cycle(VOICES)
    dictation.begin([IDS.eot])
    await agent.warm_up()
    begun, stop = time.process_time(), asyncio.Event()
    with contextlib.suppress(RuntimeError):  # not in the main thread
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    async with SqliteStore(folder / "talk.sqlite3", keep_sound=True) as store:
        session = await store.session(agent, "long")
        for number in range(round(3600 * hours / TURN_S)):
            if stop.is_set():
                break
            answer = spoken(vocabulary, f"This is answer {number}, and there is more to say.", ANSWER_CODES // scale)
            if number % 6 == 5:
                query = f'{{"query": "{next(names)}"}}'
                dictation.begin(called(vocabulary, "timbre_rag", query), answer)
            elif number % 4 == 3:
                dictation.begin(called(vocabulary, "look_up", f'{{"word": "word {number}"}}'), answer)
            else:
                dictation.begin(answer)
            user = Audio(rng.normal(0, 0.1, int(16_000 * USER_S / scale)).astype(np.float32), 16_000)
            try:
                await made.turn(session, user, calls=number % 6 == 5 or number % 4 == 3)
            except Exception as error:
                print(f"turn {number}: {error}")
                made.failed += 1
            made.memory.append((number * TURN_S, resident_mb()))
        messages = len(session.conversation)
        stored, _ = await store.load("long")
    await agent.aclose()
    return figures(made, messages, len(stored), time.process_time() - begun)


def figures(made: Talk, messages: int, stored: int, cpu_s: float) -> dict[str, Any]:
    settled = [mb for at_s, mb in made.memory if at_s >= SETTLED_S] or [mb for _, mb in made.memory]
    first, later = made.first_token[0], made.first_token[1:]
    tens = [statistics.median(later[at : at + 10]) for at in range(0, len(later), 10)]
    return {
        "hours": round(made.turns * TURN_S / 3600, 2),
        "turns": made.turns,
        "failed_turns": made.failed,
        "answers_cut_by_the_context": made.cut,
        "tool_calls": made.tools,
        "voice_changes": made.voices,
        "messages": messages,
        "stored_messages": stored,
        "compactions": len(made.compacted),
        "answers_without_speech_tokens": sum(one.answers for one in made.compacted),
        "sounds_as_transcripts": sum(one.sounds for one in made.compacted),
        "exchanges_summarised": sum(one.summarised for one in made.compacted),
        "exchanges_left_out": sum(one.left_out for one in made.compacted),
        "first_token_of_first_turn_cpu_ms": round(1000 * first, 1),
        "first_token_over_first_turn_median": round(statistics.median(later) / first, 2),
        "first_token_over_first_turn_slowest_ten": round(max(tens) / first, 2),
        "tokens_read_in_first_step": made.read[0],
        "tokens_read_in_a_step_most": max(made.read[1:]),
        "memory_after_20_min_mb": round(settled[0], 1),
        "memory_growth_percent": round(100 * (max(settled) / settled[0] - 1), 1),
        "cpu_s": round(cpu_s),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json")
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--scale", type=int, default=12)
    options = parser.parse_args()
    torch.set_num_threads(1)
    share_one_heap()  # as the command line does
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(talk(options.hours, Path(folder), scale=options.scale))
    title = f"a conversation of {found['hours']:g} h"
    publish(title, {"scale": options.scale, **found, **machine()}, options.json)


if __name__ == "__main__":
    main()
