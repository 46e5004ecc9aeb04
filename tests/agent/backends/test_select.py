import socket
from contextlib import suppress

import pytest

from agent.backends.base import Progress, TellsOdds
from agent.backends.select import chosen, open_backend
from agent.config import Settings
from agent.errors import A2IAError, UsageError, WeightsUnavailable
from tests.agent.backends.loopback import Loopback
from tests.servers.ollama import Ollama
from tests.servers.vllm import VLLM

ELSEWHERE = "http://10.0.0.9:8000"


async def test_where_no_server_answers_the_embedded_model_is_used(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as busy:
        if busy.connect_ex(("localhost", 8000)) == 0:
            pytest.skip("NOT RUN: something answers at localhost:8000")
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    loopback.faults.missing.add("/")
    told: list[Progress] = []
    backend = open_backend(Settings(), told.append)
    with pytest.raises(WeightsUnavailable):
        await backend.profile()
    await backend.aclose()
    assert backend.name == "embedded"
    assert told[0].text == "Using embedded: neither ollama nor vllm answers"


async def test_nothing_is_contacted_before_the_profile() -> None:
    with Ollama() as server:
        settings = Settings(ollama_url=server.url)
        backend = open_backend(settings, lambda _: None)
        assert not await backend.health()
        await backend.aclose()
        assert server.asked == []


async def test_what_the_first_that_answers_can_do_beyond_the_protocol_is_found() -> None:
    with VLLM() as server:
        backend = open_backend(Settings(vllm_url=f"{server.url}/v1"), lambda _: None)
        await backend.profile()
        found = chosen(backend)
        assert found.name == "vllm" and isinstance(found, TellsOdds) and chosen(found) is found
        await backend.aclose()


async def test_an_address_that_was_given_is_asked_for_a_name_like_a_file_too() -> None:
    with Ollama() as server:
        backend = open_backend(Settings(ollama_url=server.url, model="hf.co/x/Y-GGUF:y.gguf"), lambda _: None)
        with suppress(A2IAError):
            await backend.profile()
        assert backend.name == "ollama" and server.asked
        await backend.aclose()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:9"),
        ("ALL_PROXY", "socks://127.0.0.1:9/"),
        ("NO_PROXY", "localhost,[::1]"),
        ("OPENAI_PROXY", "x"),
    ],
)
async def test_the_shells_proxies_are_of_no_matter_to_a_server_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with Ollama() as ollama, VLLM() as vllm:
        for settings in (Settings(ollama_url=ollama.url), Settings(vllm_url=f"{vllm.url}/v1")):
            backend = open_backend(settings, lambda _: None)
            assert backend.chat_model(await backend.profile())
            await backend.aclose()


@pytest.mark.parametrize("backend", ["ollama", "vllm"])
def test_proxies_that_cannot_be_used_are_named_for_a_server_elsewhere(
    monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1:9/")
    with pytest.raises(UsageError, match="proxies or certificates") as caught:
        open_backend(Settings(backend=backend, ollama_url=ELSEWHERE, vllm_url=ELSEWHERE), lambda _: None)
    assert "ALL_PROXY" in caught.value.hint


def test_a_named_backend_is_opened_and_an_unknown_one_refused() -> None:
    assert open_backend(Settings(backend="vllm"), lambda _: None).name == "vllm"
    with pytest.raises(UsageError, match="There is no backend 'nope'") as caught:
        open_backend(Settings(backend="nope"), lambda _: None)
    assert "embedded, ollama, vllm" in caught.value.hint
