"""A session runs the turns of one thread and yields typed events."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolCall, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.types import Command

from agent.errors import A2IAError
from graphs.builder import Graph
from graphs.events import (
    AnswerDelta,
    ApprovalRequested,
    Event,
    Failure,
    FormatError,
    PendingCall,
    ProtocolChanged,
    Result,
    ThoughtDelta,
    ToolFinished,
    ToolStarted,
    TurnStarted,
    Usage,
)
from graphs.nodes import denial
from graphs.settle import interrupted
from graphs.state import Protocol, open_calls

Decisions = Mapping[str, Mapping[str, Any]]
"""Per call id: `{"decision": "approve" | "deny" | "edit", "reason": str, "args": {...}}`."""
Approve = Callable[[Sequence[PendingCall]], Awaitable[Decisions]]

_NO: Mapping[str, Any] = {"decision": "deny"}
_MODEL_NODES = ("llm", "react")
_CHANGED = (
    "The model writes its tool calls as text; from here on it is driven with ReAct (--react does so from the start)."
)


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who answers in a session: what events and results name."""

    model: str
    backend: str
    protocol: Protocol


@dataclass(frozen=True, slots=True)
class ModelCall:
    """What one model call took, in tokens; None where the server did not say. `seconds` count from its first piece."""

    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    seconds: float


