"""Time until `a2ia-cli` has its first prompt on a terminal, against a Python that imports asyncio, run in turn.

python -m benchmarks.prompt_time [--n 10]
"""

import argparse
import os
import pty
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import report
from benchmarks.help_time import spread, wall

LIMIT = 6.0
_PATIENCE = 60.0


def first_prompt() -> float:
    """Return the milliseconds from the start of `a2ia-cli` to the prompt's `>`; the program is then ended."""
    end, inner = pty.openpty()
    with tempfile.TemporaryDirectory() as home:
        places = dict.fromkeys(("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), home)
        environment = os.environ | places | {"TERM": "xterm-256color", "A2IA_BACKEND": "none"}
        began = time.perf_counter()
        process = subprocess.Popen(
            [report.cli_program()], stdin=inner, stdout=inner, stderr=inner, env=environment, cwd=Path(home)
        )
        try:
            seen = b""
            while b">" not in seen:
                if not select.select([end], [], [], _PATIENCE)[0]:
                    raise TimeoutError(f"no prompt within {_PATIENCE:g} s; the terminal has {seen!r}")
                seen += os.read(end, 65536)
            return (time.perf_counter() - began) * 1000
        finally:
            process.kill()
            process.wait()
            os.close(inner)
            os.close(end)


def main() -> int:
    """Measure; return 0 if the ratio is within the limit."""
    parser = argparse.ArgumentParser(prog="benchmarks.prompt_time")
    parser.add_argument("--n", type=int, default=10, help="runs of each (10)")
    n = parser.parse_args().n
    base = [sys.executable, "-c", "import asyncio"]
    first_prompt(), wall(base)  # byte code and disk cache
    pairs = [(first_prompt(), wall(base)) for _ in range(n)]
    mine, bare = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    ratio = report.median(mine) / report.median(bare)
    print(report.heading())
    print(f"n {n} each, in turn\n{spread('first prompt', mine)}\n{spread('python asyncio', bare)}")
    print(f"ratio of the medians: {ratio:.2f} (wanted at most {LIMIT:.0f})")
    print("PASS" if ratio <= LIMIT else "FAIL")
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
