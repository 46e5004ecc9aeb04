"""Which calls need a yes, and which may be run again."""

from typing import Any

import pytest

from agent.policy import may_rerun, needs_approval

OURS = {"server": "a2ia", "mcp_name": "read_file", "builtin": True, "read_only": True, "idempotent": False}
WRITES = {**OURS, "mcp_name": "write_file", "read_only": False}
THEIRS = {**OURS, "server": "files", "builtin": False}


def test_our_own_read_only_tools_need_no_yes() -> None:
    assert not needs_approval(OURS, "read_file", [], yes=False)


@pytest.mark.parametrize("metadata", [WRITES, THEIRS, {}, {"builtin": "yes", "read_only": "yes"}])
def test_anything_else_needs_a_yes(metadata: dict[str, Any]) -> None:
    assert needs_approval(metadata, "tool", [], yes=False)


def test_yes_is_a_yes_to_all() -> None:
    assert not needs_approval(THEIRS, "read_file", [], yes=True)


@pytest.mark.parametrize("pattern", ["read_file", "read_*", "files:read_file", "files:*", "*"])
def test_a_matching_rule_is_a_yes(pattern: str) -> None:
    assert not needs_approval(THEIRS, "read_file", ["other", pattern], yes=False)


@pytest.mark.parametrize("pattern", ["Read_file", "read", "git:*", "files", "files:Read*", ""])
def test_a_rule_that_does_not_match_is_none(pattern: str) -> None:
    assert needs_approval(THEIRS, "read_file", [pattern], yes=False)


def test_a_rule_for_a_server_matches_the_name_on_the_server_and_the_name_that_the_model_sees() -> None:
    assert not needs_approval(THEIRS, "files_read_file", ["files:read_file"], yes=False)
    assert not needs_approval(THEIRS, "files_read_file", ["files:files_read_file"], yes=False)
    assert needs_approval(THEIRS, "files_read_file", ["read_file"], yes=False)


@pytest.mark.parametrize(
    ("metadata", "again"),
    [(OURS, True), (WRITES, False), ({**WRITES, "idempotent": True}, True), (THEIRS, True), ({}, False)],
)
def test_a_call_may_be_run_again_if_the_tool_is_read_only_or_idempotent(metadata: dict[str, Any], again: bool) -> None:
    assert may_rerun(metadata) is again
