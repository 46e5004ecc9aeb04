"""What a turn has done so far: calls that repeat, circles of calls, replies in a row that could not be used."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolCall, ToolMessage

from agent.react.replies import REACT_COPIED, allowed_tools
from agent.react.ways_out import Offer, has_failed, ways_out
from graphs.state import CallStatus, CallTask, last_reply, open_calls

_LONGEST_CIRCLE = 4
_FAILED_CALLS = 5
"""Calls of one tool in a row that failed, after which another try is no use."""

_CONCLUDE = "Give the Final Answer with what is known."
_CIRCLE = f"This same call was made twice, and its result is above. {_CONCLUDE}"
_COPIED = f"Not called: nothing said here tells its {{arguments}}. {_CONCLUDE}"
_HOPELESS = f"The last {_FAILED_CALLS} calls of this tool failed. {_CONCLUDE}"


@dataclass(slots=True)
class _Step:
    """One reply of the model, and the results of its calls as far as they are there."""

    reply: AIMessage
    results: list[ToolMessage] = field(default_factory=list)

    @property
    def calls(self) -> list[tuple[str, object]]:
        return [(call["name"], call["args"]) for call in self.reply.tool_calls]

    @property
    def ended(self) -> list[tuple[ToolCall, ToolMessage]]:
        """The calls that have a result, with it."""
        results = {result.tool_call_id: result for result in self.results}
        return [(call, results[call["id"] or ""]) for call in self.reply.tool_calls if (call["id"] or "") in results]

    @property
    def failed(self) -> bool:
        """Whether nothing of the reply could be used: unreadable, no such tool, arguments that the schema refuses."""
        return bool(self.results) and all(is_marked(result, "format_error") for result in self.results)


def is_marked(message: ToolMessage, mark: str) -> bool:
    """Say whether the artifact of a result has a true value under `mark`."""
    return isinstance(message.artifact, dict) and bool(message.artifact.get(mark))


def _ended_as(message: ToolMessage, status: CallStatus) -> bool:
    return isinstance(message.artifact, dict) and message.artifact.get("status") == status


def _steps(messages: Sequence[AnyMessage]) -> list[_Step]:
    """Return the steps since the last message of the user."""
    steps: list[_Step] = []
    for message in messages:
        if isinstance(message, HumanMessage):
            steps = []
        elif isinstance(message, AIMessage):
            steps.append(_Step(message))
        elif isinstance(message, ToolMessage) and steps:
            steps[-1].results.append(message)
    return steps


def failures_in_a_row(messages: Sequence[AnyMessage]) -> int:
    """Return how many replies at the end of the turn could not be used."""
    count = 0
    for step in reversed(_steps(messages)):
        if not step.failed:
            break
        count += 1
    return count


def call_tasks(
    messages: Sequence[AnyMessage],
    steady: Set[str],
    changing: Set[str] = frozenset(),
    is_unasked: Callable[[ToolCall], bool] = lambda call: False,
) -> list[CallTask]:
    """Return a task for every open call.

    `steady` are the tools that give the same result until another changes it, `changing` those that may change
    something; `is_unasked` says which calls change something elsewhere without a person's yes. The model has to say
    twice that such a call is to be made again, it is made no third time, and never with what only an example knows.
    """
    before = _steps(messages)[:-1]
    warned = bool(before) and before[-1].failed
    reply = last_reply(list(messages))
    copied = reply.additional_kwargs.get(REACT_COPIED, ()) if reply else ()
    tasks: list[CallTask] = []
    for call in open_calls(list(messages)):
        same = _same_results(call, before, steady)
        unasked = is_unasked(call)
        made = _times_made(call, before, changing) if unasked else []
        if copied and unasked:
            refused = _COPIED.format(arguments=", ".join(copied))
        elif len(same) > 1 or made.count(True) > 1 or _circles(call, before) or _fails_alike(call, before, changing):
            refused = _CIRCLE
        else:
            refused = _HOPELESS if _keeps_failing(call, before) else ""
        doubted = not refused and made[-1:] == [True]
        known = same[0] if same else None
        tasks.append({"call": call, "refused": refused, "doubted": doubted, "known": known, "warned": warned})
    return tasks


def held_to(messages: Sequence[AnyMessage], offers: Mapping[str, Offer]) -> str | dict[str, Any] | None:
    """Return the `tool_choice` for the next reply, None: free. `offers` are the thread's tools.

    An answer after a call that was refused because it was repeated too often. A way out that this turn has not tried
    after a call that failed: a small model gives up there, and says that there is no such thing.
    """
    latest = messages[-1] if messages and offers else None
    if not isinstance(latest, ToolMessage):
        return None
    if is_marked(latest, "repeat"):
        return "none"
    steps = _steps(messages)
    tried = {name for step in steps[:-1] for name, _ in step.calls}
    tried |= {name for name, _ in steps[-1].calls if name != latest.name} if steps else set()
    untried = ways_out(latest, offers, tried)
    return allowed_tools(sorted(untried)) if untried else None


def _same_results(call: ToolCall, before: Sequence[_Step], steady: Set[str]) -> list[ToolMessage]:
    """Return the results of the same call since the last one that may have changed something."""
    same: list[ToolMessage] = []
    if call["name"] not in steady:
        return same
    for made, result in (pair for step in before for pair in step.ended):
        if is_marked(result, "format_error") or _ended_as(result, "denied"):
            continue  # nothing was run
        if _is_same(made, call):
            same += [] if _ended_as(result, "interrupted") else [result]
        elif made["name"] not in steady:
            same.clear()
    return same


def _times_made(call: ToolCall, before: Sequence[_Step], changing: Set[str]) -> list[bool]:
    """Return for each time that the same call came since another changed something whether it was made and succeeded.

    Where the model was asked whether it is meant to be made again it was not.
    """
    made: list[bool] = []
    for other, result in (pair for step in before for pair in step.ended):
        if _is_same(other, call):
            made.append(_ended_as(result, "ok"))
        elif other["name"] in changing and _ended_as(result, "ok"):
            made.clear()
    return made


def _fails_alike(call: ToolCall, before: Sequence[_Step], changing: Set[str]) -> bool:
    """Say whether the same call failed twice with the same result since another changed something."""
    failures: list[str] = []
    for made, result in (pair for step in before for pair in step.ended):
        if _is_same(made, call):
            failures += [result.text] if has_failed(result) else []
        elif made["name"] in changing and not has_failed(result):
            failures.clear()
    return len(failures) > 1 and failures[-1] == failures[-2]


def _is_same(one: ToolCall, other: ToolCall) -> bool:
    return (one["name"], one["args"]) == (other["name"], other["args"])


def _circles(call: ToolCall, before: Sequence[_Step]) -> bool:
    """Say whether the latest steps went twice round a circle, results included, and `call` begins it again.

    A circle is one call repeated, or up to four that take turns. Where a result changed, something happens.
    """
    seen = [(step.calls, [result.text for result in step.results]) for step in before if not step.failed]
    return any(
        seen[-2 * size : -size] == seen[-size:] and seen[-size][0] == [(call["name"], call["args"])]
        for size in range(1, _LONGEST_CIRCLE + 1)
        if len(seen) >= 2 * size
    )


def _keeps_failing(call: ToolCall, before: Sequence[_Step]) -> bool:
    latest = before[-_FAILED_CALLS:]
    return len(latest) == _FAILED_CALLS and all(
        {name for name, _ in step.calls} == {call["name"]} and all(r.status == "error" for r in step.results)
        for step in latest
    )
