"""`judge`: what of a turn is not as its suite expects. Each key of `Expect` is one check."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from agentaudio.errors import AgentAudioError
from agentaudio.evaluation.suites.record import Observed, Verdict
from agentaudio.evaluation.suites.schema import Expect, VoiceRule
from agentaudio.evaluation.suites.words import argument_fault, comparable, missing, unsupported
from agentaudio.model.embedded.dialogue.languages import other_language
from agentaudio.reply import Reply
from agentaudio.sound.audio import Audio
from agentaudio.sound.speaker_encoder import SpeakerEncoder

Transcribe = Callable[[Audio], Awaitable[str]]
Clip = Callable[[str], Audio]
"""The sound of a voice by its id, or of a file."""


class Judge:
    """Checks turns.

    clip: gives the sound that `like` names
    encoder: loads the speaker encoder on first use
    transcribe: hears the answer, for `audible`
    """

    def __init__(self, *, clip: Clip, encoder: Callable[[], SpeakerEncoder], transcribe: Transcribe) -> None:
        self._clip, self._transcribe = clip, transcribe
        self._encoder = functools.cache(encoder)

    async def verdicts(self, expect: Expect, seen: Observed) -> tuple[Verdict, ...]:
        """A verdict for each key of `expect`, in the order of the file."""
        return tuple([Verdict(key, await self._fault(key, expect, seen)) for key in _given(expect)])

    async def _fault(self, key: str, expect: Expect, seen: Observed) -> str:
        if key in _OF_TURN:
            return _OF_TURN[key](expect, seen)
        if seen.reply is None:
            return "there was no answer"
        if key == "audible":
            return await self._audible(expect.audible or [], seen.reply)
        if key == "voice":
            assert expect.voice is not None
            return await self._voice(expect.voice, seen.reply)
        return _OF_REPLY[key](expect, seen.reply, seen)

    async def _audible(self, wanted: list[str], reply: Reply) -> str:
        if reply.audio is None or not len(reply.audio):
            return "the answer has no sound"
        try:
            heard = await self._transcribe(reply.audio)
        except AgentAudioError as error:
            return f"the answer cannot be heard: {error}"
        lacks = missing(wanted, heard)
        return f"{_listed(lacks)} not in what was heard: {heard!r}" if lacks else ""

    async def _voice(self, rule: VoiceRule, reply: Reply) -> str:
        voice = reply.voice
        if rule.id is not None and (voice is None or voice.id not in rule.id.split("|")):
            return f"{voice.id if voice else 'the own voice'}, not {rule.id}"
        for name, wanted in rule.attributes.items():
            found = getattr(voice.card, name) if voice is not None else None
            if found is None or comparable(str(found)) not in map(comparable, wanted.split("|")):
                return f"{voice.id if voice else 'the own voice'} has the {name} {found}, not {wanted}"
        return await asyncio.to_thread(self._likeness, rule, reply) if rule.like is not None else ""

    def _likeness(self, rule: VoiceRule, reply: Reply) -> str:
        assert rule.like is not None
        if reply.audio is None or not len(reply.audio):
            return "the answer has no sound"
        encoder = self._encoder()
        least = encoder.same_speaker_above if rule.at_least is None else rule.at_least
        try:
            cosine = float(encoder.encode(reply.audio) @ encoder.encode(self._clip(rule.like)))
        except AgentAudioError as error:
            return f"cannot be compared with {rule.like}: {error}"
        return "" if cosine >= least else f"resembles {rule.like} by {cosine:.2f}, less than {least:.2f}"


def _given(expect: Expect) -> Iterator[str]:
    return (key for key in type(expect).model_fields if key in expect.model_fields_set)


def _listed(words: list[str]) -> str:
    return ", ".join(map(repr, words))


def _called(reply: Reply | None) -> list[tuple[str, Mapping[str, Any]]]:
    if reply is None:
        return []
    calls = [*(run.call for run in reply.tool_calls), *reply.open_calls]
    return [(call.name, call.arguments) for call in calls]


def shown_call(name: str, arguments: Mapping[str, Any]) -> str:
    """A call on one line."""
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"


def _tool(expect: Expect, seen: Observed) -> str:
    made = _called(seen.reply)
    if sorted(name for name, _ in made) == sorted(expect.tool or ()):
        return ""
    return f"called {', '.join(shown_call(*call) for call in made) or 'nothing'}"


def _arguments(expect: Expect, seen: Observed) -> str:
    given = next((arguments for name, arguments in _called(seen.reply) if name in (expect.tool or ())), None)
    if given is None:
        return "the tool was not called"
    faults = [
        f"{name} {fault}"
        for name, rule in expect.arguments.items()
        if (fault := argument_fault(rule, given.get(name))) is not None
    ]
    return "; ".join(faults)


def _within(expect: Expect, seen: Observed) -> str:
    late = [
        f"{stage} after {seen.stages[stage]:.2f} s, not {most:g} s" if stage in seen.stages else f"no {stage}"
        for stage, most in expect.within.items()
        if not seen.stages.get(stage, float("inf")) <= most
    ]
    return "; ".join(late)


def _results(expect: Expect, seen: Observed) -> str:
    lost = [name for name in expect.result_of or () if name not in seen.results]
    return f"no result of {_listed(lost)}" if lost else ""


def _stops(expect: Expect, seen: Observed) -> str:
    assert expect.stops_agent_within_s is not None
    if seen.stopped_after_s is None:
        return "the agent did not stop"
    late = seen.stopped_after_s > expect.stops_agent_within_s
    return f"the agent stopped after {seen.stopped_after_s:.2f} s" if late else ""


def _says(expect: Expect, reply: Reply, seen: Observed) -> str:
    lacks = missing(expect.says or (), reply.text)
    return f"{_listed(lacks)} not in {reply.text!r}" if lacks else ""


def _never_says(expect: Expect, reply: Reply, seen: Observed) -> str:
    held = [words for words in expect.never_says or () if not missing([words], reply.text)]
    return f"{_listed(held)} in {reply.text!r}" if held else ""


def _cites(expect: Expect, reply: Reply, seen: Observed) -> str:
    cited = {name for citation in reply.citations for name in _names(citation.title, citation.source)}
    lacks = [entry for entry in expect.cites or () if not cited & set(map(comparable, entry.split("|")))]
    return f"{_listed(lacks)} not among {sorted(cited)}" if lacks else ""


def _names(title: str, source: str) -> tuple[str, str]:
    path = urlsplit(source).path or source
    return comparable(title), comparable(PurePosixPath(Path(path).as_posix()).stem)


def _supported(expect: Expect, reply: Reply, seen: Observed) -> str:
    invented = unsupported(reply.text, seen.evidence)
    return f"nothing supports {_listed(invented)}" if invented else ""


def _language(expect: Expect, reply: Reply, seen: Observed) -> str:
    spoken = language_of(reply.text)
    return "" if spoken == expect.language else f"{reply.text!r} is {spoken or 'no language'}"


def _stop(expect: Expect, reply: Reply, seen: Observed) -> str:
    return "" if reply.stop == expect.stop else f"{reply.stop}, not {expect.stop}"


def language_of(text: str) -> str | None:
    """The language of a text, by its characters and words; None for a text without letters.

    English is what nothing else is likely for. Languages in Latin letters are told apart with the extra `embedded`.
    """
    if not any(character.isalpha() for character in text):
        return None
    return other_language(text, None) or "en"


_OF_TURN: Mapping[str, Callable[[Expect, Observed], str]] = {
    "tool": _tool,
    "no_tool": _tool,
    "arguments": _arguments,
    "within": _within,
    "result_of": _results,
    "stops_agent_within_s": _stops,
    "agent_goes_on": lambda expect, seen: "" if seen.went_on else "the agent stopped, or answered",
}
_OF_REPLY: Mapping[str, Callable[[Expect, Reply, Observed], str]] = {
    "says": _says,
    "never_says": _never_says,
    "cites": _cites,
    "supported": _supported,
    "language": _language,
    "stop": _stop,
}
