"""`ModelServer`: an HTTP server that runs Step-Audio 2, and what it says of itself."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

from agentaudio.errors import BackendError
from agentaudio.model.openai.service import Service
from agentaudio.model.step_audio_2.served.messages import ServerKind
from agentaudio.model.step_audio_2.tokens import TokenIds

log = logging.getLogger(__name__)

CONTEXT = 16_384
"""Of the published checkpoints, where the server does not say its own."""
PROBE = "<tts_start><audio_0><audio_6560><|EOT|>"
SERVE_IT = (
    "start vLLM with a checkpoint of Step-Audio 2 and with agentaudio installed beside it (pip install "
    "'agentaudio[vllm]'), see docs/step_audio_2_server.md"
)


@dataclass(frozen=True, slots=True)
class ServedModel:
    """What is known of a served model.

    name: on the server
    kind: of the server
    context: tokens of the longest conversation with its answer
    has_vocabulary: whether the server has shown that its vocabulary is Step-Audio 2's; some do not show it
    """

    name: str
    kind: ServerKind
    context: int
    has_vocabulary: bool


class ModelServer:
    """Asks one server, whose model is looked up before the first request.

    name: of the model, for messages
    base_url: of the server, up to /v1
    model: its name on the server; None for the only one
    kind: None to find out
    timeout_s: longest time to look up the model
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        api_key: str | None,
        *,
        model: str | None,
        kind: ServerKind | None,
        ids: TokenIds,
        timeout_s: float,
    ) -> None:
        self._name, self._model, self._kind, self._ids, self._timeout_s = name, model, kind, ids, timeout_s
        self._service = Service(name, base_url, api_key)
        root = base_url.rstrip("/").removesuffix("/v1")
        self._root = Service(name, root, api_key)
        self._known: ServedModel | None = None
        self._looking: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = weakref.WeakKeyDictionary()

    def events(self, body: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """The chunks of an answer; see Service.events."""
        return self._service.events("chat/completions", body)

    @property
    def known(self) -> ServedModel | None:
        """What was looked up; None before."""
        return self._known

    async def model(self) -> ServedModel:
        """What the server serves, looked up once.

        Raises BackendError when it cannot be reached, does not serve the model, or its vocabulary is another one's.
        """
        async with self._looking.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            if self._known is None:
                try:
                    async with asyncio.timeout(self._timeout_s):
                        self._known = await self._looked_up()
                except TimeoutError:
                    raise BackendError(
                        f"{self._name} did not say within {self._timeout_s:g} s what it serves; check the server"
                    ) from None
        return self._known

    async def aclose(self) -> None:
        """Close the connections."""
        await self._service.aclose()
        await self._root.aclose()

    async def _looked_up(self) -> ServedModel:
        name, context = await self._listed()
        has_vocabulary = await self._check_vocabulary(name)
        return ServedModel(name, self._kind or await self._found_kind(), context, has_vocabulary)

    async def _listed(self) -> tuple[str, int]:
        """The name of the model and its context."""
        listed = await self._service.get("models")
        entries = listed.get("data") if isinstance(listed, dict) else None
        found = {
            entry["id"]: entry.get("max_model_len")
            for entry in (entries if isinstance(entries, list) else ())
            if isinstance(entry, dict) and isinstance(entry.get("id"), str)
        }
        if not found:
            raise BackendError(f"{self._name} lists no model; check that base_url is that of a model's server")
        name = self._model or (next(iter(found)) if len(found) == 1 else "")
        if name not in found:
            what = f"does not serve {name!r}" if name else "serves several models"
            shown = ", ".join(sorted(found))[:300]
            raise BackendError(f"{self._name} {what}; write step-audio-2:NAME with one of: {shown}")
        context = found[name]
        return name, context if isinstance(context, int) and context > 0 else CONTEXT

    async def _check_vocabulary(self, model: str) -> bool:
        """Whether the server's vocabulary is known to be Step-Audio 2's. Raises BackendError if it is another."""
        body = {"model": model, "prompt": PROBE, "add_special_tokens": False}
        answer = await self._asked("POST", "tokenize", body)
        tokens = answer.get("tokens") if isinstance(answer, dict) else None
        if not isinstance(tokens, list):
            return False
        ids = self._ids
        if tokens != [ids.tts_start, ids.audio_0, ids.audio_0 + 6560, ids.eot]:
            raise BackendError(
                f"{self._name} serves {model!r}, whose vocabulary is not that of Step-Audio 2: it reads {PROBE} as "
                f"{str(tokens)[:100]}; {SERVE_IT}"
            )
        return True

    async def _found_kind(self) -> ServerKind:
        """The kind of server, by the requests that it describes; one that does not is taken for vLLM."""
        described = await self._asked("GET", "openapi.json", None)
        paths = described.get("paths") if isinstance(described, dict) else None
        if not isinstance(paths, dict):
            return "vllm"
        if "/v1/audio/voices" in paths:
            return "vllm-omni"
        schemas = described.get("components", {})
        schemas = schemas.get("schemas", {}) if isinstance(schemas, dict) else {}
        request = schemas.get("ChatCompletionRequest") if isinstance(schemas, dict) else None
        fields = request.get("properties") if isinstance(request, dict) else None
        # StepFun's build is older than the ids in vLLM's answers.
        return "stepfun" if isinstance(fields, dict) and "return_token_ids" not in fields else "vllm"

    async def _asked(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        """The answer of a path that a server may lack; None then."""
        try:
            return await (self._root.get(path) if body is None else self._root.post(path, body))
        except BackendError as error:
            log.info("%s %s: %s", method, path, error)
            return None
