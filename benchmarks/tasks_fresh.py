"""Forty tasks that no prompt was tuned on: find, list, write, edit, run. The others stand in `tasks_fresh_more.py`."""

import subprocess
import sys

from benchmarks import tasks_fresh_more
from benchmarks.task_cases import Check, Outcome, Task, holds, holds_lines, never_says, says, says_all


def prints(code: str, text: str) -> Check:
    """Python code that is run in the workspace prints `text`."""

    def check(outcome: Outcome) -> str:
        command = [sys.executable, "-B", "-c", code]
        ended = subprocess.run(command, cwd=outcome.workspace, capture_output=True, text=True, timeout=20, check=False)
        said = ended.stdout.strip() or ended.stderr.strip()[-120:]
        return "" if said == text else f"{code!r} prints {said!r}"

    return check


FIND = [
    Task(
        "find-speaker",
        "In one of the interviews somebody complains about paying twice for the same bridge. Who is it?",
        (says("Iwona"), never_says("Pavel", "Doro", "Emil")),
        {
            "interviews/first.txt": "Pavel: The bridge was built when I was a boy.\nEmil: I never use it.\n",
            "interviews/second.txt": "Doro: We have no ferry any more.\n"
            "Iwona: I do not see why we are paying twice for the same bridge.\nDoro: Nor do I.\n",
            "interviews/third.txt": "Emil: The toll went up twice last year.\n",
            "questions.md": "1. How do you cross the river?\n",
        },
    ),
    Task(
        "find-acronym",
        "new here... what does QRV stand for?",
        (says("quick return valve", "quick-return valve"), never_says("quiet running pump", "quarterly review")),
        {
            "handbook/terms.md": "# Terms\n\nQRP: quiet running pump\nQRV: quick return valve\nQV: quarterly review\n",
            "handbook/shifts.md": "Check the QRV at the end of every shift.\n",
            "handbook/safety.md": "Wear gloves near the pump.\n",
            "rota.csv": "day,name\nmon,Ines\n",
        },
    ),
    Task(
        "find-variable",
        "Is there an environment variable that turns colours off? Tell me its name, please.",
        (says("LOOM_PLAIN"), never_says("LOOM_QUIET", "LOOM_HOME")),
        {
            "docs/environment.md": "- `LOOM_HOME`: where patterns are kept\n- `LOOM_QUIET`: no progress bar\n"
            "- `LOOM_PLAIN`: turns colours off in the terminal\n",
            "docs/patterns.md": "A pattern has a warp and a weft.\n",
            "loom.py": "import os\n\nplain = 'LOOM_PLAIN' in os.environ\n",
            "README.md": "Weaves text.\n",
        },
    ),
    Task(
        "find-spread",
        "In how many of these files does the name Halvorsen turn up?",
        (says("3", "three"),),
        {
            "parish/births.txt": "Anders Halvorsen, son of Nils Halvorsen\nRagna Dahl\nLars Halvorsen\n",
            "parish/deaths.txt": "Berit Moen\nOle Halvorson\n",
            "parish/weddings.txt": "Siri Lund and Jon Halvorsen\n",
            "ships/crew.txt": "mate: P. Halvorsen\ncook: A. Berg\n",
            "ships/cargo.txt": "salt, timber, herring\n",
            "sources.md": "Copied from the books in the town hall.\n",
        },
    ),
]