class Session:
    """One thread on one graph. A turn's events end with a `Result`, whatever happens; after a cancel it goes on.

    `approve` answers approvals; without it a call that needs a yes ends the turn as `denied`.
    """

    def __init__(
        self,
        graph: Graph,
        speaker: Speaker,
        tools: Sequence[BaseTool],
        *,
        approve: Approve | None = None,
        may_rerun: Callable[[ToolCall], bool] = lambda call: False,
        thread_id: str | None = None,
    ) -> None:
        self.thread_id = thread_id or str(uuid.uuid4())
        self.latest_call: ModelCall | None = None
        """The model call that ended last."""
        self._first_piece: float | None = None
        self._graph = graph
        self.speaker = speaker
        self._servers = {tool.name: str((tool.metadata or {}).get("server", "")) for tool in tools}
        self._approve = approve
        self._may_rerun = may_rerun
        self._config: RunnableConfig = {"configurable": {"thread_id": self.thread_id}}
        self._calls: dict[str, ToolCall] = {}

    async def run(self, prompt: str) -> AsyncIterator[Event]:
        """Run one turn on `prompt`. A cancel is yielded as a `Result` with stop reason `interrupted`, then raised."""
        await self._settle(rerun=False)
        async for event in self._turn({"messages": [HumanMessage(prompt)]}):
            yield event

    async def resume(self) -> AsyncIterator[Event]:
        """Go on with a turn that was cancelled or whose process died. Ends at once if none is open."""
        await self._settle(rerun=True)
        async for event in self._turn(None):
            yield event

    async def _settle(self, *, rerun: bool) -> None:
        """Write back what a broken-off step had finished, and settle what it had not.

        LangGraph keeps finished results of a cancelled step as pending writes, which the next input drops.
        """
        state = await self._graph.aget_state(self._config)
        if not state.next or "messages" not in state.values:
            return
        finished = [m for task in state.tasks for m in (task.result or {}).get("messages", [])]
        done = {message.tool_call_id for message in finished if isinstance(message, ToolMessage)}
        waiting = [call for call in open_calls(state.values["messages"]) if call["id"] not in done]
        if "approve" in state.next:
            lost = [] if rerun else [denial(call, "the turn ended without an answer") for call in waiting]
        else:
            lost = [interrupted(call) for call in waiting if not (rerun and self._may_rerun(call))]
        if finished or lost:
            node = "settle" if len(lost) < len(waiting) else "tools"
            await self._graph.aupdate_state(self._config, {"messages": [*finished, *lost]}, as_node=node)

    async def _turn(self, given: Any) -> AsyncIterator[Event]:
        speaker = self.speaker
        result = Result(self.thread_id, speaker.model, speaker.backend, speaker.protocol)
        yield TurnStarted(self.thread_id, speaker.model, speaker.backend, speaker.protocol)
        try:
            while True:
                async for event in self._stream(given, result):
                    yield event
                if not result.pending:
                    break
                yield ApprovalRequested(result.pending)
                if self._approve is None:
                    result.stop_reason = "denied"
                    break
                answers = await self._approve(result.pending)
                given = Command(resume={call.id: answers.get(call.id, _NO) for call in result.pending})
                result.pending = []
        except (asyncio.CancelledError, KeyboardInterrupt):
            await asyncio.shield(self._close_interrupted(result))
            yield result
            raise
        except A2IAError as error:
            result.stop_reason = "overflow" if error.stop_reason == "overflow" else "error"
            result.error = Failure(type(error).__name__, error.message, error.hint, error.exit_code)
        yield result

    async def _close_interrupted(self, result: Result) -> None:
        await self._settle(rerun=False)
        state = await self._graph.aget_state(self._config)
        known = {step.id for step in result.steps}
        for message in state.values.get("messages", []):
            if isinstance(message, ToolMessage) and message.tool_call_id in self._calls.keys() - known:
                result.steps.append(self._finished(message))
        result.stop_reason = "interrupted"

    async def _stream(self, given: Any, result: Result) -> AsyncIterator[Event]:
        self._first_piece = None
        stream: AsyncIterator[Any] = self._graph.astream(
            given, self._config, stream_mode=["messages", "updates", "custom"], durability="sync"
        )
        async for mode, data in stream:
            if mode == "messages":
                if isinstance(data[0], AIMessageChunk):
                    self._first_piece = self._first_piece or time.monotonic()
                for event in _deltas(*data):
                    yield event
            elif mode == "custom":
                yield ToolStarted(data["id"], data["tool"], data["server"], data["args"])
            else:
                for node, update in data.items():
                    for event in self._updated(node, update, result):
                        yield event

    def _updated(self, node: str, update: Any, result: Result) -> list[Event]:
        if node == "__interrupt__":
            calls = [call for pause in update for call in pause.value["calls"]]
            result.pending = [self._pending(call) for call in calls]
            return []
        update = update or {}
        messages = update.get("messages", [])
        if node in _MODEL_NODES:
            return self._model_replied(update, messages, result)
        events: list[Event] = []
        for message in messages:
            if node in ("tools", "approve") and isinstance(message, ToolMessage):
                step = self._finished(message)
                result.steps.append(step)
                events.append(step)
            elif isinstance(message, AIMessage):
                self._calls |= {call["id"] or "": call for call in message.tool_calls}
        return events

    def _model_replied(self, update: Mapping[str, Any], messages: Sequence[Any], result: Result) -> list[Event]:
        stop = update.get("stop_reason")
        if not messages:
            # A turn that is resumed may have failed before, so that this part of it has no step.
            self._could_not_be_used(result.steps[-1].result if result.steps else "no call could be made.", result)
            return []
        reply: AIMessage = messages[0]
        if stop != "step_limit":
            result.usage.add(dict(reply.usage_metadata) if reply.usage_metadata else None)
            self._measure(reply)
        self._calls |= {call["id"] or "": call for call in reply.tool_calls}
        events: list[Event] = [FormatError(bad["error"] or "") for bad in reply.invalid_tool_calls]
        if protocol := update.get("protocol"):
            self.speaker = replace(self.speaker, protocol=protocol)
            result.protocol = protocol
            events.append(ProtocolChanged(protocol, _CHANGED))
        if stop:
            result.stop_reason = stop
            result.answer = reply.text if stop in ("answered", "step_limit") else ""
        if stop == "step_limit":
            events.append(AnswerDelta(reply.text))
        if stop == "format_errors":
            self._could_not_be_used(str(reply.invalid_tool_calls[0]["error"]), result)
        return events

    def _could_not_be_used(self, why: str, result: Result) -> None:
        """End a turn after too many replies that could not be used; `why` is what was wrong with the last."""
        hint = "Say it in other words, in smaller steps, or use a larger model."
        said = f"Three replies of the model in a row could not be used: {why}"
        result.stop_reason = "format_errors"
        result.error = Failure("FormatErrors", said, hint, 5)

    def _measure(self, reply: AIMessage) -> None:
        one = Usage()
        one.add(dict(reply.usage_metadata) if reply.usage_metadata else None)
        now = time.monotonic()
        seconds = now - (self._first_piece or now)
        self.latest_call = ModelCall(one.prompt_tokens, one.cached_tokens, one.completion_tokens, seconds)
        self._first_piece = None

    def _finished(self, message: ToolMessage) -> ToolFinished:
        details = message.artifact if isinstance(message.artifact, dict) else {}
        call = self._calls.get(message.tool_call_id)
        name = message.name or (call["name"] if call else "")
        return ToolFinished(
            id=message.tool_call_id,
            tool=name,
            server=self._servers.get(name, ""),
            args=dict(call["args"]) if call else {},
            status=details.get("status", "error" if message.status == "error" else "ok"),
            result=message.text,
            truncated=bool(details.get("truncated")),
            ms=details.get("ms", 0),
        )

    def _pending(self, call: Mapping[str, Any]) -> PendingCall:
        return PendingCall(call["id"], call["name"], self._servers.get(call["name"], ""), call["args"])


def _deltas(message: Any, metadata: Mapping[str, Any]) -> list[Event]:
    if metadata.get("langgraph_node") not in _MODEL_NODES or not isinstance(message, AIMessageChunk):
        return []
    thought = message.additional_kwargs.get("reasoning_content")
    events: list[Event] = [ThoughtDelta(thought)] if thought else []
    return [*events, AnswerDelta(message.text)] if message.text else events
