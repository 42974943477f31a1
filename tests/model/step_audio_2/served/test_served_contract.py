"""The contract of models for Step-Audio 2 on a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from support.openai_server import ChatServer, Reply, Request, chat_server
from support.step_audio_2 import CharacterVocabulary
from support.step_audio_2_server import IDS, Surroundings, Tones, call_ids, spoken_ids, vllm_chunks

from agentaudio.model.step_audio_2.served.backend import ServedStepAudio2
from agentaudio.model.step_audio_2.served.load import load
from agentaudio.testing import Answer, ModelContract, Stage

VOCABULARY = CharacterVocabulary()


class Directed:
    """A Stage whose answers a server streams as vLLM does."""

    def __init__(self, server: ChatServer) -> None:
        self._server, self._around = server, Surroundings()
        self._answers: list[Answer] = []
        server.script = self._reply
        found = load(None, base_url=server.url)
        self.model = ServedStepAudio2(found._server, speech=Tones(), vocabulary=VOCABULARY)

    def next(self, *answers: Answer) -> None:
        self._answers = list(answers)

    def busy(self) -> bool:
        return self._server.answering > 0

    def _reply(self, request: Request) -> Reply:
        known = self._around.reply(request)
        if known is not None:
            return known
        answer = self._answers.pop(0)
        spoken = request.json["continue_final_message"]
        codes = [1] * (len(answer.say) * 2)
        ids = spoken_ids(VOCABULARY, answer.say, codes, ends=False) if spoken else VOCABULARY.encode(answer.say)
        for name, arguments in answer.calls:
            ids += call_ids(VOCABULARY, name, arguments)
        if answer.cut:
            return Reply(vllm_chunks(VOCABULARY, ids, finish="length"))
        chunks = vllm_chunks(VOCABULARY, [*ids, IDS.eot])
        if answer.fails or answer.stalls:
            return Reply(chunks[:-4], cut=answer.fails, stall=answer.stalls)
        return Reply(chunks)


class TestServed(ModelContract):
    @asynccontextmanager
    async def stage(self) -> AsyncIterator[Stage]:
        async with chat_server() as server:
            directed = Directed(server)
            yield directed
            await directed.model.aclose()
