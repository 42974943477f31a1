"""`Selection`: conditions on voices, as SQL."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from agentaudio.text.terms import folded
from agentaudio.voice_library.voice import Policy

OneOf = str | Iterable[str] | None


class Selection:
    """Conditions that are combined with AND; revoked voices are always excluded."""

    def __init__(self) -> None:
        self._clauses = ["revoked IS NULL"]
        self._values: list[Any] = []

    def query(self) -> tuple[Any, ...]:
        """SQL that selects the matching rows, ascending, followed by its parameters."""
        return f"SELECT row FROM voices WHERE {' AND '.join(self._clauses)} ORDER BY row", *self._values

    def one_of(self, column: str, wanted: OneOf) -> None:
        if wanted is not None:
            choices = [folded(choice) for choice in _several(wanted)]
            self._require(f"{column} IN ({','.join('?' * len(choices))})", *choices)

    def language(self, wanted: OneOf) -> None:
        if wanted is not None:
            choices = [choice.lower() for choice in _several(wanted)]
            either = " OR ".join(["language = ? OR substr(language, 1, ?) = ?"] * len(choices))
            values = [value for choice in choices for value in (choice, len(choice) + 1, f"{choice}-")]
            self._require(f"({either or 'FALSE'})", *values)

    def tags(self, wanted: Iterable[str]) -> None:
        for tag in wanted:
            self._require("row IN (SELECT voice FROM labels WHERE kind = 'tag' AND value = ?)", folded(tag))

    def purpose(self, purpose: str, policy: Policy) -> None:
        """The voices for which VoiceCard.refusal gives None today."""
        self._require("(licensed OR ?)", policy.without_licence)
        self._require(
            "CASE WHEN consented THEN (until IS NULL OR until >= ?) "
            "AND row IN (SELECT voice FROM labels WHERE kind = 'purpose' AND value = ?) ELSE ? END",
            date.today().isoformat(), purpose, policy.without_consent,
        )  # fmt: skip

    def embedded(self, wanted: bool, encoder: str | None) -> None:
        self._require(f"row {'' if wanted else 'NOT '}IN (SELECT voice FROM embeddings WHERE encoder = ?)", encoder)

    def _require(self, clause: str, *values: Any) -> None:
        self._clauses.append(clause)
        self._values += values


def _several(wanted: str | Iterable[str]) -> list[str]:
    return [wanted] if isinstance(wanted, str) else list(wanted)
