"""The Hugging Face hub as a source: addresses, login and what its refusals mean."""

from __future__ import annotations

import os
import re
from urllib.parse import quote

from agentaudio.errors import WeightsError
from agentaudio.weights.ledger import Hub
from agentaudio.weights.nearby import hub_home


def is_offline() -> bool:
    """Whether HF_HUB_OFFLINE forbids to ask the hub."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def url_of(source: Hub, path: str) -> str:
    """Where a file of the repository is."""
    return f"{endpoint()}/{source.repository}/resolve/{source.revision}/{quote(path)}"


def headers_for(source: Hub) -> dict[str, str]:
    """The login of the user, for a gated repository only.

    It comes from HF_TOKEN, or from the file that `hf auth login` writes. Raises WeightsError for a token that is
    malformed; the message does not contain it.
    """
    token = _token() if source.gated else ""
    if not re.fullmatch(r"[!-~]*", token):
        raise WeightsError("the Hugging Face token (HF_TOKEN) contains spaces or other characters; correct it")
    return {"authorization": f"Bearer {token}"} if token else {}


def refusal(source: Hub, status: int, *, logged_in: bool) -> str:
    """What an answer other than 200 means, and what the user can do."""
    page = f"{endpoint()}/{source.repository}"
    if source.gated and status in (401, 403):
        if not logged_in:
            return f"{source.repository} is gated: accept its terms at {page}, then run `hf auth login` or set HF_TOKEN"
        if status == 401:
            return f"the Hugging Face token (HF_TOKEN) is not valid: run `hf auth login`, or set another for {page}"
        return f"{source.repository} is gated: accept its terms at {page} with the account of HF_TOKEN"
    return f"{source.repository} answered {status}"


def endpoint() -> str:
    """Address of the hub, or of the mirror that HF_ENDPOINT chooses. Raises WeightsError if that is not a URL."""
    address = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
    if not re.fullmatch(r"https?://[!-~]+", address):
        raise WeightsError(f"HF_ENDPOINT is {address[:100]!r}; write it like https://huggingface.co, or unset it")
    return address


def _token() -> str:
    if token := (os.environ.get("HF_TOKEN") or os.environ.get("HUGGING_FACE_HUB_TOKEN") or "").strip():
        return token
    path = os.environ.get("HF_TOKEN_PATH") or hub_home() / "token"
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(10_000).strip()
    except (OSError, UnicodeDecodeError):
        return ""
