"""`a2ia-cli doctor`: the diagnosis, line by line."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agent.config import load_settings
from agent.diagnosis import Check
from agent.doctor import diagnose
from cli.display import INTERRUPTED, Display, failure_of
from cli.paint import detect
from cli.streams import OutputLost, prepare_streams, write

_STYLES = {"ok": "green", "note": "yellow", "fail": "red"}
_SIGNS = {"ok": "ok", "note": "denied", "fail": "error"}


def run_doctor(flags: dict[str, Any], *, as_json: bool) -> int:
    """Check everything; return 0 where nothing is red, else 2 (mend it here) or 3 (a chosen model server fails)."""
    prepare_streams(as_json=as_json)
    if flags.get("workspace"):
        flags["workspace"] = Path(flags["workspace"])
    if flags.get("mcp_config"):
        flags["mcp_config"] = tuple(Path(name) for name in flags["mcp_config"])
    try:
        checks = asyncio.run(diagnose(load_settings(flags), _silent if as_json else _show))
    except KeyboardInterrupt:
        return INTERRUPTED
    except OutputLost:
        return 1
    except Exception as error:
        failure = failure_of(error)
        if as_json:
            write(json.dumps({"ok": False, "error": failure.message, "hint": failure.hint, "checks": []}) + "\n")
        Display().failure(failure)
        return failure.exit_code
    code = min((check.exit_code for check in checks if check.state == "fail"), default=0)
    if as_json:
        write(json.dumps({"ok": code == 0, "checks": [asdict(check) for check in checks]}) + "\n")
    return code


def _silent(check: Check) -> None:
    """Tell nothing: everything comes in one object at the end."""


def _show(check: Check) -> None:
    paint = detect()
    sign = paint(_STYLES[check.state], paint.sign(_SIGNS[check.state]))
    write(f"{sign} {check.area:<17} {paint.safe(check.text)}\n")
    if check.mend and check.state != "ok":
        write(f"  {'':<17} {paint(_STYLES[check.state], paint.safe(check.mend))}\n")
