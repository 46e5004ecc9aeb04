from typing import cast

import pytest

from graphs.state import Protocol
from tests.graphs.threads import JsonSteps


@pytest.fixture(params=["native", "react", JsonSteps("react")], ids=["native", "react", "react-json"])
def protocol(request: pytest.FixtureRequest) -> Protocol:
    """Every loop test runs once per protocol, with ReAct in both of its forms."""
    return cast(Protocol, request.param)