LIST = [
    Task(
        "list-gap",
        "The lessons in course/ are numbered from 01 to 09 but one got lost. Which one? Only its number please.",
        (says("06", "6", "six", "lesson-06"), never_says("02", "2", "03", "3", "04", "4")),
        {
            **{f"course/lesson-0{number}.md": "# Lesson\n" for number in (1, 2, 3, 4, 5, 7, 8, 9)},
            "course/solutions.txt": "ask the teacher\n",
            "drafts/lesson-10.md": "# Lesson\n",
        },
    ),
    Task(
        "list-intruder",
        "one file in shots isnt a png, which? just the name",
        (says("upload.log"), never_says("canal.png", "ferry.png", "roof.png", "index.html")),
        {
            **{f"shots/{name}.png": "image\n" for name in ("canal", "dock", "ferry", "gate", "roof", "wharf")},
            "shots/upload.log": "6 sent\n",
            "index.html": "<h1>Harbour</h1>\n",
            "style.css": "h1 { color: navy }\n",
        },
    ),
    Task(
        "list-yaml",
        "Could you tell me the names of the YAML files directly in deploy? I don't need the ones in its subfolders.",
        (says_all("base.yaml", "queue.yaml", "web.yaml"), never_says("cron.yaml", "ci.yaml", "run.sh", "NOTES.md")),
        {
            "deploy/base.yaml": "replicas: 1\n",
            "deploy/queue.yaml": "replicas: 2\n",
            "deploy/web.yaml": "replicas: 4\n",
            "deploy/run.sh": "echo deploy\n",
            "deploy/NOTES.md": "Base first.\n",
            "deploy/retired/cron.yaml": "replicas: 0\n",
            "ci.yaml": "steps: []\n",
        },
    ),
]

_PROCESSES = "web: python app.py --public\nworker: python jobs.py\n"
_ENVIRONMENT = "STORE_URL=http://localhost:9200\nSTORE_USER=guest\nPAGE_SIZE=25\n"

WRITE = [
    Task(
        "write-block",
        f"I need a Procfile with exactly these two lines:\n\n{_PROCESSES}",
        (holds("Procfile", _PROCESSES),),
        {"app.py": "print('app')\n", "jobs.py": "print('jobs')\n", "runtime.txt": "python-3.12\n"},
        changes=("Procfile",),
    ),
    Task(
        "write-copy",
        "Make me a local.env that is an exact copy of template.env.",
        (holds("local.env", _ENVIRONMENT),),
        {
            "template.env": _ENVIRONMENT,
            "test.env": "STORE_URL=http://test:9200\nPAGE_SIZE=5\n",
            "store.py": "import os\n\nprint(os.environ['STORE_URL'])\n",
        },
        changes=("local.env",),
    ),
    Task(
        "write-function",
        "Please write a Python module tank.py with one function, volume(length, width, depth), that returns the three "
        "multiplied with each other.",
        (prints("import tank; print(tank.volume(6, 7, 11), tank.volume(2, 5, 3))", "462 30"),),
        {
            "fish.py": "def count(names):\n    return len(names)\n",
            "pump.py": "def litres(hours):\n    return hours * 40\n",
            "README.md": "Helps with an aquarium.\n",
        },
        changes=("tank.py",),
    ),
    Task(
        "write-sorted",
        "signup.txt is in the order people came. I'd like the same names in alphabetical order in a new file "
        "sorted.txt, one name per line.",
        (holds_lines("sorted.txt", ["Benoit", "Chidi", "Greta", "Mirela", "Tarek", "Yuki"]),),
        {
            "signup.txt": "Mirela\nChidi\nYuki\nBenoit\nTarek\nGreta\n",
            "waiting.txt": "Anouk\nPaulo\n",
            "hall.md": "Thirty chairs.\n",
        },
        changes=("sorted.txt",),
    ),
]

_BACKUP = "[backup]\ntarget = /mnt/vault\nkeep = 8\n#compress = yes\n#encrypt = yes\n"
_GUESTS = "Harriet\nBasil\nRasmus\nLeonie\nErasmus\n"
_FLYER = "# Book binding for beginners\n\nWhen: 9 June, doors open at 9:30\nWhere: old brewery\nCost: 9 euros\n"
_PARITY = "def is_even(n):\n    return n % 2 == 1\n\n\ndef is_odd(n):\n    return n % 2 == 1\n"

