import os
import stat
from pathlib import Path

import pytest

from tests.tools.support import tools_in

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"]


async def test_listing_shows_folders_links_and_emptiness(folder: Path) -> None:
    async with tools_in(folder) as (ok, _):
        assert await ok("list_directory") == "(empty folder)"
        (folder / "src").mkdir()
        (folder / "b.py").touch()
        (folder / "link").symlink_to("b.py")
        (folder / "odd\nname").touch()
        (folder / os.fsdecode(b"bad\xff")).touch()
        assert await ok("list_directory", path="./") == (
            "1 folder:\nsrc/\n4 files (3 without suffix, 1 .py):\nb.py\nbad\\udcff\nlink@\nodd\\nname"
        )
        assert await ok("list_directory", path="src/") == "(empty folder)"


async def test_listing_a_file_says_that_it_is_one(folder: Path) -> None:
    (folder / "b.py").write_text("x = 1\n", encoding="utf-8")
    async with tools_in(folder) as (ok, refused):
        text = await ok("list_directory", path="b.py")
        assert text == "b.py is a file (6 bytes): use read_file to see what is in it."
        assert "not a folder" in await refused("list_directory", path="b.py/c")


async def test_a_text_that_names_files_of_the_workspace_says_so(folder: Path) -> None:
    (folder / "etc").mkdir()
    (folder / "etc/app.key").write_text("K-1", encoding="utf-8")
    (folder / "README").write_text("The key is in etc/app.key.\n", encoding="utf-8")
    (folder / "main.py").write_text("import tables\nimport os\n", encoding="utf-8")
    (folder / "tables.py").write_text("from main import x\n" * 40, encoding="utf-8")
    async with tools_in(folder) as (ok, _):
        pointer = "[It names a file here, etc/app.key, which begins: K-1]"
        assert await ok("read_file", path="README") == f"The key is in etc/app.key.\n\n{pointer}"
        assert "[It names a file here, tables.py, which begins: from main" in await ok("read_file", path="main.py")
        assert "names" not in await ok("read_file", path="tables.py"), "a word of a long text is no file's name"
        assert await ok("search_text", text="key is") == f"README:1: The key is in etc/app.key.\n{pointer}"


@pytest.mark.parametrize("odd", ["~backup", "-x", "a\\b"])
async def test_a_text_that_names_a_file_of_an_odd_folder_is_shown(folder: Path, odd: str) -> None:
    (folder / odd).mkdir()
    (folder / odd / "config.yaml").write_text("port: 80\n", encoding="utf-8")
    (folder / "README.md").write_text("Settings are in config.yaml.\n", encoding="utf-8")
    async with tools_in(folder) as (ok, _):
        assert "begins: port: 80" in await ok("read_file", path="README.md")


async def test_a_huge_folder_is_listed_in_part(folder: Path) -> None:
    for number in range(3_000):
        (folder / f"file{number:05}").touch()
    async with tools_in(folder) as (ok, _):
        text = await ok("list_directory")
    assert text.startswith("[the first ") and " of 3000 entries;" in text and len(text) < 6_200


async def test_what_is_written_is_what_is_read(folder: Path) -> None:
    async with tools_in(folder) as (ok, _):
        assert await ok("write_file", path="a/b/c.py", content="x = 'ü'\n\n") == "Created a/b/c.py (2 lines)."
        assert await ok("read_file", path="a/b/c.py") == "x = 'ü'\n\n"
        assert (await ok("write_file", path="a/b/c.py", content="")).startswith("Replaced")
        assert await ok("read_file", path="a/b/c.py") == "(empty file)"
    assert [file.name for file in (folder / "a/b").iterdir()] == ["c.py"]


async def test_what_a_much_shorter_text_replaced_is_told(folder: Path) -> None:
    menu = "tea: 2.50\nlatte: 3.60\nscone: 2.00\n"
    async with tools_in(folder) as (ok, _):
        await ok("write_file", path="menu.md", content=menu)
        assert "latte: 3.60" not in await ok("write_file", path="menu.md", content=menu.replace("3.60", "3.80"))
        text = await ok("write_file", path="menu.md", content="latte: 3.80")
    assert text.startswith("Replaced menu.md (1 line).") and text.endswith("scone: 2.00")


