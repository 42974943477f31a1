"""From what a client asks for to a `Response`, and to what the agent answers."""

from __future__ import annotations

from agentaudio.live.session import Answering
from agentaudio.server.realtime.context import Context
from agentaudio.server.realtime.history import History
from agentaudio.server.realtime.request import Request
from agentaudio.server.realtime.response import Response
from agentaudio.server.realtime.voices import shown
from agentaudio.voice_library.voice import Voice


def make_response(context: Context, request: Request, voice: Voice | None, history: History | None) -> Response:
    """The response that will answer a request.

    voice: for it alone; None is the session's
    history: that its items join; None for a response beside the conversation
    """
    settings, live, form = context.settings, context.live, context.out.form or request.form
    fields = {
        "conversation_id": None if history is None else settings.conversation_id,
        "output_modalities": ["audio"] if request.speaks else ["text"],
        "max_output_tokens": request.max_tokens,
        "audio": {
            "output": {
                "format": form.to_wire(),
                "voice": voice.id if voice is not None else settings.voice,
            }
        },
        "metadata": None if request.metadata is None else dict(request.metadata),
    }
    speaks = request.speaks and context.setup.model.capabilities.voices != "none"
    response = Response(
        context.out, history, has_sound=speaks, form=form, speed=settings.speed, settings=fields
    )  # fmt: skip
    response.wanted = lambda: history is None or response.turn is None or live.wants(response.turn)
    response.facts = {"voice": shown(voice or live.voice)}
    return response


def make_answering(context: Context, request: Request, voice: Voice | None, *, turn: int = 0) -> Answering:
    """What the agent answers.

    voice: for this answer alone; None is the session's
    turn: its number in the conversation; 0 for a response beside the conversation
    """
    instructions = context.state.instructions(request.instructions or context.settings.instructions)
    chosen = None if request.items is None else list(request.items)
    conversation = context.history.conversation(instructions, turn=turn, chosen=chosen)
    return Answering(
        conversation=conversation, setup=request.setup(context.setup),
        options=request.options(context.setup), voice=voice,
    )  # fmt: skip
