"""`Compactor`: keeps what the model sees of one session's conversation within the model's context."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from agentaudio.compaction import UNCOMPACTED, Compacted, Compaction, Place, changes, places, until
from agentaudio.conversation import AudioPart, Conversation, Message, Part, SpeechPart, ToolCall, ToolOutput, ToolSpec
from agentaudio.errors import AgentAudioError, AudioError, BackendError
from agentaudio.model.speech_lm import GenerateOptions, HasContext, SpeechLM, TextDelta, with_context
from agentaudio.model.transcribe import transcribe
from agentaudio.text.languages import HAN

IDLE_SHARE = 0.6
"""Share of the context from which a conversation is compacted in idle time."""
AIM_SHARE = 0.35
"""Share that is left then. Every compaction costs a new reading, so it is done rarely, and then makes much room."""
LIMIT_SHARE = 0.875
"""Share from which it is compacted at once: the rest is for the answer, a minute of speech in 16,384 tokens."""
UNTOUCHED = 4
"""Number of the last exchanges that are left as they are. If they fill the context, fewer, and at least the last."""
SUMMARY_TOKENS, SUMMARY_SHARE = 400, 0.1
"""Length of a summary, and the largest share of a small context that it may take."""

QUESTION = (
    "Summarise our conversation so far in at most 150 words, in the language that we speak. Keep names, numbers, "
    "dates, what I told you about me, what I wanted and decided, results of tools that still matter, and what is still "
    "open."
)
QUESTION_ZH = (
    "请用不超过两百字概括我们到目前为止的对话。保留人名、数字、日期、我介绍自己的情况、我的愿望和决定、仍然有用的工具结果，"
    "以及还没有解决的事情。"
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a generation gets besides the conversation."""

    tools: Sequence[ToolSpec]
    options: GenerateOptions


