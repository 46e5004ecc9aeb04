"""Wires the state machine: settle, a model node per protocol, approve, tools."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import ToolCall
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Send

from agent.context import observation_chars
from agent.policy import changes, is_done_once, is_steady
from graphs.history import call_tasks
from graphs.nodes import approve_node, model_node
from graphs.settle import Opening, kept_results, settle_node
from graphs.state import Protocol, ThreadState, open_calls
from graphs.tool_node import tools_node

Graph = CompiledStateGraph[ThreadState, None, ThreadState, ThreadState]

_NODES: dict[Protocol, Literal["llm", "react"]] = {"native": "llm", "react": "react"}


@dataclass(frozen=True, slots=True)
class Models:
    """The two chat models of a graph; both are always there, so that a thread can change its protocol."""

    native: BaseChatModel
    """Speaks tool calls itself."""
    react: BaseChatModel
    """Speaks ReAct: a `ReActChatModel`."""
    protocol: Protocol
    """Which one a thread begins with."""
    server: str = "model"
    """The model server's name, for error sentences."""
    window: int = 8192
    """The served window in tokens."""


def build_graph(
    models: Models,
    tools: Sequence[BaseTool],
    *,
    needs_yes: Callable[[ToolCall], bool] = lambda call: False,
    may_rerun: Callable[[ToolCall], bool] = lambda call: False,
    opening: Opening | None = None,
    max_steps: int = 25,
    checkpointer: BaseCheckpointSaver[Any] | None = None,
) -> Graph:
    """Return the compiled state machine over `models` and `tools`.

    `needs_yes` says which calls wait for a person, `may_rerun` which calls may run a second time after a crash;
    `opening` gives what a thread begins with; `max_steps` is the limit of model calls in a turn. Approvals and
    whatever outlives a call need a `checkpointer`.
    """

    hints = {tool.name: tool.metadata or {} for tool in tools}
    steady = {name for name, known in hints.items() if is_steady(known)}
    changing = {name for name, known in hints.items() if changes(name, known)}
    once = {name for name, known in hints.items() if is_done_once(name, known)}

    def is_unasked(call: ToolCall) -> bool:
        return call["name"] in once and not needs_yes(call)

    def model_of(state: ThreadState) -> Literal["llm", "react"]:
        return _NODES[state.get("protocol", models.protocol)]

    def dispatch(state: ThreadState) -> Literal["llm", "react"] | list[Send]:
        """Send every open call to a task of its own; with none open, go back to the model."""
        tasks = call_tasks(state["messages"], steady, changing, is_unasked)
        return [Send("tools", task) for task in tasks] or model_of(state)

    def approve_first(state: ThreadState) -> Literal["llm", "react", "approve"] | list[Send]:
        return "approve" if any(needs_yes(call) for call in open_calls(state["messages"])) else dispatch(state)

    def after_model(state: ThreadState) -> Literal["llm", "react", "approve", "__end__"] | list[Send]:
        return "__end__" if state.get("stop_reason") else approve_first(state)

    graph: StateGraph[ThreadState, None, ThreadState, ThreadState] = StateGraph(ThreadState)
    graph.add_node("settle", settle_node(may_rerun, opening, lambda: kept_results(compiled)))
    for name, model, other in (("llm", models.native, models.react), ("react", models.react, None)):
        graph.add_node(name, model_node(model, tools, name=models.server, max_steps=max_steps, other=other))
    graph.add_node("approve", approve_node(needs_yes))
    graph.add_node("tools", tools_node(tools, max_chars=observation_chars(models.window)))
    graph.add_edge(START, "settle")
    graph.add_conditional_edges("settle", approve_first, ["llm", "react", "approve", "tools"])
    for name in ("llm", "react"):
        graph.add_conditional_edges(name, after_model, ["llm", "react", "approve", "tools", END])
    graph.add_conditional_edges("approve", dispatch, ["llm", "react", "tools"])
    graph.add_conditional_edges("tools", model_of, ["llm", "react"])
    compiled = graph.compile(checkpointer=checkpointer)
    return compiled.with_config(recursion_limit=4 * max_steps + 10)
