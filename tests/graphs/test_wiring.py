from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, ToolMessage

from agent.backends.base import ModelProfile
from agent.config import Settings
from graphs.state import Protocol
from graphs.wiring import wire
from tests.fakes import Say, ScriptedModel
from tests.graphs.prompted import PromptedBackend
from tests.graphs.threads import tool


@pytest.mark.parametrize(
    ("seen", "told", "spoken"),
    [
        (True, None, "native"),
        (False, None, "react"),
        (True, True, "react"),
        (False, False, "native"),
    ],
)
async def test_the_protocol_goes_by_the_evidence_unless_the_settings_say_otherwise(
    seen: bool, told: bool | None, spoken: Protocol
) -> None:
    settings = Settings(model="native" if seen else "other", react=told)
    backend = PromptedBackend(settings, lambda progress: None)
    profile = await backend.profile()
    assert wire(settings, backend, profile, []).protocol == spoken
    for asked in ("native", "react"):
        assert wire(settings, backend, profile, [], protocol=asked).protocol == asked


class SureBackend(PromptedBackend):
    """Runs a script as the default model, and tells how sure it is."""

    def __init__(self, script: list[Say]) -> None:
        super().__init__(Settings(), lambda progress: None)
        self.model = ScriptedModel(script=script, protocol="react")

    def chat_model(self, profile: ModelProfile) -> Any:
        return self.model

    def odds(self) -> dict[str, Any]:
        return {"max_tokens": 1}


@pytest.mark.parametrize(
    ("others", "builtin", "made"),
    [(0, False, False), (7, False, True), (0, True, True)],
    ids=["few tools", "many tools", "built-in tools"],
)
async def test_a_tool_is_declined_less_readily_in_work_of_many_steps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, others: int, builtin: bool, made: bool
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    async def run() -> str:
        """Run it."""
        return "ran"

    backend = SureBackend([Say(calls=[("first", {})]), Say(odds=0.1), Say("Done.")])
    more = [tool(f"other_{number}", run, builtin=builtin) for number in range(others or builtin)]
    profile = ModelProfile("qwen2.5-coder-1.5b", 8192, False, "Seen.", constraint="lark")
    graph = wire(Settings(yes=True), backend, profile, [tool("first", run), *more]).graph
    state = await graph.ainvoke({"messages": [HumanMessage("Is it raining in Bern?")]})
    results = [message.text for message in state["messages"] if isinstance(message, ToolMessage)]
    assert results == (["ran"] if made else [])


@pytest.mark.parametrize(("window", "told"), [(8192, True), (2048, False)])
async def test_in_a_small_window_many_tools_are_told_of_in_less_detail(window: int, told: bool) -> None:
    async def run() -> str:
        """Run it."""
        return "ran"

    tools = [tool(f"open_{number}", run) for number in range(50)]
    for one in tools:
        one.description = "Open the box with the key. It lies in the hall, where it is dry."
    backend = SureBackend([Say("Done.")])
    profile = ModelProfile("other", window, False, "Seen.", constraint="lark")
    graph = wire(Settings(), backend, profile, tools).graph
    await graph.ainvoke({"messages": [HumanMessage("Hello?")]})
    prompt = backend.model.asked[0][0].text
    assert "open_49() - Open the box with the key." in prompt and ("in the hall" in prompt) is told