async def test_a_line_behind_the_end_of_a_short_file_brings_all_of_it(folder: Path) -> None:
    (folder / "teams.csv").write_text("Dana,Otter\nLiu,Lynx\n")
    async with tools_in(folder) as (ok, _):
        text = await ok("read_file", path="teams.csv", start_line=5)
    assert text == "[all 2 lines; there is no line 5]\nDana,Otter\nLiu,Lynx\n"


async def test_reading_on_as_told_gives_the_whole_file(folder: Path) -> None:
    lines = [f"{number} {'ä' * (number % 50)}" for number in range(1, 2_001)]
    (folder / "long.txt").write_text("\n".join(lines), encoding="utf-8")
    seen, start = list[str](), 1
    async with tools_in(folder) as (ok, _):
        for _step in range(50):
            header, _, text = (await ok("read_file", path="long.txt", start_line=start)).partition("\n")
            assert len(text) <= 6_000
            seen += text.split("\n")
            if "read on" not in header:
                break
            start = int(header.partition("start_line=")[2].rstrip("]"))
    assert seen == lines


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (2, 2, "[lines 2-2 of 4; read on with start_line=3]\nb"),
        (3, None, "[lines 3-4 of 4]\nc\nd\n"),
        (1, 99, "a\nb\nc\nd\n"),
        ("2", 3.0, "[lines 2-3 of 4; read on with start_line=4]\nb\nc"),
    ],
)
async def test_line_ranges(folder: Path, first: object, last: object, expected: str) -> None:
    (folder / "f").write_bytes(b"a\r\nb\r\nc\r\nd\r\n")
    async with tools_in(folder) as (ok, _):
        assert await ok("read_file", path="f", start_line=first, end_line=last) == expected


@pytest.mark.parametrize(("first", "last"), [(0, None), (-1, None), (3, 2), (1, -5), (31, None), (10**9, None)])
async def test_impossible_line_ranges_are_refused(folder: Path, first: int, last: int | None) -> None:
    (folder / "f").write_bytes(b"a\n" * 30)
    async with tools_in(folder) as (_, refused):
        assert "line" in await refused("read_file", path="f", start_line=first, end_line=last)


async def test_large_and_odd_files_neither_hang_nor_flood(folder: Path) -> None:
    with (folder / "sparse").open("wb") as stream:
        stream.truncate(3_000_000_000)
    with (folder / "sparse.txt").open("wb") as stream:
        stream.write(b"text\n" * 2_000)
        stream.truncate(3_000_000_000)
    (folder / "line.txt").write_bytes(b"x" * 30_000_000)
    (folder / "binary").write_bytes(bytes(range(256)))
    async with tools_in(folder) as (ok, refused):
        assert "binary" in await refused("read_file", path="sparse")
        assert "binary" in await refused("read_file", path="binary")
        assert "of more than" in (await ok("read_file", path="sparse.txt")).partition("\n")[0]
        assert "too far" in await refused("read_file", path="sparse.txt", start_line=900_000)
        text = await ok("read_file", path="line.txt")
        assert text.startswith("[line 1 of 1, cut") and len(text) < 6_200
        assert "too large" in await refused("edit_file", path="line.txt", old="a", new="b")


async def test_a_missing_file_names_what_is_near(folder: Path) -> None:
    (folder / "src").mkdir()
    (folder / "src/server.py").touch()
    async with tools_in(folder) as (_, refused):
        assert "Did you mean src/server.py?" in await refused("read_file", path="server.py")
        assert "similar name: src/server.py." in await refused("read_file", path="src/sever.py")
        assert "list_directory" in await refused("read_file", path="src")
        assert "whose path is '.', has: src/." in await refused("read_file", path="zzz")


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_an_edit_keeps_encoding_line_ends_and_rights(folder: Path, encoding: str) -> None:
    file = folder / "f.txt"
    mark = "\ufeff" if encoding == "utf-16-le" else ""
    file.write_bytes(f"{mark}één\r\ntwo\r\nthree\r\n".encode(encoding))
    file.chmod(0o751)
    async with tools_in(folder) as (ok, _):
        shown = await ok("read_file", path="f.txt")
        assert shown == "één\ntwo\nthree\n"
        assert await ok("edit_file", path="f.txt", old="één\ntwo", new="één\nzwei\nmore") == "Edited f.txt at line 1."
    assert file.read_bytes() == f"{mark}één\r\nzwei\r\nmore\r\nthree\r\n".encode(encoding)
    assert stat.S_IMODE(file.stat().st_mode) == 0o751


