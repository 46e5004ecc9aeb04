"""Tasks that prompts are tuned on: one change in a file that has more than one place for it."""

from benchmarks.task_cases import Task, holds

_RETRY = '''"""Fetches pages."""

import time

LIMIT = 12
PAUSE = 0.5


def fetch(url, limit=LIMIT):
    for attempt in range(limit):
        print(url, attempt)
        time.sleep(PAUSE)
'''
_YAML = "service:\n  name: pigeon\n  port: 7300\n  workers: 2\nadmin:\n  port: 7301\n  workers: 1\n"
_TEAM = "| name | desk | phone |\n|---|---|---|\n| Aino | 4 | 211 |\n| Bela | 7 | 245 |\n| Cato | 9 | 278 |\n"
_TODO = "# Week 20\n\n- [ ] call the tax office\n- [ ] order toner\n- [x] book the hall\n"
_MAIL = "Dear Ms Lund,\n\nthe workshop is on 4 June in the Blue Room.\nPlease bring your badge.\n\nKind regards\nOtto\n"
_SHELL = "#!/bin/sh\nset -e\nexport REGION=north\nexport STAGE=test\n./deploy --region $REGION\n"
_INI = "[window]\nwidth = 800\nheight = 600\n\n[theme]\nname = dark\n# accent = teal\n"
_CODE = "def area(w, h):\n    return w * h\n\n\ndef perimeter(w, h):\n    return 2 * (w + h)\n\n\nprint(area(3, 4))\n"
_ROUTE = "10.2.0.5 gate\n10.2.0.6 scanner\n10.2.0.8 kiosk\n10.2.0.9 till\n"
_JSON = '{\n  "city": "Brno",\n  "open": true,\n  "seats": 48\n}\n'


def _edit(name: str, prompt: str, file: str, text: str, old: str, new: str) -> Task:
    more = {"notes.txt": "nothing here\n", "README.md": "A small project.\n"}
    return Task(f"edit-{name}", prompt, (holds(file, text.replace(old, new)),), {file: text, **more}, changes=(file,))


TASKS = [
    _edit("limit", "Raise LIMIT in fetch.py to 30.", "fetch.py", _RETRY, "LIMIT = 12", "LIMIT = 30"),
    _edit("pause", "Make the pause in fetch.py 2 seconds.", "fetch.py", _RETRY, "PAUSE = 0.5", "PAUSE = 2"),
    _edit("port", "change the admin port in pigeon.yaml to 7400", "pigeon.yaml", _YAML, "7301", "7400"),
    _edit("workers", "The service in pigeon.yaml needs 6 workers.", "pigeon.yaml", _YAML, "workers: 2", "workers: 6"),
    _edit("phone", "Bela's phone is 246 now, please correct team.md.", "team.md", _TEAM, "245", "246"),
    _edit("done", "I ordered toner. Tick it off in todo.md.", "todo.md", _TODO, "[ ] order toner", "[x] order toner"),
    _edit("date", "In invitation.txt move the workshop to 11 June.", "invitation.txt", _MAIL, "4 June", "11 June"),
    _edit("room", "invitation.txt: not the Blue Room but the Red Room", "invitation.txt", _MAIL, "Blue", "Red"),
    _edit("region", "Set REGION to south in deploy.sh.", "deploy.sh", _SHELL, "REGION=north", "REGION=south"),
    _edit("comment", "Uncomment the accent line in app.ini.", "app.ini", _INI, "# accent", "accent"),
    _edit("width", "Make the window in app.ini 1024 wide.", "app.ini", _INI, "width = 800", "width = 1024"),
    _edit("remove", "Delete the line with the kiosk from routes.txt.", "routes.txt", _ROUTE, "10.2.0.8 kiosk\n", ""),
    _edit("route", "the scanner moved to 10.2.0.60, update routes.txt", "routes.txt", _ROUTE, "0.6 s", "0.60 s"),
    _edit("number", "Set seats to 52 in venue.json.", "venue.json", _JSON, "48", "52"),
    _edit("bool", "The venue is closed now: change venue.json.", "venue.json", _JSON, "true", "false"),
    _edit(
        "call", "In shapes.py print the perimeter instead of the area.", "shapes.py", _CODE, "(area(3", "(perimeter(3"
    ),
    _edit("rename", "Rename kiosk to desk in routes.txt", "routes.txt", _ROUTE, "kiosk", "desk"),
    _edit(
        "insert",
        "Add a line 10.2.0.7 camera after the scanner in routes.txt.",
        "routes.txt",
        _ROUTE,
        "scanner\n",
        "scanner\n10.2.0.7 camera\n",
    ),
]
