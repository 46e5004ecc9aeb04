"""Wall time of `a2ia-cli --help` against a Python that imports argparse, asyncio and json, run in turn.

python -m benchmarks.help_time [--n 20]
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks import report

LIMIT = 3.0


def wall(command: Sequence[str]) -> float:
    """Return the milliseconds that one run takes."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - began) * 1000


def spread(name: str, times: Sequence[float]) -> str:
    """Return median, quartiles and range in milliseconds."""
    quarters = f"{report.percentile(times, 0.25):.0f} to {report.percentile(times, 0.75):.0f}"
    return (
        f"{name:<26} median {report.median(times):.1f} ms, middle half {quarters}, "
        f"all {min(times):.0f} to {max(times):.0f}"
    )


def main() -> int:
    """Measure; return 0 if the ratio is within the limit."""
    parser = argparse.ArgumentParser(prog="benchmarks.help_time")
    parser.add_argument("--n", type=int, default=20, help="runs of each (20)")
    n = parser.parse_args().n
    ours = [report.cli_program(), "--help"]
    base = [sys.executable, "-c", "import argparse, asyncio, json"]
    wall(ours), wall(base)  # byte code and disk cache
    pairs = [(wall(ours), wall(base)) for _ in range(n)]
    mine, bare = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    ratio = report.median(mine) / report.median(bare)
    print(report.heading())
    print(f"n {n} each, in turn\n{spread('a2ia-cli --help', mine)}\n{spread('python argparse asyncio json', bare)}")
    print(f"ratio of the medians: {ratio:.2f} (wanted at most {LIMIT:.0f})")
    print("PASS" if ratio <= LIMIT else "FAIL")
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
