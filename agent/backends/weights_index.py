"""Files on the user's Python package index: which index that is, and where a pinned wheel lies on it."""

from __future__ import annotations

import configparser
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urljoin

DEFAULT_INDEX = "https://pypi.org/simple"

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
"""PEP 691: JSON where the index has it, else the HTML of PEP 503."""


@dataclass(frozen=True, slots=True)
class IndexFile:
    """A file on an index; `sha256` is None where the index gives none."""

    url: str
    sha256: str | None


def index_urls(environment: Mapping[str, str]) -> list[str]:
    """Return the indexes that pip or uv would ask here, first choice first: variables, then pip's files, then PyPI."""
    config = _pip_config(environment)
    first = (
        environment.get("UV_DEFAULT_INDEX")
        or environment.get("UV_INDEX_URL")
        or environment.get("PIP_INDEX_URL")
        or config.get("index-url")
        or DEFAULT_INDEX
    )
    extra = environment.get("PIP_EXTRA_INDEX_URL") or config.get("extra-index-url") or ""
    urls = [url.strip().rstrip("/") for url in (first, *extra.split())]
    return [url for url in dict.fromkeys(urls) if url.startswith(("http://", "https://"))]


def _pip_config(environment: Mapping[str, str]) -> Mapping[str, str]:
    """Return the `[global]` keys of pip's configuration files; where two name a key, the later file has it."""
    merged: dict[str, str] = {}
    for path in _pip_files(environment):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
        if parser.has_section("global"):
            merged.update(parser.items("global"))
    return merged


def _pip_files(environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield where pip looks (its documentation, "Configuration"), the strongest file last."""
    chosen = environment.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return
    home = Path.home()
    if sys.platform == "win32":
        yield Path(environment.get("APPDATA", str(home))) / "pip" / "pip.ini"
        yield Path(sys.prefix) / "pip.ini"
    else:
        yield Path("/etc/pip.conf")
        yield home / ".pip" / "pip.conf"
        yield Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"
        yield Path(sys.prefix) / "pip.conf"
    if chosen:
        yield Path(chosen)


def page_url(index: str, project: str) -> str:
    """Return the address of a project's page on `index`."""
    return f"{index}/{_normal(project)}/"


def find_wheel(project: str, version: str, base: str, content: str, *, json: Any = None) -> IndexFile | None:
    """Return the wheel of `version` from a project page fetched from `base`: its parsed JSON, or else its HTML."""
    files = _json_files(json) if json is not None else _html_files(content)
    start = f"{_normal(project)}-{version}-"
    for name, url, sha256 in files:
        if name.endswith(".whl") and _normal_file(name).startswith(start):
            return IndexFile(urljoin(base, url), sha256)
    return None


def _normal(project: str) -> str:
    return re.sub(r"[-_.]+", "-", project).lower()


def _normal_file(name: str) -> str:
    project, _, rest = name.partition("-")
    return f"{_normal(project)}-{rest}"


def _json_files(page: Any) -> Iterator[tuple[str, str, str | None]]:
    for file in page.get("files", []):
        yield file["filename"], file["url"], file.get("hashes", {}).get("sha256")


def _html_files(page: str) -> Iterator[tuple[str, str, str | None]]:
    links = _Links()
    links.feed(page)
    for href in links.hrefs:
        url, fragment = urldefrag(href)
        sha256 = fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else None
        yield url.rpartition("/")[2], url, sha256


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hrefs += [value for name, value in attrs if tag == "a" and name == "href" and value]
