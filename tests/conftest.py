import signal

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--ollama", metavar="URL", help="have this Ollama server answer the recorded requests anew, where it can"
    )


def pytest_configure() -> None:
    """Take Ctrl-C: a shell starts background jobs deaf to it, and what the tests start would be deaf as well."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
