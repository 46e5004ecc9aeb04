from typing import cast

import pytest

from graphs.state import Protocol


@pytest.fixture(params=["native", "react"])
def protocol(request: pytest.FixtureRequest) -> Protocol:
    """Every loop test runs once per protocol."""
    return cast(Protocol, request.param)
