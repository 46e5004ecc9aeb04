"""Values that a small model copies from the worked examples into a call of its own."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

from agent.react.examples import worked_examples
from agent.react.form import Form
from agent.react.step import Call
from agent.react.told import words_of


def without_copied(step: Call, messages: Sequence[BaseMessage], tools: Sequence[Mapping[str, Any]], form: Form) -> Call:
    """Return `step` without the optional arguments whose words stand in the worked examples, and else nowhere.

    Neither the thread `messages` nor the `tools` (OpenAI function specs) tell of them: a post that mentions Anna Berg,
    whom only an example knows. What was left out stands in `repairs`.
    """
    called = next((tool for tool in tools if tool["name"] == step.name), {})
    required = (called.get("parameters") or {}).get("required") or ()
    optional = {name: words_of(json.dumps(value)) for name, value in step.args.items() if name not in required}
    if not any(optional.values()):
        return step
    shown = words_of("\n".join(text for _, text in worked_examples({tool["name"] for tool in tools}, form)))
    known = words_of("\n".join([json.dumps(list(tools)), *map(_text, messages)]))
    copied = [name for name, words in optional.items() if words and words <= shown - known]
    if not copied:
        return step
    args = {name: value for name, value in step.args.items() if name not in copied}
    return replace(step, args=args, repairs=(*step.repairs, f"left out {', '.join(copied)}, copied from an example"))


def _text(message: BaseMessage) -> str:
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    return "\n".join([message.text, *(json.dumps(call["args"]) for call in calls)])