class Compactor:
    """Compacts the conversation of one session. It does nothing for a model that is not a HasContext."""

    def __init__(self) -> None:
        self._compaction = UNCOMPACTED
        self._idle: asyncio.Task[None] | None = None
        self._news: Compacted | None = None
        self._known = 0, 0  # number of tokens, and of the first messages that have them

    def view(self, conversation: Conversation) -> Conversation:
        """The conversation as the model sees it; the same object as long as nothing is compacted."""
        return conversation if self._compaction is UNCOMPACTED else self._compaction.view(conversation)

    def take_news(self) -> Compacted | None:
        """What was compacted in idle time, once."""
        news, self._news = self._news, None
        return news

    def measured(self, tokens: float, conversation: Conversation) -> None:
        """The model has counted the tokens of the conversation, with its own answer."""
        self._known = int(tokens), len(conversation)

    def replaced(self, old: Sequence[Message], new: Sequence[Message]) -> None:
        """Another conversation takes the place of the session's. If it begins the same, it stays compacted."""
        self._known = 0, 0
        edge = max(self._compaction.words_only, self._compaction.transcribed, self._compaction.summarised)
        before = until(Conversation(list(old)), edge).messages
        same = len(before) <= len(new) and all(
            (mine.role, mine.text) == (theirs.role, theirs.text) for mine, theirs in zip(before, new, strict=False)
        )
        if not same:
            self._compaction = UNCOMPACTED

    async def make_room(self, model: SpeechLM, conversation: Conversation, seen: Seen) -> Compacted | None:
        """Compact now if the context leaves too little room for an answer. Returns what was done."""
        able = with_context(model)
        if able is None or self._most(conversation) <= LIMIT_SHARE * able.context_tokens:
            return None
        enough = int(LIMIT_SHARE * able.context_tokens)
        work = _Work(able, conversation.copy(), seen)
        before = await work.count(self._compaction)
        after, compaction = before, self._compaction
        kept = UNTOUCHED
        while after > enough and kept:
            compaction = await work.compacted(compaction, kept=kept, enough=enough, waits=False)
            after = await work.count(compaction)
            kept //= 2
        self._known = after, len(conversation)
        return self._take(compaction, conversation, before, after)

    def begin_idle(
        self, model: SpeechLM, conversation: Conversation, seen: Seen, changed: Callable[[int], None]
    ) -> None:
        """Compact, if it is time, while nobody waits for an answer.

        changed: called with the number of a turn whose sound got its transcript in the conversation
        """
        able = with_context(model)
        if able is not None and self._most(conversation) > IDLE_SHARE * able.context_tokens:
            work = self._run_idle(able, conversation, seen, changed)
            self._idle = asyncio.create_task(work, name="agentaudio-compaction")

    def stop(self) -> None:
        """Stop what runs in idle time; what it has not finished is left as it was."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    async def _run_idle(
        self, model: HasContext, conversation: Conversation, seen: Seen, changed: Callable[[int], None]
    ) -> None:
        try:
            work = _Work(model, conversation.copy(), seen)
            before = await work.count(self._compaction)
            self._known = before, len(conversation)
            if before <= IDLE_SHARE * model.context_tokens:
                return
            aim = int(AIM_SHARE * model.context_tokens)
            await self._transcribe(model, conversation, work, aim, changed)
            compaction = await work.compacted(self._compaction, kept=UNTOUCHED, enough=aim, waits=True)
            if compaction == self._compaction:
                return
            after = await work.count(compaction)
            # Until this is done, the next turn goes on with what the model has read.
            await model.read_ahead(compaction.view(conversation).for_model(), tools=seen.tools, options=seen.options)
            self._known = after, len(conversation)
            self._news = self._take(compaction, conversation, before, after)
        except AgentAudioError as error:
            log.warning("the conversation was not compacted: %s", error)
        except Exception:
            log.exception("the conversation was not compacted")

    async def _transcribe(
        self, model: HasContext, conversation: Conversation, work: _Work, aim: int, changed: Callable[[int], None]
    ) -> None:
        """Write down the user's old sound, if the conversation is too long without speech tokens, too."""
        edge = work.edge(UNTOUCHED)
        if edge is None or await work.count(replace(self._compaction, words_only=edge)) <= aim:
            return
        old = until(conversation, edge).messages[len(until(conversation, self._compaction.summarised)) :]
        for message in old:
            for part in message.parts:
                if isinstance(part, AudioPart) and part.transcript is None:
                    try:
                        words = await transcribe(model, part.audio)
                    except AudioError:  # such as silence
                        words = ""
                    if conversation.replace(part, replace(part, transcript=words)) and message.turn:
                        changed(message.turn)
        work.conversation = conversation.copy()

    def _take(self, compaction: Compaction, conversation: Conversation, before: int, after: int) -> Compacted | None:
        if compaction == self._compaction:
            return None
        done = changes(self._compaction, compaction, conversation)
        self._compaction = compaction
        return replace(done, tokens_before=before, tokens_after=after)

    def _most(self, conversation: Conversation) -> int:
        """An upper bound of the tokens that the model reads, without counting them."""
        tokens, messages = self._known
        if messages > len(conversation):
            tokens = messages = 0
        return tokens + sum(map(_most_tokens, conversation.messages[messages:]))


