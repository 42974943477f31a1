"""The options `--sign` and `--watermark`, which several commands share."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from agentaudio.provenance.provenance import Provenance

SignWith = Annotated[str | None, Parameter(name="--sign")]


def provenance_of(sign: str | None, watermark: str | None) -> Provenance:
    """What the options say, and for those that were left out, the environment.

    Raises what `Provenance.load` raises.
    """
    usual = Provenance.from_environment()
    return Provenance(sign=sign or usual.sign, watermark=watermark or usual.watermark).load()
