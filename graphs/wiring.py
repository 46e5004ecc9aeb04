"""Puts the state machine on a backend's model and on tools, as the settings say."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import ToolCall
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.checkpoint.base import BaseCheckpointSaver

from agent.backends.base import Backend, KeepsPrefix, ModelProfile, TellsOdds
from agent.backends.select import chosen
from agent.config import Settings
from agent.context import tools_chars
from agent.policy import may_rerun, needs_approval
from agent.react.form import form_for
from agent.react.judging.calibration import thresholds
from agent.react.judging.judge import FEW, Judge
from agent.react.judging.yes_no import YesNo
from agent.react.model import ReActChatModel
from agent.react.prompt import render
from agent.react.recover import RecoveringChatModel
from graphs.builder import Graph, Models, build_graph
from graphs.settle import Opening
from graphs.state import Protocol


@dataclass(frozen=True, slots=True)
class Wired:
    """A graph that is ready to run, and what a session has to know of it."""

    graph: Graph
    protocol: Protocol
    may_rerun: Callable[[ToolCall], bool]


def wire(
    settings: Settings,
    backend: Backend,
    profile: ModelProfile,
    tools: Sequence[BaseTool],
    *,
    protocol: Protocol | None = None,
    opening: Opening | None = None,
    checkpointer: BaseCheckpointSaver[Any] | None = None,
) -> Wired:
    """Return the graph on `backend` and `tools`; without `protocol` by the settings, else by the profile's evidence.

    `opening` gives what a thread begins with; a model that takes no system message and speaks natively goes without.
    """
    by_name = {tool.name: tool.metadata or {} for tool in tools}

    def needs_yes(call: ToolCall) -> bool:
        known = call["name"] in by_name
        return known and needs_approval(by_name[call["name"]], call["name"], settings.allow, settings.yes)

    def rerun(call: ToolCall) -> bool:
        return may_rerun(by_name.get(call["name"], {}))

    native = settings.react is False or (settings.react is None and profile.native_tools)
    protocol = protocol or ("native" if native else "react")
    chat = backend.chat_model(profile)
    constrain = backend.constrain if profile.constraint else None
    react = ReActChatModel(
        inner=chat,
        constrain=constrain,
        kind=profile.constraint,
        system_role=profile.system_role,
        room=tools_chars(profile.window),
        judge=_judge(backend, profile, chat, by_name) if settings.judge else None,
    )
    graph = build_graph(
        Models(RecoveringChatModel(inner=chat), react, protocol, backend.name, profile.window),
        tools,
        needs_yes=needs_yes,
        may_rerun=rerun,
        opening=opening if profile.system_role or protocol == "react" else None,
        max_steps=settings.max_steps,
        checkpointer=checkpointer,
    )
    return Wired(graph, protocol, rerun)


def _judge(
    backend: Backend, profile: ModelProfile, chat: BaseChatModel, by_name: Mapping[str, Mapping[str, Any]]
) -> Judge | None:
    """Return the judge of a model that was calibrated, on a server that tells probabilities and obeys a constraint.

    Beside A2IA's own tools, and where there are many, tools are part of work in many steps, of which the request need
    not tell: there the milder threshold holds for all.
    """
    known, asked = thresholds(profile.model), chosen(backend)
    if known is None or not profile.constraint or not isinstance(asked, TellsOdds):
        return None
    in_steps = len(by_name) > FEW or any(metadata.get("builtin") for metadata in by_name.values())
    threshold = min(known.workspace, known.other) if in_steps else known.other
    return Judge(YesNo(chat, asked.odds(), profile.system_role), threshold, known.answer)


async def prepare(backend: Backend, profile: ModelProfile, tools: Sequence[BaseTool]) -> None:
    """Have the server know what every ReAct thread with `tools` begins with. Raises `ModelServerError`."""
    keeper = chosen(backend)
    if isinstance(keeper, KeepsPrefix):
        functions = [convert_to_openai_tool(tool)["function"] for tool in tools]
        form = form_for(profile.constraint)
        room = tools_chars(profile.window)
        await keeper.keep_prefix(render([], functions, form=form, system_role=profile.system_role, room=room))