class _Work:
    """The steps of one compaction, on a copy of the conversation."""

    def __init__(self, model: HasContext, conversation: Conversation, seen: Seen) -> None:
        self._model, self.conversation, self._seen = model, conversation, seen
        self._summary_tokens = min(SUMMARY_TOKENS, int(SUMMARY_SHARE * model.context_tokens))

    async def count(self, compaction: Compaction, end: Place | None = None, more: str = "") -> int:
        """Tokens of the conversation, or of what comes before `end` with a question after it."""
        shown = self._shown(compaction, end, more)
        seen = self._seen if end is None else replace(self._seen, tools=())
        return await asyncio.to_thread(self._model.count_tokens, shown, tools=seen.tools, options=seen.options)

    def edge(self, kept: int) -> Place | None:
        """The first of the last `kept` exchanges; None when there is nothing before them."""
        known = places(self.conversation)
        return known[-kept] if len(known) > kept else None

    async def compacted(self, now: Compaction, *, kept: int, enough: int, waits: bool) -> Compaction:
        """Compact until `enough` tokens are left, or nothing more can be done.

        now: the compaction until now
        kept: number of exchanges that are left as they are
        waits: nobody waits for this, so that a summary that fails can be tried again later
        """
        edge = self.edge(kept)
        if edge is None:
            return now
        for step in ("words_only", "transcribed"):
            now = replace(now, **{step: max(edge, getattr(now, step))})
            if await self.count(now) <= enough:
                return now
        aim = min(enough, int(AIM_SHARE * self._model.context_tokens)) - self._summary_tokens
        shown = [place for place in places(self.conversation) if now.summarised <= place <= edge]
        cuts = shown[1:]  # each hides what comes before it
        low, high = 0, len(cuts) - 1
        while low < high:  # the first cut that leaves so little
            middle = (low + high) // 2
            if await self.count(replace(now, summarised=cuts[middle], summary="")) <= aim:
                high = middle
            else:
                low = middle + 1
        if not cuts:
            return now
        try:
            return await self._summarised(now, cuts[: low + 1])
        except AgentAudioError as error:
            if waits:
                log.warning("the oldest exchanges are not summarised yet: %s", error)
                return now
            log.warning("the oldest exchanges are left out, as they cannot be summarised: %s", error)
            return replace(now, summarised=cuts[low], left_out=now.left_out + low + 1)

    async def _summarised(self, now: Compaction, cuts: Sequence[Place]) -> Compaction:
        """Summarise what comes before the last of `cuts`, in as many pieces as the context makes necessary."""
        question = QUESTION_ZH if _is_chinese(self.conversation) else QUESTION
        room = self._model.context_tokens - self._summary_tokens
        while cuts:
            low, high = 0, len(cuts)  # how many of the cuts fit
            while low < high:
                middle = (low + high + 1) // 2
                if await self.count(now, cuts[middle - 1], question) <= room:
                    low = middle
                else:
                    high = middle - 1
            if not low:  # one exchange that is longer than the context
                now, cuts = replace(now, summarised=cuts[0], left_out=now.left_out + 1), cuts[1:]
                continue
            summary = await self._answer(self._shown(now, cuts[low - 1], question))
            if not summary:
                raise BackendError(f"model {self._model.name!r} gave an empty summary of the conversation")
            now = replace(now, summarised=cuts[low - 1], question=question, summary=summary)
            cuts = cuts[low:]
        return now

    def _shown(self, compaction: Compaction, end: Place | None, more: str) -> Conversation:
        conversation = self.conversation if end is None else until(self.conversation, end)
        shown = compaction.view(conversation).for_model()
        if more:
            shown.add("user", more)
        return shown

    async def _answer(self, conversation: Conversation) -> str:
        able = self._model.capabilities.options
        options = GenerateOptions(
            speak=False,
            language=self._seen.options.language,
            temperature=0.0 if "temperature" in able else None,
            max_tokens=self._summary_tokens if "max_tokens" in able else None,
        )
        words = ""
        async with aclosing(self._model.generate(conversation, options=options)) as deltas:
            async for delta in deltas:
                if isinstance(delta, TextDelta):
                    words += delta.text
        return words.strip()


def _is_chinese(conversation: Conversation) -> bool:
    last = next((text for message in reversed(conversation.messages) if (text := message.text.strip())), "")
    return re.search(f"[{HAN}]", last) is not None and re.search("[\u3040-\u30ff]", last) is None


MOST_PER_SECOND = 32
"""Tokens of a second of sound: 25 speech tokens with their text and fillers, or fewer of what was heard."""
MOST_PER_MESSAGE = 64


def _most_tokens(message: Message) -> int:
    """An upper bound of a message's tokens, for tokenizers whose tokens are at least a byte."""
    return MOST_PER_MESSAGE + sum(map(_most_of_part, message.parts))


def _most_of_part(part: Part) -> int:
    match part:
        case AudioPart(audio=audio):
            return int(MOST_PER_SECOND * audio.duration)
        case SpeechPart(text=text, tokens=tokens):
            return len(text.encode("utf-8", "replace")) + (2 * len(tokens.ids) if tokens is not None else 0)
        case ToolCall(name=name, arguments=arguments):
            return len(name) + len(repr(dict(arguments)).encode("utf-8", "replace"))
        case ToolOutput(name=name, text=text):
            return len(name) + len(text.encode("utf-8", "replace"))
    return len(part.text.encode("utf-8", "replace"))
