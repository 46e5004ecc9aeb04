import os
import time
from pathlib import Path

import pytest

from tests.tools.support import make_repository, tools_in


async def test_matches_come_with_file_and_line(folder: Path) -> None:
    make_repository(folder)
    (folder / "src").mkdir()
    (folder / "src/b.py").write_bytes("x\r\n  naïve = [1]\r\n".encode())
    (folder / "binary").write_bytes(b"\0naive two")
    (folder / "node_modules").mkdir()
    (folder / "node_modules/c.js").write_text("two", encoding="utf-8")
    async with tools_in(folder) as (ok, _):
        assert await ok("search_text", text="two") == "a.txt:2: two"
        assert await ok("search_text", text="[1]") == "src/b.py:2: naïve = [1]"
        assert await ok("search_text", text=r"^\s+na.ve", regex=True) == "src/b.py:2: naïve = [1]"
        assert await ok("search_text", text="two", path="node_modules") == "node_modules/c.js:1: two"
        assert await ok("search_text", text="two", path="a.txt") == "a.txt:2: two"
        assert await ok("search_text", text="Two") == "a.txt:2: two"
        assert await ok("search_text", text="NAÏVE") == "src/b.py:2: naïve = [1]"
        nothing = "No file in '.' has 'repositoryformatversion', neither in its text nor in its name."
        assert await ok("search_text", text="repositoryformatversion") == nothing


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
async def test_an_expression_meets_the_ends_of_lines_in_files_of_windows(folder: Path, encoding: str) -> None:
    (folder / "w.txt").write_bytes("first\r\nthe end\r\n".encode(encoding))
    async with tools_in(folder) as (ok, _):
        assert await ok("search_text", text="^first$", path="w.txt", regex=True) == "w.txt:1: first"
        assert await ok("search_text", text="end$", path="w.txt", regex=True) == "w.txt:2: the end"


async def test_files_are_found_by_their_name_too(folder: Path) -> None:
    (folder / "trips").mkdir()
    for name in ("sea.jpg", "hill.JPG", "notes.txt"):
        (folder / "trips" / name).write_text("a picture", encoding="utf-8")
    (folder / "index.md").write_text("sea.jpg: the first day\n", encoding="utf-8")
    async with tools_in(folder) as (ok, _):
        both = "2 files have it in the name:\ntrips/hill.JPG\ntrips/sea.jpg"
        assert await ok("search_text", text="jpg") == f"index.md:1: sea.jpg: the first day\n{both}"
        assert await ok("search_text", text="jpg", path="trips") == f"No file has 'jpg' in its text.\n{both}"


async def test_a_question_finds_the_lines_with_most_of_its_words(folder: Path) -> None:
    (folder / "staff.txt").write_text("Petra: office 4\nJan: office 5\n", encoding="utf-8")
    (folder / "offices.txt").write_text("4: extension 318\n", encoding="utf-8")
    async with tools_in(folder) as (ok, _):
        text = await ok("search_text", text="Petra's office extension")
        assert text.splitlines()[1:] == ["staff.txt:1: Petra: office 4"]


async def test_what_another_file_has_is_told(folder: Path) -> None:
    (folder / "a.csv").write_text("Ruth\n", encoding="utf-8")
    (folder / "b.csv").write_text("Dana, red\n", encoding="utf-8")
    async with tools_in(folder) as (ok, _):
        said = await ok("search_text", text="Dana", path="a.csv")
    assert said.splitlines()[1:] == ["But other files have it:", "b.csv:1: Dana, red"]


@pytest.mark.parametrize("text", ["", "a\nb", "x" * 501])
async def test_text_that_can_not_be_found_is_refused(folder: Path, text: str) -> None:
    async with tools_in(folder) as (_, refused):
        assert "one line" in await refused("search_text", text=text)


@pytest.mark.parametrize("pattern", ["(", "[a", "*", "(?P<x", "a{99999999999}", "(?<=a+)b", "\\", "(" * 400])
async def test_a_bad_pattern_is_refused_in_words(folder: Path, pattern: str) -> None:
    async with tools_in(folder) as (_, refused):
        assert "regex" in await refused("search_text", text=pattern, regex=True)


async def test_a_pattern_that_never_ends_is_ended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.search.LIMIT_S", -2)
    (folder / "f").write_text("a" * 60, encoding="utf-8")
    async with tools_in(folder) as (_, refused):
        assert "too long" in await refused("search_text", text="(a+)+$b", regex=True)


async def test_results_and_lines_are_cut(folder: Path) -> None:
    (folder / "many").write_text("needle\n" * 5_000, encoding="utf-8")
    (folder / "wide").write_bytes(b"x" * 20_000_000 + b"needle" + b"y" * 1_000_000)
    async with tools_in(folder) as (ok, _):
        text = await ok("search_text", text="needle", path="many")
        assert len(text) < 6_200 and "[cut here after" in text
        text = await ok("search_text", text="needle", path="wide")
        assert text.startswith("wide:1: ") and "needle" in text and len(text) < 300


async def test_links_pipes_loops_and_deep_trees_do_no_harm(folder: Path) -> None:
    (folder / "loop").symlink_to(".")
    (folder / "out").symlink_to(folder.parent / "outside")
    os.mkfifo(folder / "fifo")
    with (folder / "sparse").open("wb") as stream:
        stream.truncate(3_000_000_000)
    deep = folder
    for _ in range(90):
        deep /= "d"
        deep.mkdir()
    (deep / "f").write_text("TOP-SECRET", encoding="utf-8")
    started = time.monotonic()
    async with tools_in(folder) as (ok, refused):
        assert "No file" in await ok("search_text", text="TOP-SECRET")
        assert "No file" in await ok("search_text", text="TOP.SECRET", regex=True)
        await refused("search_text", text="x", path="fifo")
    assert time.monotonic() - started < 10
