"""The nodes of the state machine; `graphs.builder` wires them."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    InvalidToolCall,
    ToolCall,
    ToolMessage,
)
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langgraph.types import interrupt

from agent.context import cut_text, shorten_observations
from agent.errors import ContextOverflow, ToolCallUnreadable, map_model_error
from agent.react.model import REACT_ERROR, ReActChatModel, is_cut, tool_spec
from agent.react.recover import RECOVERED
from agent.react.ways_out import Offer, offer
from agent.transcript import Transcript
from graphs.guesses import guesses_as_looks, looks_first
from graphs.history import failures_in_a_row, held_to
from graphs.state import CallTask, ThreadState, call_result, last_reply, open_calls, with_calls, with_own_ids

MAX_FAILURES = 3
"""Replies in a row that could not be used, after which a turn ends: the first try and two retries, each told more."""

MAX_RECOVERIES = 2
"""Calls that a native model wrote as text after which its thread goes on in ReAct."""

Update = dict[str, Any]

_NATIVE_FORM = "Call the tool again, with its arguments as one JSON object."


class Node(Protocol):
    """A node over the whole thread."""

    def __call__(self, state: ThreadState) -> Awaitable[Update]:
        """Return what changes in the thread."""
        ...


class CallNode(Protocol):
    """A node over one tool call."""

    def __call__(self, state: CallTask) -> Awaitable[Update]:
        """Return what changes in the thread."""
        ...


_log = logging.getLogger(__name__)


def model_node(
    model: BaseChatModel, tools: Sequence[BaseTool], *, name: str, max_steps: int, other: BaseChatModel | None = None
) -> Node:
    """Return the node that asks `model` for the next step. `name` is the server's, for error sentences.

    `other` is asked once where the server cannot read a call that its own model wrote.
    """
    bound = model.bind_tools(list(tools)) if tools else model
    offers = {tool.name: _offer(tool) for tool in tools}
    logs_itself = isinstance(model, ReActChatModel)

    async def send(asked: Runnable[LanguageModelInput, AIMessage], messages: Sequence[BaseMessage]) -> AIMessage:
        if not logs_itself:
            _log.debug("sent to the model:\n%s", Transcript(messages, tools))
        return await asked.ainvoke(messages)

    async def ask(thread: list[AnyMessage]) -> AIMessage:
        messages = guesses_as_looks(thread) if logs_itself else thread
        held = held_to(messages, offers)
        # Only ReAct under a constraint can be held to a call; a native server may take such a choice for an error.
        choice: dict[str, Any] = {"tool_choice": held} if held == "none" or (held and logs_itself) else {}
        asked = bound.bind(**choice) if choice else bound
        try:
            try:
                reply = await send(asked, messages)
            except Exception as error:
                mapped = map_model_error(error, name)
                if isinstance(mapped, ToolCallUnreadable) and other:
                    return await other.bind_tools(list(tools), **choice).ainvoke(messages)
                shorter = shorten_observations(messages)
                if not isinstance(mapped, ContextOverflow) or shorter == messages:
                    raise mapped from error
                reply = await send(asked, shorter)
        except Exception as error:
            raise map_model_error(error, name) from error
        if not isinstance(reply, AIMessage):
            raise TypeError(f"chat model returned {type(reply).__name__}")
        return looks_first(reply, thread, offers.keys() if logs_itself else set())

    async def node(state: ThreadState) -> Update:
        calls, failures = state.get("model_calls", 0), failures_in_a_row(state["messages"])
        if ended := _ended(state, failures, max_steps):
            return ended
        reply = with_own_ids(_without_cut_calls(await ask(state["messages"])), state["messages"])
        update: Update = {"messages": [reply], "model_calls": calls + 1}
        update |= _changed_protocol(state["messages"], reply)
        if not reply.invalid_tool_calls:
            return update if reply.tool_calls else {**update, "stop_reason": "answered"}
        form = model.form.reminder if isinstance(model, ReActChatModel) else _NATIVE_FORM
        update["messages"] += [_correction(bad, f" {form}" if failures else "") for bad in reply.invalid_tool_calls]
        last = failures + 1 >= MAX_FAILURES and not reply.tool_calls
        return {**update, "stop_reason": "format_errors"} if last else update

    return node


def _offer(tool: BaseTool) -> Offer:
    return offer(tool_spec(tool)["function"], str((tool.metadata or {}).get("server")))


def _ended(state: ThreadState, failures: int, max_steps: int) -> Update | None:
    """Return how a turn ends that has used up its failures or its steps."""
    calls = state.get("model_calls", 0)
    if failures >= MAX_FAILURES:
        return {"stop_reason": "format_errors"}
    if calls >= max_steps:
        return {"messages": [_partial_answer(state["messages"], calls)], "stop_reason": "step_limit"}
    return None


def _changed_protocol(messages: Sequence[BaseMessage], reply: AIMessage) -> Update:
    recovered = [message for message in (*messages, reply) if message.additional_kwargs.get(RECOVERED)]
    return {"protocol": "react"} if len(recovered) >= MAX_RECOVERIES and recovered[-1] is reply else {}


def _partial_answer(messages: Sequence[BaseMessage], calls: int) -> AIMessage:
    results = [message.text for message in messages if isinstance(message, ToolMessage)]
    last = f" The last result was:\n{cut_text(results[-1], 1000)}" if results else ""
    return AIMessage(f"I stopped after {calls} model calls, the limit of a turn, before I was done.{last}")


def _without_cut_calls(reply: AIMessage) -> AIMessage:
    """Return `reply` with every call made invalid if the token limit cut it off, and with each invalid call's error."""
    why = str(reply.additional_kwargs.get(REACT_ERROR) or "The call could not be read.")
    bad = [InvalidToolCall(**{**call, "error": call["error"] or why}) for call in reply.invalid_tool_calls]
    good = list(reply.tool_calls)
    if is_cut(reply.response_metadata):
        cut = "Your reply was cut off at the token limit, so nothing was run. Reply again, much shorter."
        names = [(call["name"], call["id"]) for call in (*good, *bad)] or [("", f"call_{reply.id}")]
        good, bad = [], [_invalid(name, identity, cut) for name, identity in names]
    return reply.model_copy(update={"tool_calls": good, "invalid_tool_calls": bad})


