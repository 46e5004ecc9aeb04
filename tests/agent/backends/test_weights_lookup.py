"""Names and paths of models, the user's index settings, and members of archives cut anywhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.backends.weights_index import DEFAULT_INDEX, index_urls
from agent.backends.weights_model import LocalFile, resolve
from agent.backends.weights_zip import BadZip, MemberStream
from agent.errors import UsageError
from tests.agent.backends.loopback import CONTENT, PART_SIZE, wheel


def test_no_name_means_the_default_model() -> None:
    assert resolve(None).name == "qwen2.5-coder-1.5b"


def test_a_path_to_a_gguf_file_is_a_model(tmp_path: Path) -> None:
    file = tmp_path / "mine.gguf"
    file.write_bytes(b"GGUF....")
    assert resolve(str(file)) == LocalFile("mine", file)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no embedded model 'llama'") as caught:
        resolve("llama")
    assert "qwen2.5-coder-0.5b" in caught.value.hint
    assert "path" in caught.value.hint


@pytest.mark.parametrize(("name", "problem"), [("none.gguf", "does not exist"), ("dir", "not a regular file")])
def test_a_path_that_is_no_file_is_refused(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / "dir").mkdir()
    with pytest.raises(UsageError, match=problem):
        resolve(str(tmp_path / name))


def test_a_file_that_is_not_gguf_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"<html>")
    with pytest.raises(UsageError, match="is not a GGUF file"):
        resolve(str(file))


def environment(tmp_path: Path, config: str = "", **variables: str) -> dict[str, str]:
    file = tmp_path / "pip.conf"
    file.write_text(config)
    return {"PIP_CONFIG_FILE": str(file), "XDG_CONFIG_HOME": str(tmp_path), **variables}


def test_pip_s_file_names_the_index(tmp_path: Path) -> None:
    config = (
        "[global]\nindex-url = https://inside/simple/\nextra-index-url =\n  file:///opt/simple\n  https://more/simple\n"
    )
    assert index_urls(environment(tmp_path, config)) == ["https://inside/simple", "https://more/simple"]


def test_variables_come_before_pip_s_file(tmp_path: Path) -> None:
    config = "[global]\nindex-url = https://file/simple\n"
    assert index_urls(environment(tmp_path, config, PIP_INDEX_URL="https://pip/simple"))[0] == "https://pip/simple"
    both = environment(tmp_path, config, PIP_INDEX_URL="https://pip/simple", UV_DEFAULT_INDEX="https://uv/simple")
    assert index_urls(both)[0] == "https://uv/simple"


def test_garbage_in_pip_s_file_is_no_reason_to_fail(tmp_path: Path) -> None:
    assert DEFAULT_INDEX.startswith("https://")
    assert index_urls(environment(tmp_path, "index-url without a section"))


def test_without_settings_pypi_is_asked() -> None:
    assert index_urls({"PIP_CONFIG_FILE": os.devnull}) == [DEFAULT_INDEX]


def is_data(name: str) -> bool:
    return name.endswith(".bin")


@pytest.mark.parametrize("size", [1, 7, 4096, 1 << 20])
def test_a_member_comes_out_whole_however_its_archive_is_cut(size: int) -> None:
    archive = wheel(1, CONTENT[:20_000])
    stream = MemberStream(is_data)
    out = b"".join(stream.feed(archive[start : start + size]) for start in range(0, len(archive), size))
    assert out == CONTENT[:20_000]
    assert stream.done


def test_an_archive_without_the_member_is_refused() -> None:
    with pytest.raises(BadZip, match="not in it"):
        MemberStream(lambda name: name == "other").feed(wheel(4))


def test_bytes_that_are_no_archive_are_refused() -> None:
    with pytest.raises(BadZip):
        MemberStream(is_data).feed(b"<html>" * 100)


def test_a_damaged_member_is_refused() -> None:
    archive = bytearray(wheel(1, bytes(PART_SIZE)))
    data = archive.index(b".bin") + len(b".bin")
    archive[data + 10 : data + 50] = b"\xff" * 40
    with pytest.raises(BadZip):
        MemberStream(is_data).feed(bytes(archive))
