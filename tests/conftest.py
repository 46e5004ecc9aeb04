import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--ollama", metavar="URL", help="have this Ollama server answer the recorded requests anew, where it can"
    )
