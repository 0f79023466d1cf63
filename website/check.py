"""Checks a built site: links and anchors lead somewhere, pages load nothing from outside."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser fetches by itself when it shows a page; an `a` is fetched only by a click.
_LOADING = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "image": ("href", "xlink:href"),
    "use": ("href", "xlink:href"),
    "source": ("src", "srcset"),
    "iframe": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "video": ("src", "poster"),
    "audio": ("src",),
    "track": ("src",),
    "input": ("src",),
    "form": ("action",),
}
_LOADED_LINKS = {"stylesheet", "icon", "preload", "modulepreload", "prefetch", "manifest"}
_CSS = re.compile(r"url\(\s*['\"]?(?P<url>[^'\")]+)|@import\s+['\"](?P<other>[^'\"]+)")
_FETCHED = re.compile(
    r"(?:fetch|import|importScripts|open)\(\s*['\"](?P<url>(?:https?:)?//[^'\"]+)"
)


@dataclass
class _Page:
    """What a page of the site loads, where its links lead, and its anchors."""

    loads: list[str] = field(default_factory=list)
    leads: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)


class _Reader(HTMLParser):
    """Collects it."""

    def __init__(self) -> None:
        super().__init__()
        self.page = _Page()
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._inside = tag if tag in ("style", "script") else ""
        self.page.anchors |= {given[name] for name in ("id", "name") if name in given}
        for name in _LOADING.get(tag, ()):
            if name in given:
                parts = given[name].split(",") if name == "srcset" else [given[name]]
                self.page.loads += [part.split()[0] for part in parts if part.strip()]
        if tag == "link" and _LOADED_LINKS & set(given.get("rel", "").split()):
            self.page.loads.append(given.get("href", ""))
        if tag == "a" and "href" in given:
            self.page.leads.append(given["href"])
        self.page.loads += _urls(given.get("style", ""))

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.page.loads += _urls(data)
        elif self._inside == "script":
            self.page.loads += [match["url"] for match in _FETCHED.finditer(data)]


def faults(site: Path) -> list[str]:
    """What is wrong with the site below a folder, a line each; empty if nothing is.

    Found are addresses of other hosts that a page, style sheet or script loads, files that they
    load or links that lead to nothing, and anchors that a page does not have.
    """
    pages = {path: _read(path) for path in sorted(site.rglob("*.html"))}
    wrong = [] if pages else [f"{site} has no pages"]
    for path, page in pages.items():
        name = path.relative_to(site)
        for address in page.loads:
            wrong += [f"{name} loads {why}" for why in _not_loadable(path, address)]
        for address in page.leads:
            wrong += [f"{name} links to {why}" for why in _leads_nowhere(path, address, pages)]
    for path in sorted(site.rglob("*.css")):
        for address in _urls(path.read_text(encoding="utf-8")):
            wrong += [
                f"{path.relative_to(site)} loads {why}" for why in _not_loadable(path, address)
            ]
    for path in sorted(site.rglob("*.js")):
        for match in _FETCHED.finditer(path.read_text(encoding="utf-8")):
            wrong.append(f"{path.relative_to(site)} loads {match['url']}, which is outside")
    return wrong


def _read(path: Path) -> _Page:
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader.page


def _urls(text: str) -> list[str]:
    return [match["url"] or match["other"] for match in _CSS.finditer(text)]


def _is_outside(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme in ("http", "https", "ftp", "ws", "wss")


def _not_loadable(page: Path, address: str) -> Iterator[str]:
    if _is_outside(address):
        yield f"{address}, which is outside"
    elif not address.startswith(("data:", "#")) and not _file(page, address).is_file():
        yield f"{address}, which does not exist"


def _leads_nowhere(page: Path, address: str, pages: dict[Path, _Page]) -> Iterator[str]:
    if _is_outside(address) or urlsplit(address).scheme:
        return
    there = _file(page, address)
    if not there.is_file():
        yield f"{address}, which does not exist"
        return
    anchor = unquote(urlsplit(address).fragment)
    if anchor and there in pages and anchor not in pages[there].anchors:
        yield f"{address}, an anchor that is not there"


def _file(page: Path, address: str) -> Path:
    path = unquote(urlsplit(address).path)
    return (page.parent / path).resolve() if path else page
