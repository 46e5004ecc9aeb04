"""LangChain's own standard tests of a chat model, on `ReActChatModel` around a scripted and around the embedded model.

What skips itself: nothing is read from the environment, a model around another one is not serialised, the name of the
model is the server's affair, Anthropic's form and media are not in the protocol, and no traffic is recorded.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests
from pydantic import SecretStr

from agent.backends.embedded_process import ServerOptions
from agent.backends.embedded_server import Address, EmbeddedServer
from agent.backends.weights_model import KNOWN
from agent.react.model import ReActChatModel
from tests.fakes import Say, ScriptedModel

WEIGHTS = KNOWN["qwen2.5-coder-1.5b"].path()


# Each test has an event loop of its own: a connection kept open would outlive its loop, which warns of a leak.
_NONE_KEPT = httpx.Limits(max_keepalive_connections=0)


class NamedModel(ScriptedModel):
    model: str = "scripted"


class ObligingModel(ScriptedModel):
    """Does what the standard tests ask for, whatever stands around it in the prompt."""

    protocol: str = "react"

    def _next(self, messages: list[BaseMessage], options: dict[str, Any]) -> Say:
        asked = messages[-1].text
        allowed = options["extra_body"]["grammar"]
        calls = [call for words, call in _WANTED if words in asked and f"Action: {call[0]}\\n" in allowed]
        return Say(calls=calls[:1]) if calls and "Observation:" not in asked else Say("Hello.")


_JOKE = {"setup": "Why do cats win?", "punchline": "They have nine lives."}
_WANTED: list[tuple[str, tuple[str, dict[str, Any]]]] = [
    ("magic_function(3)", ("magic_function", {"input": 3})),
    ("magic_function_no_args", ("magic_function_no_args", {})),
    ("Pirate", ("greeting_generator", {"answer_style": "pirate"})),
    ("weather", ("get_weather", {"location": "San Francisco, CA"})),
    ("你好", ("unicode_customer", {"customer_name": "你好啊集团", "description": "technology"})),
    ("こんにちは", ("unicode_customer", {"customer_name": "こんにちは株式会社", "description": "a company"})),
    ("Hello", ("get_weather", {"location": "Rome"})),
    ("Hello", ("magic_function", {"input": 3})),
    ("oke about cats", ("Joke", _JOKE)),
    ("me a joke about cats", ("JokeDict", _JOKE)),
]


class ReActStandard:
    """What both suites are told of the model."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ReActChatModel


class TestReActChatModelUnit(ReActStandard, ChatModelUnitTests):
    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"inner": NamedModel(), "constrain": _lark}


class TestAroundAScriptedModel(ReActStandard, ChatModelIntegrationTests):
    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"inner": ObligingModel(), "constrain": _lark}


@pytest.fixture(scope="module")
def embedded() -> Iterator[Address]:
    """Start llama.cpp's server with the default model, and stop it behind the last test."""
    if not WEIGHTS.is_file():
        pytest.skip(f"NOT RUN: the real embedded model is missing, {WEIGHTS}; run a2ia-cli models pull")
    server = EmbeddedServer(ServerOptions(WEIGHTS, "standard", window=4096), 60, lambda _: None)
    yield asyncio.run(server.ensure())
    asyncio.run(server.stop())


@pytest.mark.embedded
@pytest.mark.timeout(240)
class TestAroundTheEmbeddedModel(ReActStandard, ChatModelIntegrationTests):
    server: Address

    @pytest.fixture(autouse=True)
    def address(self, embedded: Address) -> None:
        self.server = embedded

    @property
    def chat_model_params(self) -> dict[str, Any]:
        client = ChatOpenAI(
            base_url=f"{self.server.url}/v1",
            api_key=SecretStr(self.server.key),
            model="standard",
            temperature=0,
            max_completion_tokens=200,
            stream_usage=True,
            http_client=httpx.Client(timeout=120, limits=_NONE_KEPT),
            http_async_client=httpx.AsyncClient(timeout=120, limits=_NONE_KEPT),
        )
        return {"inner": client, "constrain": _lark}


def _lark(grammar: str) -> dict[str, Any]:
    return {"extra_body": {"grammar": grammar}}
