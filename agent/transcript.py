"""Messages as the debug log shows them."""

import json
from collections.abc import Sequence

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.tools import BaseTool

_ROLES = {"human": "user", "ai": "assistant"}


class Transcript:
    """What a model is sent: the tools that are bound to it, and each message; written only if the log is read."""

    def __init__(self, messages: Sequence[BaseMessage], tools: Sequence[BaseTool] = ()) -> None:
        self._messages = messages
        self._tools = tools

    def __str__(self) -> str:
        schemas = [f"{tool.name}: {tool.description} {json.dumps(tool.args)}" for tool in self._tools]
        return "\n".join([*(["--- tools", *schemas] if schemas else []), *map(_shown, self._messages)])


def _shown(message: BaseMessage) -> str:
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    written = [f"calls {call['name']} {json.dumps(call['args'], ensure_ascii=False)}" for call in calls]
    return "\n".join([f"--- {_ROLES.get(message.type, message.type)}", *filter(None, [message.text]), *written])
