"""Values that a small model copies from the worked examples into a call of its own."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

from agent.react.examples import worked_examples
from agent.react.form import Form
from agent.react.reader.step import Call
from agent.react.replies import REACT_COPIED
from agent.react.told import words_of


def without_copied(step: Call, messages: Sequence[BaseMessage], tools: Sequence[Mapping[str, Any]], form: Form) -> Call:
    """Return `step` without the optional arguments whose words stand in the worked examples, and else nowhere.

    Neither the thread `messages` nor the `tools` (OpenAI function specs) tell of them: a post that mentions Anna Berg,
    whom only an example knows. What was left out stands in `repairs`. Required arguments of several such words stand in
    `copied`; a single one, such as a weekday, may well be meant.
    """
    called = next((tool for tool in tools if tool["name"] == step.name), {})
    required = (called.get("parameters") or {}).get("required") or ()
    values = {name: words_of(json.dumps(value)) for name, value in step.args.items()}
    shown = words_of("\n".join(text for _, text in worked_examples({tool["name"] for tool in tools}, form)))
    alike = {name: words for name, words in values.items() if len(words) > (name in required) and words <= shown}
    if not alike:
        return step
    known = words_of("\n".join([json.dumps(list(tools)), *map(_text, messages)]))
    copied = [name for name, words in alike.items() if not words & known]
    step = replace(step, copied=tuple(name for name in copied if name in required))
    needless = [name for name in copied if name not in required]
    if not needless:
        return step
    args = {name: value for name, value in step.args.items() if name not in needless}
    return replace(step, args=args, repairs=(*step.repairs, f"left out {', '.join(needless)}, copied from an example"))


def _text(message: BaseMessage) -> str:
    """Return what a message tells; of the model's own words only calls that copied nothing do."""
    if not isinstance(message, AIMessage):
        return message.text
    calls = [] if message.additional_kwargs.get(REACT_COPIED) else message.tool_calls
    return "\n".join(json.dumps(call["args"]) for call in calls)
