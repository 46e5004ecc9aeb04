"""What every benchmark prints: the machine, progress with ETA, and a few figures."""

import importlib
import json
import math
import os
import platform
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def cli_program() -> str:
    """Return the path of the `a2ia-cli` that is installed beside this interpreter."""
    program = Path(sys.executable).parent / "a2ia-cli"
    if not program.exists():
        sys.exit(
            f"{program} is missing. Install the project into this interpreter: {sys.executable} -m pip install -e ."
        )
    return str(program)


def needed(module: str) -> Any:
    """Import a module of the extra `bench`."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        sys.exit(f"This needs {error.name}. Install it: {sys.executable} -m pip install -e '.[bench]'")


def command_line() -> str:
    """Return the command that started this benchmark, as one would type it."""
    main = getattr(sys.modules["__main__"], "__spec__", None)
    name = main.name if main else sys.argv[0]
    return shlex.join(["python", "-m", name, *sys.argv[1:]])


def how_to_resume(file: Path) -> str:
    """Return the line that tells how to go on with a run that was broken off, whose rows are in `file`."""
    again = command_line()
    return f"interrupted; go on with: {again if '--resume' in sys.argv else f'{again} --resume {file}'}"


def machine() -> str:
    """Return CPU model, usable cores, memory and platform in one line."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{cpu}, {cores} cores, {memory:.0f} GiB, {platform.platform()}, Python {platform.python_version()}"


def commit() -> str:
    """Return the commit that is measured, with `+changes` where files differ from it."""
    git = ["git", "-C", str(Path(__file__).parent)]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], check=False, capture_output=True, text=True)
    changed = subprocess.run(
        [*git, "status", "--porcelain"], check=False, capture_output=True, text=True
    ).stdout.strip()
    return (head.stdout.strip() or "no commit") + ("+changes" if changed else "")


def heading() -> str:
    """Return the lines that say what was run, on what, when."""
    when = time.strftime("%Y-%m-%d %H:%M")
    return f"command: {command_line()}\nmachine: {machine()}\ncommit:  {commit()}, {when}"


def results_file(stem: str) -> Path:
    """Return a new file for JSON lines, in a folder that git ignores."""
    RESULTS.mkdir(exist_ok=True)
    return RESULTS / f"{stem}-{time.strftime('%Y%m%d-%H%M%S')}.jsonl"


def append_line(file: Path, data: dict[str, Any]) -> None:
    """Add one JSON line."""
    with file.open("a") as out:
        out.write(json.dumps(data, ensure_ascii=False) + "\n")


def read_lines(file: Path) -> list[dict[str, Any]]:
    """Read JSON lines; a last line that was cut off is left out."""
    found = []
    for line in file.read_text().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def duration(seconds: float) -> str:
    """Return `2h03m`, `4m05s` or `12s`."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 60}m{whole % 60:02}s" if whole >= 60 else f"{whole}s"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` of `values` lie, interpolated; NaN for none."""
    if not values:
        return math.nan
    ranked = sorted(values)
    place = share * (len(ranked) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ranked) - 1)
    return ranked[low] + (ranked[high] - ranked[low]) * (place - low)


def median(values: Sequence[float]) -> float:
    """Return the median; NaN for none."""
    return statistics.median(values) if values else math.nan


def wilson(right: int, total: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a share."""
    if not total:
        return 0.0, 1.0
    z = 1.959964
    share, spread = right / total, z * z / total
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


class Progress:
    """A live line per finished case on standard error, with the time that is left."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._right = 0
        self._began = time.monotonic()

    def step(self, right: bool, text: str) -> None:
        """Count one case and show it."""
        self._done += 1
        self._right += right
        left = (time.monotonic() - self._began) / self._done * (self._total - self._done)
        mark = "right" if right else "WRONG"
        count = f"[{self._done}/{self._total}]"
        print(f"{count} {mark} {text} | {self._right} right, ETA {duration(left)}", file=sys.stderr, flush=True)