def _invalid(name: str | None, identity: str | None, error: str) -> InvalidToolCall:
    return InvalidToolCall(name=name, args="", id=identity, error=error, type="invalid_tool_call")


def _correction(bad: InvalidToolCall, form: str) -> ToolMessage:
    text = f"Error: {bad['error']}{form}"
    details = {"status": "error", "format_error": True}
    return ToolMessage(text, tool_call_id=bad["id"] or "", name=bad["name"] or "", status="error", artifact=details)


def approve_node(needs_yes: Callable[[ToolCall], bool]) -> Node:
    """Return the node that asks for a yes for each open call that `needs_yes`, and applies the answers.

    It interrupts with `{"calls": [{"id", "name", "args"}]}` and is resumed with `{call id: {"decision": "approve" |
    "deny" | "edit", "reason": str, "args": {...}}}`; a call without an answer is denied. After an answer of another
    form it interrupts again, with what was wrong as `error`.
    """

    async def approve(state: ThreadState) -> Update:
        waiting = open_calls(state["messages"])
        asked = [call for call in waiting if needs_yes(call)]
        shown = [{"id": call["id"], "name": call["name"], "args": call["args"]} for call in asked]
        answers = interrupt({"calls": shown})
        # The node runs anew with the answers: a yes may have been for all later calls too, this one among them.
        while not _usable(answers, {call["id"] for call in waiting}):
            answers = interrupt({"calls": shown, "error": _ANSWER_FORM})
        no, yes = {"decision": "deny"}, {"decision": "approve"}
        chosen = {call["id"]: answers.get(call["id"] or "", no if call in asked else yes) for call in waiting}
        denied = [
            denial(c, chosen[c["id"]].get("reason", "")) for c in waiting if chosen[c["id"]]["decision"] == "deny"
        ]
        edits = {key: answer["args"] for key, answer in chosen.items() if answer["decision"] == "edit"}
        reply = last_reply(state["messages"])
        return {"messages": [*([_edited(reply, edits)] if reply and edits else []), *denied]}

    return approve


_ANSWER_FORM = (
    "The answer was not understood and nothing was run. Resume with a JSON object that has, for each call's id, "
    '{"decision": "approve"}, {"decision": "deny", "reason": "..."} or {"decision": "edit", "args": {...}}.'
)


def _usable(answers: Any, asked: set[str | None]) -> bool:
    """Tell whether an answer is in the form that `approve_node` asks for: any client of a server can send one."""
    return isinstance(answers, Mapping) and all(
        key in asked
        and isinstance(answer, Mapping)
        and (answer.get("decision") in ("approve", "deny") or _is_edit(answer))
        for key, answer in answers.items()
    )


def _is_edit(answer: Mapping[str, Any]) -> bool:
    return answer.get("decision") == "edit" and isinstance(answer.get("args"), Mapping)


def denial(call: ToolCall, reason: str = "") -> ToolMessage:
    """Return the result of a call to which a person said no."""
    why = f": {reason}" if reason else "."
    return call_result(call, f"The user did not allow {call['name']}{why}", "denied")


def _edited(reply: AIMessage, edits: Mapping[str | None, dict[str, Any]]) -> AIMessage:
    calls = [ToolCall(**{**call, "args": edits.get(call["id"], call["args"])}) for call in reply.tool_calls]
    return with_calls(reply, calls)
