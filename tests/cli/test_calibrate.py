"""`a2ia-cli calibrate` learns where a model's first tool call counts as needless."""

import json

from agent.react.judging.calibration import cases
from tests.cli.support import Place


def test_a_calibration_is_kept_for_the_model(place: Place) -> None:
    place.say(*({"odds": 6.0 if pair["fit"] else -6.0} for pair in cases()))
    done = place.run("calibrate")
    assert done.code == 0, done.err
    assert "100% of the needless ones declined, 0 others lost" in done.out
    assert "100% of the early ones declined, 0 others lost" in done.out
    file = place.root / "home/state/a2ia/thresholds.json"
    assert str(file) in done.out
    learned = json.loads(file.read_text())["scripted-1"]
    assert -6 < learned["workspace"] < 6 and -2 < learned["other"] <= 6 and -6 < learned["answer"] < 6


def test_a_server_that_tells_no_probabilities_is_said_so(place: Place) -> None:
    place.say({"answer": "yes"})
    done = place.run("calibrate")
    assert done.code == 2
    assert "tells no probabilities" in done.err
    assert not (place.root / "home/state/a2ia/thresholds.json").exists()
