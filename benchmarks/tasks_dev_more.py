"""More tasks that prompts are tuned on: find, list, write, edit. The other families stand in `tasks_dev_more2.py`."""

from benchmarks.task_cases import Task, holds, holds_json, holds_lines, never_says, says, says_all

FIND = [
    Task(
        "find-letter",
        "Which of the letters talks about a lighthouse?",
        (says("clara.txt", "Clara"), never_says("anna.txt", "bruno.txt")),
        {
            "letters/anna.txt": "Dear all,\nthe train was late and the house was cold.\nAnna\n",
            "letters/bruno.txt": "Hello,\na light rain all week, we stayed inside.\nBruno\n",
            "letters/clara.txt": "My dears,\nwe walked out to the lighthouse at low tide.\nClara\n",
            "notes.md": "Answer the letters by Sunday.\n",
        },
    ),
    Task(
        "find-fixme",
        "what line of parser.py has the FIXME?",
        (says("8", "line 8", "eighth"), never_says("line 2")),
        {
            "parser.py": "import re\n\n\ndef split(text):\n    return text.split()\n\n\n"
            '# FIXME: tabs are lost\ndef join(words):\n    return " ".join(words)\n',
            "lexer.py": "import re\n# FIXME: slow\nWORD = re.compile('[a-z]+')\n",
            "README.md": "A parser for plain words.\n",
        },
    ),
    Task(
        "find-code",
        "Search the logs for the error E4031 and give me the name of the file it is in.",
        (says("tue.log"), never_says("mon.log", "wed.log", "errors.md")),
        {
            "logs/mon.log": "start\nerror E4013 disk is full\nstop\n",
            "logs/tue.log": "start\nwarning W12\nerror E4031 no answer from the printer\nstop\n",
            "logs/wed.log": "start\nstop\n",
            "errors.md": "E4013: free some space.\n",
        },
    ),
    Task(
        "find-function",
        "Where is the function slugify defined? I need the file.",
        (says("clean.py"), never_says("README.md")),
        {
            "text/clean.py": 'def slugify(title):\n    return title.lower().replace(" ", "-")\n',
            "text/count.py": "def words(text):\n    return len(text.split())\n",
            "web/pages.py": 'from text.clean import slugify\n\nprint(slugify("Hello you"))\n',
            "README.md": "Pages get an address made of their title.\n",
        },
    ),
    Task(
        "find-phone",
        "I need the plumber's phone number, it's somewhere in these files.",
        (says("555-0142"), never_says("555-0187", "555-0110")),
        {
            "house/repairs.txt": "electrician: Jan Bos, 555-0187\nplumber: Iva Novak, 555-0142\n",
            "house/rent.txt": "due on the first of the month\n",
            "school.txt": "office: 555-0110\n",
            "shopping.txt": "bread\nplums\n",
        },
    ),
]

LIST = [
    Task(
        "list-pictures",
        "how many jpg pictures do I have in holiday?",
        (says("5", "five"),),
        {
            **{f"holiday/{name}.jpg": "picture\n" for name in ("beach", "boat", "market", "sunset", "tower")},
            "holiday/waves.mov": "film\n",
            "holiday/captions.txt": "beach: the first day\n",
            "work/desk.jpg": "picture\n",
        },
    ),
    Task(
        "list-folders",
        "Name the folders inside projects.",
        (says_all("alder", "maple", "willow"), never_says("index.txt", "attic")),
        {
            "projects/alder/plan.md": "# Alder\n",
            "projects/maple/plan.md": "# Maple\n",
            "projects/willow/plan.md": "# Willow\n",
            "projects/index.txt": "see the plans\n",
            "attic/plan.md": "# Given up\n",
        },
    ),
    Task(
        "list-python",
        "There is one Python file in the scripts folder. What is it called?",
        (says("backup.py"), never_says("rotate.sh", "mail.pl", "usage.txt", "report.py")),
        {
            "scripts/rotate.sh": "echo rotate\n",
            "scripts/backup.py": "print('backup')\n",
            "scripts/mail.pl": 'print "mail";\n',
            "scripts/usage.txt": "run by cron\n",
            "report.py": "print('report')\n",
        },
    ),
    Task(
        "list-nested",
        "list docs/guide please",
        (says_all("install.md", "upgrade.md", "plugins.md"), never_says("api.md", "index.md")),
        {
            "docs/guide/install.md": "# Install\n",
            "docs/guide/plugins.md": "# Plugins\n",
            "docs/guide/upgrade.md": "# Upgrade\n",
            "docs/api.md": "# API\n",
            "index.md": "# Welcome\n",
        },
    ),
]

