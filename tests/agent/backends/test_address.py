import pytest

from agent.backends.address import is_loopback, public, server_url
from agent.errors import UsageError


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://localhost:8000/v1", "http://localhost:8000/v1"),
        ("http://localhost:8000/v1/", "http://localhost:8000/v1"),
        ("https://models.example", "https://models.example"),
        ("remote-server", "http://remote-server:11434"),
        ("10.0.0.7:9000", "http://10.0.0.7:9000"),
        (":9000", "http://127.0.0.1:9000"),
        ("0.0.0.0:9000", "http://127.0.0.1:9000"),
        ("http://[::]:9000", "http://[::1]:9000"),
        ("http://[::1]:9000", "http://[::1]:9000"),
        ("http://me:secret@box:1", "http://me:secret@box:1"),
    ],
)
def test_an_address_is_taken_as_people_write_it(text: str, url: str) -> None:
    assert server_url(text, 11434, "--ollama-url") == url


@pytest.mark.parametrize("text", ["http://", "ftp://box", "http://box:port", "http://my box:1", "http://[::1"])
def test_what_is_no_address_is_refused_with_the_option_and_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"--ollama-url: .* is no address") as caught:
        server_url(text, 11434, "--ollama-url")
    assert "http://localhost:11434" in caught.value.hint


def test_loopback_is_this_machine_alone() -> None:
    assert all(map(is_loopback, ["http://localhost:1/v1", "127.0.0.1:1", "http://[::1]:1", "localhost"]))
    assert not any(map(is_loopback, ["http://127.example.org", "http://0.0.0.0:1", "10.0.0.1", "http://[", ""]))


def test_a_message_shows_no_password() -> None:
    assert public("http://me:secret@box:1/v1") == "http://box:1/v1"