EDIT = [
    Task(
        "edit-uncomment",
        "backup.ini has compress commented out. Uncomment it (leave encrypt off).",
        (holds("backup.ini", _BACKUP.replace("#compress", "compress")),),
        {"backup.ini": _BACKUP, "backup.sample.ini": "[backup]\n#compress = yes\n", "restore.sh": "echo restore\n"},
        changes=("backup.ini",),
    ),
    Task(
        "edit-remove",
        "Rasmus can't come, take him off guests.txt",
        (holds_lines("guests.txt", ["Harriet", "Basil", "Leonie", "Erasmus"]),),
        {"guests.txt": _GUESTS, "drivers.txt": "Basil\nRasmus\n", "menu.txt": "soup\npie\n"},
        changes=("guests.txt",),
    ),
    Task(
        "edit-date",
        "The workshop was moved by a day: it's on 10 June now. Could you correct the date in flyer.md? Thanks a lot.",
        (holds("flyer.md", _FLYER.replace("9 June", "10 June")),),
        {"flyer.md": _FLYER, "poster.md": "Book binding, 9 June\n", "material.txt": "thread, glue, paper\n"},
        changes=("flyer.md",),
    ),
    Task(
        "edit-bug",
        "is_even in parity.py compares the remainder with 1. It should compare it with 0. Fix only that.",
        (holds("parity.py", _PARITY.replace("== 1", "== 0", 1)),),
        {
            "parity.py": _PARITY,
            "primes.py": "from parity import is_even\n\nprint([n for n in range(9) if is_even(n)])\n",
            "notes.md": "is_odd is fine.\n",
        },
        changes=("parity.py",),
    ),
]

_DICE = """\
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, default=1)
state = parser.parse_args().seed
total = 0
for _ in range(300):
    state = (state * 1103 + 12345) % 32768
    total += state // 64 % 6 + 1
print("sum of 300 dice:", total)
"""
_TRIPS = """\
totals = {}
for line in open("legs.csv").read().splitlines()[1:]:
    trip, km = line.split(",")
    totals[trip] = totals.get(trip, 0) + int(km)
for trip in sorted(totals):
    print(trip, totals[trip], "km")
"""
_TOWNS = ("Bilbao", "Odense", "Ravenna", "Tampere")
_LEGS = "trip,km\n" + "".join(f"{_TOWNS[n % 4]},{20 + n * n * 7 % 83 + n % 4 % 3 * 9}\n" for n in range(72))

RUN = [
    Task(
        "run-exit",
        "Run check.sh with sh. With which exit code does it end?",
        (says("11"),),
        {
            "check.sh": 'jobs=$(wc -l < queue.txt)\necho "checked the queue"\nexit $((jobs * 3 % 40))\n',
            "queue.txt": "".join(f"job-{chr(97 + n)}\n" for n in range(17)),
            "done.txt": "job-x\njob-y\n",
        },
    ),
    Task(
        "run-option",
        "dice.py takes a --seed. Run it with seed 2187 and tell me the sum it comes to.",
        (says("1075"),),
        {"dice.py": _DICE, "rules.md": "Highest sum wins.\n", "scores.txt": "Ilya 1012\nMaud 1066\n"},
    ),
    Task(
        "run-trips",
        "please run trips.py and tell me which trip is the longest and how many km it has",
        (says_all("Ravenna", "1448"),),
        {"trips.py": _TRIPS, "legs.csv": _LEGS, "hotels.csv": "town,nights\nBilbao,3\nOdense,2\n"},
    ),
    Task(
        "run-cksum",
        "I want to compare a download: what checksum does `cksum firmware.txt` give?",
        (says("2610979332"),),
        {
            "firmware.txt": "".join(f"{n:03d} {n * n * 37 % 9973:04x}\n" for n in range(90)),
            "firmware.old.txt": "000 0000\n",
            "changes.md": "Fewer beeps.\n",
        },
    ),
]

TASKS = [*FIND, *LIST, *WRITE, *EDIT, *RUN, *tasks_fresh_more.TASKS]
