"""`Grants`: what the user allows the tools of files to do."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

NO_COMMANDS = (
    "commands are not allowed; allow them with load_tools(..., allow_commands=True) or --allow-commands "
    "if you trust the file"
)


@dataclass(frozen=True, slots=True)
class Grants:
    """What the user allows. A file may ask for more, but cannot grant it.

    commands: start programs, for the kind `command` and for MCP servers with a `command`
    secrets: environment variables and files that may be read as secrets, and folders of such files
    looking: the tools are only looked at: those that need a grant are made, but must not be called
    """

    commands: bool = False
    secrets: Collection[str | os.PathLike[str]] = ()
    looking: bool = False

    @classmethod
    def of(cls, allow_commands: bool, allow_secrets: Iterable[str | os.PathLike[str]]) -> Grants:
        """The grants of the settings `allow_commands` and `allow_secrets`."""
        single = isinstance(allow_secrets, str | os.PathLike)
        return cls(allow_commands, (allow_secrets,) if single else tuple(allow_secrets))  # type: ignore[arg-type]

    def variable(self, name: str) -> bool:
        """Whether this environment variable may be read."""
        return name in self.secrets

    def file(self, path: Path) -> bool:
        """Whether this file may be read: it is granted itself, or lies in a granted folder. Links are resolved."""
        try:
            real = path.resolve()
        except (OSError, ValueError, RuntimeError):  # a name that no file can have, circular links
            return False
        return any(real.is_relative_to(Path(granted).expanduser().resolve()) for granted in self.secrets)
