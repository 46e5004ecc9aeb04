"""Ways to get a tool call out of one model call: A2IA's own, and its rivals on the same server with the same tools.

- `a2ia`: the program's own model, graph and session.
- `bind_tools`: the server's native tool calls through LangChain, which is what `create_agent` uses.
- `classic_react`: LangChain's structured-chat agent: ReAct in prose whose action is a JSON object, and its parser.
- `smolagents`: smolagents' ToolCallingAgent; its first step, whose `final_answer` counts as no call.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import BaseTool
from langchain_openai import ChatOpenAI

from agent.backends.base import Backend, ModelProfile
from agent.backends.embedded import EmbeddedBackend
from agent.backends.embedded_chat import REPLY_TOKENS
from agent.config import Settings
from benchmarks import report
from cli.runtime import new_session
from graphs.events import Result, as_json

Call = tuple[str, dict[str, Any]]


class JsonSchemaBackend(EmbeddedBackend):
    """The embedded server with the constraint that Ollama takes: llama.cpp has a field for a JSON schema too."""

    def constrain(self, constraint: str) -> dict[str, Any]:
        schema = {"type": "json_schema", "json_schema": {"name": "step", "schema": json.loads(constraint)}}
        return {"extra_body": {"response_format": schema}}


@dataclass(frozen=True)
class Stage:
    """What every way works with."""

    settings: Settings
    backend: Backend
    profile: ModelProfile


@dataclass(frozen=True)
class Said:
    """What came of one model call: the calls that were read from it, or why it could not be read."""

    calls: Sequence[Call]
    tokens: int | None
    """Completion tokens, where the server told."""
    error: str = ""
    record: Mapping[str, Any] | None = None
    """What else is kept of it in the row."""


Way = Callable[[str, list[BaseTool], Stage], Awaitable[Said]]


async def a2ia(prompt: str, tools: list[BaseTool], stage: Stage) -> Said:
    """Run one turn of one step through the program's own session."""
    session = new_session(stage.settings, stage.backend, stage.profile, tools, None)
    result: Result | None = None
    async with aclosing(cast(Any, session.run(prompt))) as events:
        async for event in events:
            result = event if isinstance(event, Result) else result
    if result is None:
        return Said([], None, "no result")
    error = result.error.message if result.error else ""
    calls = [(step.tool, step.args) for step in result.steps]
    return Said(calls, result.usage.completion_tokens, error, as_json(result))


async def bind_tools(prompt: str, tools: list[BaseTool], stage: Stage) -> Said:
    """Ask the bare chat model with the tools bound to it."""
    model = stage.backend.chat_model(stage.profile)
    reply = await (model.bind_tools(tools) if tools else model).ainvoke(prompt)
    if not isinstance(reply, AIMessage):
        raise TypeError(f"a chat model replied with {type(reply).__name__}")
    calls = [(call["name"], call["args"]) for call in reply.tool_calls]
    error = f"unreadable: {reply.invalid_tool_calls[0]['args']}" if reply.invalid_tool_calls and not calls else ""
    tokens = reply.usage_metadata["output_tokens"] if reply.usage_metadata else None
    return Said(calls, tokens, error, {"text": reply.text})


async def classic_react(prompt: str, tools: list[BaseTool], stage: Stage) -> Said:
    """Ask LangChain's structured-chat agent for its first step."""
    agents = report.needed("langchain_classic.agents")
    template = ChatPromptTemplate.from_messages([("system", _REACT_SYSTEM), ("human", _REACT_HUMAN)])
    agent = agents.create_structured_chat_agent(stage.backend.chat_model(stage.profile), tools, template)
    usage = UsageMetadataCallbackHandler()
    given = {"input": prompt, "intermediate_steps": []}
    step: Any = None
    error = ""
    try:
        step = await agent.ainvoke(given, {"callbacks": [usage]})
    except OutputParserException as unreadable:
        error = f"unreadable: {unreadable}"
    calls = []
    if hasattr(step, "tool_input"):
        # A plain text is what LangChain passes on as the argument `__arg1`.
        given = step.tool_input if isinstance(step.tool_input, dict) else {"__arg1": step.tool_input}
        calls = [(str(step.tool), given)]
    tokens = sum(counts["output_tokens"] for counts in usage.usage_metadata.values())
    return Said(calls, tokens or None, error, {"text": getattr(step, "log", "")})


