"""LangChain's own standard tests of a chat model, on `ReActChatModel` around a scripted model.

Two of them skip themselves: nothing is read from the environment, and a model around another one is not serialised.
"""

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_tests.unit_tests import ChatModelUnitTests

from agent.react.model import ReActChatModel
from tests.fakes import ScriptedModel


class NamedModel(ScriptedModel):
    model: str = "scripted"


class TestReActChatModelUnit(ChatModelUnitTests):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ReActChatModel

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"inner": NamedModel()}

    @property
    def has_tool_choice(self) -> bool:
        return False  # only "none" is obeyed: to force a call is not in the protocol

    @property
    def has_structured_output(self) -> bool:
        return False  # it rests on a forced call
