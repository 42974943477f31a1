"""The task of a worker process that reads the C2PA manifest of a sound file. Only that process imports this module."""

from __future__ import annotations

import io
import json
from typing import Any

import c2pa

from agentaudio.provenance.signing import OFFLINE


def manifest(request: dict[str, Any], content: bytes | bytearray) -> tuple[dict[str, Any], bytes]:
    """The active manifest of a file, and what C2PA finds wrong with it.

    request: `media_type`, and `anchors`, PEM certificates that are trusted, may be empty
    returns: `state` ("none" without a manifest, "unreadable", or C2PA's Invalid, Valid or Trusted), and if there is
        one, `manifest` as C2PA writes it and `failures`, a list of code and explanation
    """
    settings: dict[str, Any] = {**OFFLINE, "verify": {**OFFLINE["verify"], "verify_trust": True}}
    if request["anchors"]:
        settings["trust"] = {"trust_anchors": request["anchors"]}
    context = c2pa.Context.from_dict(settings)
    try:
        reader = c2pa.Reader.try_create(request["media_type"], io.BytesIO(content), None, context)
        if reader is None:
            return {"state": "none"}, b""
        with reader:
            store = json.loads(reader.json())
    except c2pa.C2paError as error:
        return {"state": "unreadable", "failures": [["unreadable", str(error)]]}, b""
    results = store.get("validation_results", {}).get("activeManifest", {})
    failures = [[one.get("code"), one.get("explanation")] for one in results.get("failure", [])]
    active = store.get("manifests", {}).get(store.get("active_manifest"))
    return {"state": store.get("validation_state"), "manifest": active, "failures": failures}, b""
