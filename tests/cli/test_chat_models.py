"""A session whose model the server does not have, or that changes its model or server."""

import pytest

from tests.cli.support import Place
from tests.cli.terminal import CTRL_D, Terminal
from tests.servers.ollama import Ollama, recorded, said

pytestmark = pytest.mark.timeout(300)  # each starts programs, on whatever machine


def test_a_model_that_is_there_is_offered_in_place_of_the_missing_one(place: Place) -> None:
    with Ollama(said(['{"reason": "so", "response": "Hello."}'])) as server:
        server.models = ["first:7b", "second:1b"]
        with Terminal(place, "--backend", "ollama", "--ollama-url", server.url) as terminal:
            terminal.expect("has no model 'a2ia-qwen'. It has")
            terminal.expect("first:7b, second:1b.")
            terminal.expect("Use first:7b? [y]es, [n]o")
            terminal.enter("second:1b")
            terminal.expect("second:1b on ollama")
            terminal.enter("hi")
            terminal.expect("Hello.")
            terminal.type(CTRL_D)
            assert terminal.leave() == 0


def test_a_server_that_is_busy_in_the_middle_of_a_session_is_told_of_while_it_is_waited_for(place: Place) -> None:
    busy = recorded("busy_2")
    with Ollama(busy, busy, said(['{"reason": "so", "response": "Hello."}'])) as server:
        server.models = ["first:7b"]
        with Terminal(place, "--backend", "ollama", "--ollama-url", server.url, "--model", "first:7b") as terminal:
            terminal.expect("first:7b on ollama")
            terminal.enter("hi")
            terminal.expect("Ollama is busy; asking again in 0.3 s")
            terminal.expect("Hello.")
            terminal.type(CTRL_D)
            assert terminal.leave() == 0


def test_a_no_to_the_offer_ends_the_session_with_what_was_missing(place: Place) -> None:
    with Ollama() as server:
        server.models = ["first:7b", "second:1b"]
        with Terminal(place, "--backend", "ollama", "--ollama-url", server.url) as terminal:
            terminal.expect("Use first:7b? [y]es, [n]o")
            terminal.enter("n")
            terminal.expect("error: The ollama server")
            assert terminal.leave() == 2
    assert "Traceback" not in terminal.raw


def test_a_conversation_goes_on_with_the_model_of_another_server_and_back(place: Place) -> None:
    place.say({"answer": "First."})
    with Ollama(said(['{"reason": "so", "response": "Second."}'])) as server:
        server.models = ["first:7b", "second:1b"]
        with Terminal(place, "--ollama-url", server.url) as terminal:
            terminal.ready()
            terminal.enter("question one")
            terminal.expect("First.")
            terminal.enter("/model ollama:third:1b")
            terminal.expect("has no model 'third:1b'")
            terminal.enter("/model")
            terminal.expect("scripted-1 on scripted, window 8192 tokens")
            terminal.enter("/model ollama:second:1b")
            terminal.expect("second:1b on ollama")
            terminal.enter("question two")
            terminal.expect("Second.")
            terminal.expect("second:1b · ollama · react")
            terminal.enter("/model scripted:")
            terminal.expect("scripted-1 on scripted, ")
            terminal.type(CTRL_D)
            assert terminal.leave() == 0
        sent = str([asked.body["messages"] for asked in server.asked if asked.path == "/api/chat"][-1])
        assert sent.index("question one") < sent.index("First.") < sent.index("question two")
