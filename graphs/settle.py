"""The entry node: settles what an earlier turn left open."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from langchain_core.messages import HumanMessage, RemoveMessage, SystemMessage, ToolCall, ToolMessage
from langgraph.config import get_config
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.graph.state import CompiledStateGraph

from graphs.nodes import Node, Update
from graphs.state import ThreadState, call_result, last_reply, open_calls

Opening = Callable[[], str]
"""Gives the text that a thread begins with: what the model should know before the first message."""

Results = dict[str | None, ToolMessage]
"""Results of tool calls by the call's id."""

_LATEST = 4
"""How far back the broken-off step can be: the checkpoints of the new input come after it."""
_OF_NODE = {"checkpoint_ns", "checkpoint_id", "checkpoint_map"}


def settle_node(
    may_rerun: Callable[[ToolCall], bool], opening: Opening | None, kept: Callable[[], Awaitable[Results]]
) -> Node:
    """Return the entry node: it resets the turn's counters and settles the calls that an earlier turn left open.

    Before a new user message every open call gets the result that `kept` has for it, or else "interrupted"; when a
    thread goes on without one, calls that `may_rerun` stay open, to be run again. A new thread begins with the system
    message that `opening` gives.
    """

    async def settle(state: ThreadState) -> Update:
        messages = state["messages"]
        fresh: Update = {"model_calls": 0, "stop_reason": None}
        if opening and all(isinstance(message, HumanMessage) for message in messages):
            whole: list[Any] = [SystemMessage(await asyncio.to_thread(opening)), *messages]
            return {**fresh, "messages": [RemoveMessage(REMOVE_ALL_MESSAGES), *whole]}
        waiting = open_calls(messages)
        done = await kept() if waiting else {}
        newer = bool(messages) and isinstance(messages[-1], HumanMessage)
        lost = {call["id"]: interrupted(call) for call in waiting if newer or not may_rerun(call)}
        results = [(lost | done)[call["id"]] for call in waiting if call["id"] in lost | done]
        if not results:
            return fresh
        reply = last_reply(messages)
        place = 1 + max(i for i, m in enumerate(messages) if m is reply or isinstance(m, ToolMessage))
        whole = [*messages[:place], *results, *messages[place:]]
        return {**fresh, "messages": [RemoveMessage(REMOVE_ALL_MESSAGES), *whole]}

    return settle


def interrupted(call: ToolCall) -> ToolMessage:
    """Return the result of a call that was under way when its turn was cancelled or its process died."""
    text = f"{call['name']} was interrupted; whether it took effect is unknown. Check before calling it again."
    return call_result(call, text, "interrupted")


async def kept_results(graph: CompiledStateGraph[Any, Any, Any, Any]) -> Results:
    """Return, from within a node of `graph`, what the thread's latest step of tools had finished.

    LangGraph keeps finished results of a cancelled step as pending writes, which the next input drops.
    """
    config = get_config()["configurable"]
    own = {key: value for key, value in config.items() if key not in _OF_NODE}
    try:
        async for state in graph.aget_state_history({"configurable": own}, limit=_LATEST):
            if "tools" in state.next:
                messages = [message for task in state.tasks for message in (task.result or {}).get("messages", [])]
                return {message.tool_call_id: message for message in messages}
    except ValueError:  # the thread is kept nowhere
        pass
    return {}
