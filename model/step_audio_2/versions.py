"""The versions of transformers and torch that Step-Audio 2 works with."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version

from agentaudio.errors import BackendError

WORKING = {"torch": ((2, 6), (3, 0)), "transformers": ((5, 20), (6, 0))}
"""The first version that works, and the first that is not known to."""


def version_problem(package: str) -> str | None:
    """Why the installed version of a package cannot be used, with the remedy; None when it can, or is not installed."""
    least, below = WORKING[package]
    try:
        installed = version(package)
    except PackageNotFoundError:
        return None
    numbers = re.match(r"(\d+)\.(\d+)", installed)
    if numbers is None or least <= (int(numbers[1]), int(numbers[2])) < below:
        return None
    wanted = f"{package}>={_dotted(least)},<{_dotted(below)}"
    return f"{package} {installed} is installed, and Step-Audio 2 needs {wanted}: pip install '{wanted}'"


def check_versions() -> None:
    """Raises BackendError naming the version of torch or transformers that cannot be used."""
    for package in WORKING:
        if (problem := version_problem(package)) is not None:
            raise BackendError(problem)


def _dotted(numbers: tuple[int, int]) -> str:
    return f"{numbers[0]}.{numbers[1]}" if numbers[1] else str(numbers[0])
