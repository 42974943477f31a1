"""Build the documentation as a site, and check its links.

    python scripts/build_docs.py [--to FOLDER]

The pages of docs/ are read as they are on a code host, where links may lead out of docs/ to source files. For the site,
those files are copied beside the pages, and the links lead to the copies. Runs in the environment of `make docs`.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[1]
STAGE = ROOT / "build" / "docs"
LINK = re.compile(r"(\]\()(?!https?:|mailto:|#)([^)#\s]+)(#[^)]*)?(\))")
ROOT_PAGES = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")


def staged_link(page: Path, target: str) -> str:
    """The link of a page of the site to what `target` means in the page of the repository; copies the file.

    page: in the repository
    """
    wanted = (page.parent / target).resolve()
    if not wanted.exists():
        sys.exit(f"{page.relative_to(ROOT)} links to {target}, which does not exist")
    place = staged(wanted)
    if place.is_relative_to(STAGE / "source"):
        copy_source(wanted, place)
    return os.path.relpath(place, staged(page).parent)


def staged(path: Path) -> Path:
    """Where a file of the repository lies in the site's sources."""
    if path.is_dir():
        return STAGE / "source" / path.relative_to(ROOT) / "files.txt"
    if path.is_relative_to(ROOT / "docs"):
        return STAGE / path.relative_to(ROOT / "docs")
    if path.name in ROOT_PAGES and path.parent == ROOT:
        return STAGE / path.name.lower()
    if path == ROOT / "README.md":
        return STAGE / "index.md"
    # As text: a browser would offer to save, or would run, other kinds.
    return STAGE / "source" / f"{path.relative_to(ROOT)}.txt"


def copy_source(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        to.write_text("".join(f"{found.name}\n" for found in sorted(path.iterdir()) if found.name[:1] not in "._"))
    else:
        shutil.copy(path, to)


def stage() -> None:
    """Copy the pages, with links that lead to copies."""
    shutil.rmtree(STAGE, ignore_errors=True)
    shutil.copytree(ROOT / "docs", STAGE)
    for page in [*(ROOT / "docs").rglob("*.md"), *(ROOT / name for name in ("README.md", *ROOT_PAGES))]:
        staged(page).write_text(with_staged_links(page), encoding="utf-8")


def with_staged_links(page: Path) -> str:
    """The text of a page of the repository, with the links of the site."""

    def link(found: re.Match[str]) -> str:
        return f"{found[1]}{staged_link(page, found[2])}{found[3] or ''}{found[4]}"

    return LINK.sub(link, page.read_text(encoding="utf-8"))


class PageLinks(HTMLParser):
    """The links of a page, what they can lead to within it, and what it loads."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors = {""}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.anchors |= {value for name in ("id", "name") if (value := found.get(name))}
        target = found.get("href") or found.get("src")
        if target and (tag == "a" or tag == "img"):
            self.links.append(target)
        elif target and found.get("rel") != "canonical":
            self.loaded.append(target)


def broken_links(site: Path) -> list[str]:
    """Links of the site to pages or anchors that are not there, and what its pages load from other hosts."""
    pages = {path: PageLinks(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    broken = []
    for path, page in pages.items():
        if path.name == "404.html":  # its links begin at the root of a server
            continue
        for link in page.links:
            split = urlsplit(link)
            if split.scheme or split.netloc:
                continue
            target = (path.parent / unquote(split.path)).resolve() if split.path else path
            if target.is_dir():
                target /= "index.html"
            there = target in pages and unquote(split.fragment) in pages[target].anchors
            if not there and (target in pages or not target.is_file()):
                broken.append(f"{path.relative_to(site)}: {link}")
        broken += [f"{path.relative_to(site)} loads {link}" for link in page.loaded if urlsplit(link).netloc]
    return broken


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--to", type=Path, default=ROOT / "build" / "site", metavar="FOLDER")
    to: Path = parser.parse_args().to.resolve()
    stage()
    tools, environment = Path(sys.executable).parent, {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    subprocess.run([tools / "zensical", "build", "--clean", "--strict"], cwd=ROOT, env=environment, check=True)
    built = ROOT / "build" / "site"
    if to != built:
        shutil.copytree(built, to, dirs_exist_ok=True)
    if broken := broken_links(to):
        sys.exit("\n".join(["links that lead nowhere:", *broken]))
    print(f"the site is in {to}")


if __name__ == "__main__":
    main()
