"""Builds a thread on scripted models, for one protocol or the other."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from langchain_core.messages import ToolCall
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver

from agent.backends.base import ConstraintKind
from agent.react.model import ReActChatModel
from agent.react.recover import RecoveringChatModel
from graphs.builder import Graph, Models, build_graph
from graphs.events import Event, Result
from graphs.session import Approve, Session, Speaker
from graphs.state import Protocol
from tests.fakes import Say, ScriptedModel


class JsonSteps(str):
    """The ReAct protocol, its steps written as JSON objects."""


class Thread:
    """A session on a scripted model, with what the tests look at beside it."""

    def __init__(
        self,
        protocol: Protocol,
        script: Sequence[Say],
        tools: Sequence[BaseTool] = (),
        *,
        bare: bool = False,
        needs_yes: Callable[[ToolCall], bool] = lambda call: False,
        may_rerun: Callable[[ToolCall], bool] = lambda call: False,
        approve: Approve | None = None,
        max_steps: int = 25,
        saver: BaseCheckpointSaver[Any] | None = None,
        window: int = 8192,
        thread_id: str = "thread",
    ) -> None:
        """`bare`: the model speaks native calls in either node, for replies of several calls."""
        as_json = isinstance(protocol, JsonSteps)
        written = "json" if as_json else protocol
        self.model = ScriptedModel(script=list(script), protocol="native" if bare else written)
        native = RecoveringChatModel(inner=self.model)
        kind: ConstraintKind = "json_schema" if as_json else "lark"
        held = ReActChatModel(inner=self.model, constrain=lambda text: {"constraint": text}, kind=kind)
        react = self.model if bare else held
        self.graph: Graph = build_graph(
            Models(native, react, protocol, "scripted", window),
            tools,
            needs_yes=needs_yes,
            may_rerun=may_rerun,
            max_steps=max_steps,
            checkpointer=saver or InMemorySaver(),
        )
        speaker = Speaker("scripted", "fake", protocol)
        self.session = Session(self.graph, speaker, tools, approve=approve, may_rerun=may_rerun, thread_id=thread_id)
        self.config: Any = {"configurable": {"thread_id": thread_id}}

    async def messages(self) -> list[Any]:
        """Return the messages of the thread as they are stored."""
        state = await self.graph.aget_state(self.config)
        return list(state.values.get("messages", []))


def assert_prompts_only_grow(thread: Thread) -> None:
    """Check that each prompt that the model was sent begins with the one before."""
    sent = [[(m.type, m.content) for m in asked] for asked in thread.model.asked]
    for earlier, later in pairwise(sent):
        assert later[: len(earlier)] == earlier


async def collect(events: Any) -> tuple[list[Event], Result]:
    """Return all events of a turn, and its result."""
    seen = [event async for event in events]
    assert isinstance(seen[-1], Result)
    return seen, seen[-1]


def tool(name: str, function: Callable[..., Any], **metadata: Any) -> BaseTool:
    """Return an async tool `name` that runs `function`."""
    return StructuredTool.from_function(
        coroutine=function, name=name, description=f"{name} it.", metadata={"server": "test", **metadata}
    )
