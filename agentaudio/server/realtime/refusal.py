"""`Refusal`: why a client event cannot be carried out, in the protocol's error shape."""

from __future__ import annotations

from typing import Any

from agentaudio.escaping import visible


class Refusal(Exception):
    """Becomes an `error` event. The connection stays usable.

    message: for people
    code: for programs; clients know some by name
    param: path of the field that caused it, such as "session.audio.output.voice"
    kind: "invalid_request_error", or "server_error" where the client is not at fault
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "invalid_value",
        param: str | None = None,
        kind: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.message, self.code, self.param, self.kind = visible(message)[:1000], code, param, kind

    def event(self, client_event_id: str | None) -> dict[str, Any]:
        """The event. client_event_id: of the client event that it answers, by which clients find their call"""
        return {
            "type": "error",
            "error": {
                "type": self.kind, "code": self.code, "message": self.message, "param": self.param,
                "event_id": client_event_id,
            },
        }  # fmt: skip


def wrong_type(param: str, wanted: str) -> Refusal:
    return Refusal(f"Invalid type for '{param}': expected {wanted}.", code="invalid_type", param=param)
