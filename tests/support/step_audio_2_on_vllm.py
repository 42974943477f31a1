"""Step-Audio 2 on a real vLLM: the native model to compare with, conversations, and requests."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agentaudio.conversation import (
    AudioPart,
    Conversation,
    SpeechPart,
    SpeechTokens,
    TextPart,
    ToolCall,
    ToolOutput,
    ToolSpec,
)
from agentaudio.model.step_audio_2.language.prompt import PromptBuilder
from agentaudio.model.step_audio_2.language.segments import Prompt
from agentaudio.model.step_audio_2.network.features import batch, features
from agentaudio.model.step_audio_2.tokens import CODE_RATE_HZ, CODEC, BpeVocabulary
from agentaudio.sound.audio import Audio
from support.chat_wire import wire_messages, wire_tools
from support.vllm_server import NAME

if TYPE_CHECKING:
    from agentaudio.model.step_audio_2.network.modeling import StepAudio2ForCausalLM

TOKENS = 20
"""Of an answer."""
QUERY = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
TOOLS = [ToolSpec("web_search", "Search <|EOT|> the web.", QUERY), ToolSpec("book", "", {"type": "object"})]


class Native:
    """The native model's prompts and greedy answers."""

    def __init__(self, folder: Path) -> None:
        from agentaudio.model.step_audio_2.network.checkpoint import load_checkpoint

        self.model: StepAudio2ForCausalLM = load_checkpoint(folder, dtype="float32")
        self.model.config.pieces_together = False
        self.vocabulary = BpeVocabulary.load(str(folder / "tokenizer.json"))
        self.prompts = PromptBuilder(self.vocabulary)

    def answer(self, prompt: Prompt, tokens: int) -> list[int]:
        import torch

        whole = dict.fromkeys(segment.audio for segment in prompt.audio)
        mels = {(sound, n * 400_000): mel for sound in whole for n, mel in enumerate(features(sound))}
        pieces = batch([mels[segment.audio, segment.start] for segment in prompt.audio])
        inputs: dict[str, Any] = {"input_ids": torch.tensor([prompt.ids])}
        if len(pieces.feature_lengths):
            inputs["input_features"] = torch.from_numpy(pieces.input_features)
            inputs["feature_lengths"] = torch.from_numpy(pieces.feature_lengths)
        with torch.inference_mode():
            made = self.model.generate(**inputs, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False)
        found: list[int] = made[0, len(prompt.ids) :].tolist()
        return found


class Server:
    """A vLLM at an address."""

    def __init__(self, address: str) -> None:
        self.address = address

    def ask(self, messages: Sequence[Any], **fields: Any) -> dict[str, Any]:
        """The whole answer to a request; of a refused one, `status` and `error`."""
        try:
            with self._open(messages, {"max_tokens": TOKENS, "min_tokens": TOKENS, **fields}) as response:
                found: dict[str, Any] = json.loads(response.read())
                return found
        except urllib.error.HTTPError as refusal:
            return {"status": refusal.code, "error": refusal.read().decode()}

    def stream(self, messages: Sequence[Any], **fields: Any) -> Iterator[dict[str, Any]]:
        """The chunks of the answer."""
        with self._open(messages, {**fields, "stream": True}) as response:
            for line in response.read().decode().splitlines():
                if line.startswith("data: {"):
                    yield json.loads(line[6:])

    def metric(self, name: str) -> float:
        """A figure that vLLM publishes."""
        with urllib.request.urlopen(f"{self.address}/metrics", timeout=60) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name}{{", f"{name} ")))

    def _open(self, messages: Sequence[Any], fields: dict[str, Any]) -> Any:
        usual = {"model": NAME, "temperature": 0, "return_token_ids": True, "skip_special_tokens": False}
        body = json.dumps({**usual, "messages": messages, **fields}).encode()
        address = f"{self.address}/v1/chat/completions"
        return urllib.request.urlopen(
            urllib.request.Request(address, body, {"content-type": "application/json"}), timeout=600
        )


def sound(seconds: float, seed: int = 0, rate: int = 16_000) -> AudioPart:
    noise = np.random.default_rng(seed).normal(0, 0.1, round(rate * seconds)).clip(-1, 1)
    return AudioPart(Audio(noise.astype(np.float32), rate))


def speech(text: str, seed: int, codes: int) -> SpeechPart:
    drawn = np.random.default_rng(seed).integers(0, 6561, codes).tolist()
    return SpeechPart(text, tokens=SpeechTokens(tuple(drawn), CODEC, CODE_RATE_HZ))


def talk(seconds: float, seed: int) -> Conversation:
    """Three turns: with sound among words, a call with its result, spoken answers, and sound at the end."""
    made = Conversation()
    made.add("system", "Be kind.<|EOT|><audio_start>")
    made.add("user", "First this:", sound(0.8, seed), sound(0.31, seed + 1, 44_100), "then that.")
    made.add("assistant", speech("Gern, é茶!", seed, 4 * seed + 3), ToolCall("c1", "web_search", {"query": "thé"}))
    made.add("tool", ToolOutput("c1", "web_search", "Tea is <tool_call> green."))
    made.add("assistant", TextPart("Well: "), speech("green", seed + 1, 2))
    made.add("user", sound(seconds, seed + 2))
    return made


def requested(
    native: Native, conversation: Conversation, tools: Sequence[ToolSpec] = ()
) -> tuple[Prompt, dict[str, Any]]:
    """The native prompt, and the same conversation as a request."""
    translation = native.prompts.translation(conversation, tools)
    opening = {"role": "assistant", "content": "<tts_start>"}
    fields: dict[str, Any] = {
        "messages": [*wire_messages(conversation, translation), opening],
        "continue_final_message": True,
        "add_generation_prompt": False,
    }
    if tools:
        fields["tools"] = wire_tools(translation.specs)
    return native.prompts.build(conversation, tools), fields