async def smolagents(prompt: str, tools: list[BaseTool], stage: Stage) -> Said:
    """Ask smolagents' ToolCallingAgent for its first step."""
    library = report.needed("smolagents")
    url, key = await _address(stage)
    model = library.OpenAIModel(
        stage.profile.model,
        api_base=url,
        api_key=key,
        temperature=stage.settings.temperature,
        max_tokens=REPLY_TOKENS,
        client_kwargs={"timeout": stage.settings.timeout, "max_retries": 0},
    )
    offered = [_smol_tool(library, tool) for tool in tools]
    agent = library.ToolCallingAgent(offered, model, verbosity_level=library.LogLevel.OFF, max_steps=2)
    return await asyncio.to_thread(_first_step, library, agent, prompt)


def _first_step(library: Any, agent: Any, prompt: str) -> Said:
    calls: list[Call] = []
    for event in agent.run(prompt, stream=True):
        if isinstance(event, library.ActionStep):
            tokens = event.token_usage.output_tokens if event.token_usage else None
            error = f"unreadable: {event.error.message}" if event.error and not calls else ""
            wanted = [call for call in calls if call[0] != "final_answer"]
            return Said(wanted, tokens, error, {"text": str(event.model_output), "calls": calls})
        if type(event).__name__ == "ToolCall":
            given = event.arguments if isinstance(event.arguments, dict) else {"__arg1": event.arguments}
            calls.append((event.name, given))
    return Said([], None, "no step")


def _smol_tool(library: Any, tool: BaseTool) -> Any:
    schema = cast(Mapping[str, Any], tool.args_schema)
    inputs = {
        name: {"type": "any", "description": "", **value, "nullable": name not in schema.get("required", ())}
        for name, value in schema.get("properties", {}).items()
    }
    kind = {
        "name": tool.name,
        "description": tool.description,
        "inputs": inputs,
        "output_type": "string",
        "skip_forward_signature_validation": True,
        "forward": lambda self, **arguments: "ok",
    }
    return type("CaseTool", (library.Tool,), kind)()


async def _address(stage: Stage) -> tuple[str, str]:
    """Return the server's OpenAI address and key for a client of another kind, wherever the backend reaches it."""
    model = stage.backend.chat_model(stage.profile)
    if not isinstance(model, ChatOpenAI) or model.http_async_client is None:
        sys.exit(f"The way 'smolagents' needs an OpenAI server; the backend {stage.backend.name!r} has none.")
    response = await model.http_async_client.get(f"{model.openai_api_base}/models")
    url = str(response.request.url).removesuffix("/models")
    return url, response.request.headers.get("Authorization", "Bearer none").removeprefix("Bearer ")


WAYS: dict[str, Way] = {
    "a2ia": a2ia,
    "bind_tools": bind_tools,
    "classic_react": classic_react,
    "smolagents": smolagents,
}

_REACT_SYSTEM = """\
Respond to the human as helpfully and accurately as possible. You have access to the following tools:

{tools}

Use a json blob to specify a tool by providing an action key (tool name) and an action_input key (tool input).

Valid "action" values: "Final Answer" or {tool_names}

Provide only ONE action per $JSON_BLOB, as shown:

```
{{
  "action": $TOOL_NAME,
  "action_input": $INPUT
}}
```

Follow this format:

Question: input question to answer
Thought: consider previous and subsequent steps
Action:
```
$JSON_BLOB
```
Observation: action result
... (repeat Thought/Action/Observation N times)
Thought: I know what to respond
Action:
```
{{
  "action": "Final Answer",
  "action_input": "Final response to human"
}}

Begin! Reminder to ALWAYS respond with a valid json blob of a single action. Use tools if necessary. \
Respond directly if appropriate. Format is Action:```$JSON_BLOB```then Observation"""
"""LangChain's published prompt `hwchase17/structured-chat-agent`, after the docstring of `create_structured_chat_agent`
in langchain-classic 1.0.8; the fences are bare as on its hub and in `agents/structured_chat/prompt.py`."""

_REACT_HUMAN = """\
{input}

{agent_scratchpad}
 (reminder to respond in a JSON blob no matter what)"""