async def test_an_edit_leaves_the_bytes_that_are_no_text_as_they_are(folder: Path) -> None:
    (folder / "a.txt").write_bytes("Grüße\nname: x\nbad ".encode() + b"\xff byte\n")
    async with tools_in(folder) as (ok, _):
        assert (await ok("read_file", path="a.txt")).startswith("Grüße\n")
        await ok("edit_file", path="a.txt", old="name: x", new="name: Zoë")
    assert (folder / "a.txt").read_bytes() == "Grüße\nname: Zoë\nbad ".encode() + b"\xff byte\n"


async def test_the_last_letter_of_a_file_is_shown_in_any_encoding(folder: Path) -> None:
    (folder / "a.txt").write_bytes("Straße nach Café".encode("latin-1"))
    async with tools_in(folder) as (ok, _):
        assert await ok("read_file", path="a.txt") == "Straße nach Café"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("", "", "same"),
        ("alpha", "alpha", "same"),
        ("beta", "x", "2 times (lines 2, 4)"),
        ("aa", "x", "2 times"),
        ("  alfa(1)", "x", "nearest is line 1"),
        ("nothing like it", "x", "copy the text exactly"),
    ],
)
async def test_an_edit_that_is_not_clear_says_why(folder: Path, old: str, new: str, words: str) -> None:
    text = "alpha(1)\nbeta\naaa\nbeta\n" + "z\n" * 600
    (folder / "f").write_text(text, encoding="utf-8")
    async with tools_in(folder) as (_, refused):
        assert words in await refused("edit_file", path="f", old=old, new=new)
    assert (folder / "f").read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("before", "after"),
    [("", "new\n"), ("a\n", "a\nnew\n"), ("a", "a\nnew\n"), ("a\r\nb\r\n", "a\r\nb\r\nnew\r\n")],
)
async def test_an_edit_without_old_adds_a_line_at_the_end(folder: Path, before: str, after: str) -> None:
    (folder / "f").write_bytes(before.encode())
    async with tools_in(folder) as (ok, _):
        last = after.count("\n")
        assert await ok("edit_file", path="f", old="", new="new") == f"Edited f at line {last}."
    assert (folder / "f").read_bytes() == after.encode()


async def test_a_wrong_edit_shows_the_one_place_that_has_other_spaces(folder: Path) -> None:
    (folder / "f").write_text("def f(a, b=3):\n    return a\n" + "x\n" * 600, encoding="utf-8")
    async with tools_in(folder) as (_, refused):
        assert (await refused("edit_file", path="f", old="b = 3", new="b = 5")).endswith("again with old: b=3")


@pytest.mark.parametrize("old", ["limit: 5", "limit: 4"])
async def test_a_wrong_edit_of_a_short_file_shows_it(folder: Path, old: str) -> None:
    (folder / "f").write_text("# Limits\nlimit = 4\n", encoding="utf-8")
    async with tools_in(folder) as (_, refused):
        said = await refused("edit_file", path="f", old=old, new="limit: 5")
    assert "Nothing was changed yet. f holds:\n# Limits\nlimit = 4\nCall edit_file again" in said


async def test_an_edit_that_the_encoding_can_not_hold_is_refused(folder: Path) -> None:
    (folder / "f").write_bytes(b"caf\xe9\n")
    async with tools_in(folder) as (ok, refused):
        assert "latin-1" in await refused("edit_file", path="f", old="café", new="日本")
        await ok("edit_file", path="f", old="café", new="thé")
    assert (folder / "f").read_bytes() == b"th\xe9\n"


async def test_only_files_are_written(folder: Path) -> None:
    (folder / "d").mkdir()
    os.mkfifo(folder / "fifo")
    (folder / "locked").touch(mode=0o444)
    async with tools_in(folder) as (_, refused):
        for path in ("d", ".", "new/", "fifo", "locked", "fifo/x"):
            await refused("write_file", path=path, content="x")
        assert "5.0 MB" in await refused("write_file", path="f", content="x" * 10_000_000)
    assert sorted(file.name for file in folder.iterdir()) == ["d", "fifo", "locked"]
