"""`/v1/models`: the one model that the server runs, by its name. Requests may name any other: this one answers.

Readers that were written for Kokoro find the same below `/kokoro/v1`, and speech.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from agentaudio.server.errors import ApiError
from agentaudio.server.state import ServerState, State

router = APIRouter(tags=["models"])


@router.get("/v1/models")
@router.get("/kokoro/v1/models")
async def list_models(state: State) -> dict[str, Any]:
    return {"object": "list", "data": [_card(state)]}


@router.get("/v1/audio/models")
@router.get("/kokoro/v1/audio/models")
async def list_audio_models(state: State) -> dict[str, Any]:
    """For readers that let people choose a model of speech, such as Open WebUI. It needs no key."""
    listed = [_card(state)]
    return {"object": "list", "models": [{"id": one["id"], "name": one["id"]} for one in listed], "data": listed}


@router.get("/v1/models/{model:path}")
async def show_model(state: State, model: str) -> dict[str, Any]:
    if model != state.agent.model.name:
        raise ApiError(404, "there is no such model; GET /v1/models lists them", code="model_not_found", param="model")
    return _card(state)


def _card(state: ServerState) -> dict[str, Any]:
    return {"id": state.agent.model.name, "object": "model", "created": 0, "owned_by": "agentaudio"}
