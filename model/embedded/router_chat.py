"""`RouterChat`: a chat model without a language model, which routes requests to tools and quotes their results."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from uuid import uuid4

from agentaudio.conversation import Conversation, ToolCall, ToolOutput, ToolSpec
from agentaudio.errors import BackendError, OptionError
from agentaudio.model.embedded.answering.answer import VOICE_TOOL, Answer, answer
from agentaudio.model.embedded.answering.small_talk import not_understood, small_talk
from agentaudio.model.embedded.dialogue.languages import SURE, declined, load_identifier, other_language
from agentaudio.model.embedded.dialogue.manners import granted, manner_of, without_manner
from agentaudio.model.embedded.dialogue.missing import asked_for
from agentaudio.model.embedded.dialogue.plain import plain
from agentaudio.model.embedded.dialogue.several import RequestReader
from agentaudio.model.embedded.dialogue.topics import with_added_topic
from agentaudio.model.embedded.dialogue.turns import PastTurn, past_turns
from agentaudio.model.embedded.routing.clauses import clauses
from agentaudio.model.embedded.routing.expectations import expected_sentences
from agentaudio.model.embedded.routing.route import Route
from agentaudio.model.embedded.routing.router import Router, VectorCache
from agentaudio.model.manner import Manner
from agentaudio.model.parts import ChatDelta
from agentaudio.model.speech_lm import CallDelta, CitationDelta, End, GenerateOptions, TextDelta
from agentaudio.text.embedding import load_embedder
from agentaudio.text.words import split_words

MAX_REQUEST_CHARS = 4000
"""Characters of a request, by default; a minute of speech has about 1,000."""
SENTENCES_KEPT = 2_000
"""Sentences of passages whose vectors are kept, 3 MB: the next question is often about the same ones."""


class RouterChat:
    """A ChatModel (see agentaudio.model.parts) that understands requests for its tools, in English.

    It answers in words taken from the tools' results, with citations. It completes requests that depend on
    the turns before ("and in London?"), and says so when it did not understand, or when the user speaks
    another language. Routing and answering run in threads.

    router: chooses tools and their arguments; None is the included one
    max_request_chars: characters of a request; a longer one raises BackendError
    """

    name = "router"
    calls_tools = True
    cites = True
    languages = ("en",)
    options = frozenset({"language"})

    def __init__(self, router: Router | None = None, *, max_request_chars: int = MAX_REQUEST_CHARS) -> None:
        embed = load_embedder("default")
        self._router = router or Router(embed)
        self._embed = VectorCache(embed, kept=SENTENCES_KEPT)
        self._understand = RequestReader(self._router)
        self._max_request_chars = max_request_chars

    async def chat(
        self,
        conversation: Conversation,
        *,
        tools: Sequence[ToolSpec] = (),
        options: GenerateOptions = GenerateOptions(),
    ) -> AsyncGenerator[ChatDelta, None]:
        """Call the tools that the last request asks for, or answer from their results; see ChatModel."""
        request = conversation.last_user.text if conversation.last_user is not None else ""
        if len(request) > self._max_request_chars:
            raise BackendError(
                f"the request has {len(request)} characters; the embedded engine reads at most "
                f"{self._max_request_chars} (max_request_chars): shorten it, or set the option"
            )
        request, way = without_manner(plain(request))
        past = past_turns(conversation)
        outputs = conversation.last_outputs
        if not outputs and (reply := await asyncio.to_thread(declined, request, options.language, least=SURE)):
            found = Answer(reply, ())
        else:
            reading = await asyncio.to_thread(self._understand, request, past, tools)
            calls = [route for route in reading.routes if route.tool is not None and not route.missing]
            if outputs:
                language = await asyncio.to_thread(other_language, request, options.language, least=SURE)
                found = await asyncio.to_thread(self._answer, reading.text, outputs, tools, language, past)
            elif reading.reply is not None:
                found = Answer(reading.reply, ())
            elif calls:
                for route in calls:
                    yield CallDelta(ToolCall(f"call_{uuid4().hex[:12]}", str(route.tool), route.arguments))
                yield End("tool_calls")
                return
            else:
                reply = await asyncio.to_thread(declined, request, options.language)
                found = Answer(reply or _without_tools(reading.text, reading.routes, tools), ())
        text = f"{found.text} {granted(way, past)}" if way is not None else found.text
        manner = manner_of([*(turn.answer for turn in past), text])
        if manner != Manner():
            yield manner
        for citation in found.citations:
            yield CitationDelta(citation)
        for word in re.findall(r"\s*\S+", text):
            yield TextDelta(word)
        yield End()

    def expected(self, tools: Sequence[ToolSpec]) -> Sequence[str]:
        """Sentences made of the tools' phrases, names, descriptions and documents."""
        return expected_sentences(tools)

    async def warm_up(self, tools: Sequence[ToolSpec] = ()) -> None:
        """Load the sentence embedder and the language identifier, and embed what describes these tools."""
        await asyncio.to_thread(load_identifier)
        await asyncio.to_thread(self._router.route, "hello", tools)

    async def aclose(self) -> None:
        """Does nothing: the embedder is shared with the rest of the process."""

    def _answer(
        self, text: str, outputs: Sequence[ToolOutput], tools: Sequence[ToolSpec], language: str | None,
        past: Sequence[PastTurn],
    ) -> Answer:  # fmt: skip
        """The answer to the request, without its clauses that ask for a voice.

        Where no sentence answers it, the topic of the search before is looked for, too.
        """
        parts = clauses(text)
        if len(parts) > 1 and any(output.name == VOICE_TOOL for output in outputs):
            parts = [part for part in parts if self._router.route(part, tools)[0].tool != VOICE_TOOL] or parts
            text = " ".join(parts)
        found = answer(text, outputs, self._embed, language=language)
        if found.citations or not past or not any(output.passages for output in outputs):
            return found
        wider = with_added_topic(" ".join(split_words(text)), past[-1])
        return answer(wider, outputs, self._embed, language=language) if wider is not None else found


def _without_tools(text: str, routes: Sequence[Route], tools: Sequence[ToolSpec]) -> str:
    """The answer without a tool: a question for missing arguments, small talk, or that it was not understood."""
    for route in routes:
        if route.tool is not None and route.missing:
            tool = next(tool for tool in tools if tool.name == route.tool)
            return asked_for(tool, route.missing)
    if any(route.kind == "chat" for route in routes):
        return small_talk(text, tools)
    return not_understood(text, tools)


def load(argument: str | None, *, max_request_chars: int = MAX_REQUEST_CHARS) -> RouterChat:
    """The entry point `router`. Raises OptionError for an argument.

    max_request_chars: characters of a request; a longer one raises BackendError
    """
    if argument is not None:
        raise OptionError(f"chat model 'router' takes no argument, but was given {argument!r}; write 'router'")
    return RouterChat(max_request_chars=max_request_chars)