WRITE = [
    Task(
        "write-reminder",
        "make a file reminder.txt with this text: Call the dentist on Friday",
        (holds("reminder.txt", "Call the dentist on Friday"),),
        {"todo.txt": "buy stamps\n", "numbers.txt": "dentist: 555-0133\n", "diary.md": "# Monday\n"},
        changes=("reminder.txt",),
    ),
    Task(
        "write-settings",
        'I need a settings.json with three keys: theme is "dark", font_size is 14 and autosave is true.',
        (holds_json("settings.json", {"theme": "dark", "font_size": 14, "autosave": True}),),
        {
            "editor.py": "import json\n\nprint(json.load(open('settings.json')))\n",
            "defaults.ini": "[editor]\ntheme = light\n",
            "README.md": "A small editor.\n",
        },
        changes=("settings.json",),
    ),
    Task(
        "write-lines",
        "Put the words apple, pear and plum into fruit.txt, one per line.",
        (holds_lines("fruit.txt", ["apple", "pear", "plum"]),),
        {"vegetables.txt": "carrot\nleek\n", "nuts.txt": "almond\n", "README.md": "Lists of food.\n"},
        changes=("fruit.txt",),
    ),
    Task(
        "write-folder",
        "Create a new folder drafts/novel with a file start.txt in it. It should hold one line: It was a cold May.",
        (holds("drafts/novel/start.txt", "It was a cold May."),),
        {
            "drafts/poem.txt": "The rain, the rain.\n",
            "drafts/essay.txt": "On walking.\n",
            "start.txt": "Read the drafts first.\n",
        },
        changes=("drafts/novel/start.txt",),
    ),
    Task(
        "write-table",
        "Write scores.csv: first the header name,points and then two rows, Lena with 12 points and Omar with 9.",
        (holds("scores.csv", "name,points\nLena,12\nOmar,9\n"),),
        {
            "players.txt": "Lena\nOmar\nSven\n",
            "rules.md": "Three rounds, no jokers.\n",
            "old/scores.csv": "name,points\nSven,4\n",
        },
        changes=("scores.csv",),
    ),
]

_SETUP = """\
[metadata]
name = kiteline
version = 1.4.2

[options]
install_requires =
    helper>=1.4
"""

_MENU = """\
# Menu

- espresso 2.20
- latte 3.40
- mocha 3.90
- green tea 2.80
"""

_TOML = """\
[server]
host = "localhost"
debug = true
verbose = true
workers = 2
"""

_LETTER = """\
Dear Ms Okafor,

you will recieve the parcel on Thursday.
Please sign the receipt.

Yours, Tom
"""

EDIT = [
    Task(
        "edit-version",
        "Bump the version in setup.cfg from 1.4.2 to 1.5.0.",
        (holds("setup.cfg", _SETUP.replace("1.4.2", "1.5.0")),),
        {"setup.cfg": _SETUP, "CHANGES.md": "## 1.4.2\n\n- Fewer crashes.\n", "kiteline.py": "print('kite')\n"},
        changes=("setup.cfg",),
    ),
    Task(
        "edit-spelling",
        "letter.txt has a spelling mistake, recieve instead of receive. Correct it!",
        (holds("letter.txt", _LETTER.replace("recieve", "receive")),),
        {"letter.txt": _LETTER, "address.txt": "Ms Okafor, 4 Mill Lane\n", "stamps.txt": "six left\n"},
        changes=("letter.txt",),
    ),
    Task(
        "edit-price",
        "The latte costs 3.80 now, can you update menu.md?",
        (holds("menu.md", _MENU.replace("latte 3.40", "latte 3.80")),),
        {
            "menu.md": _MENU,
            "opening.md": "8 to 18, closed on Monday\n",
            "menu_winter.md": "- latte 3.10\n- cocoa 3.60\n",
        },
        changes=("menu.md",),
    ),
    Task(
        "edit-flag",
        "set debug to false in conf/app.toml",
        (holds("conf/app.toml", _TOML.replace("debug = true", "debug = false")),),
        {"conf/app.toml": _TOML, "conf/test.toml": "[server]\ndebug = true\n", "app.py": "print('app')\n"},
        changes=("conf/app.toml",),
    ),
    Task(
        "edit-append",
        "Add the line - eggs at the end of shopping.md and leave the rest as it is.",
        (holds("shopping.md", "# Saturday\n\n- flour\n- butter\n- jam\n- eggs\n"),),
        {
            "shopping.md": "# Saturday\n\n- flour\n- butter\n- jam\n",
            "pantry.md": "- rice\n- salt\n",
            "budget.txt": "40 a week\n",
        },
        changes=("shopping.md",),
    ),
]

TASKS = [*FIND, *LIST, *WRITE, *EDIT]
