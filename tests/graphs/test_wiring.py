import pytest

from agent.config import Settings
from graphs.state import Protocol
from graphs.wiring import wire
from tests.graphs.prompted import PromptedBackend


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
