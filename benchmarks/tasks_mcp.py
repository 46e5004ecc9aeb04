"""Tasks that prompts are tuned on: tools of other MCP servers beside A2IA's own, among files that do not help."""

from collections.abc import Mapping
from typing import Any

from benchmarks.task_cases import Task, holds, never_says, says, says_all, server_kept

_HOME = {"shopping.txt": "bulbs\nmilk\n", "README.md": "Things of the house.\n", "rooms.txt": "study\nkitchen\nattic\n"}
_SHOP = {"orders.txt": "order 3: BT-115, 1 piece\n", "todo.md": "call the carpenter\n"}
_TRIP = {"trip.md": "# Trip\n\nto the sea by train\n", "packing.csv": "thing,packed\ncoat,no\n"}


def _tickets(wanted: list[tuple[str, str]]) -> Any:
    def right(kept: list[Mapping[str, str]]) -> bool:
        return [(ticket["title"].strip(" .").lower(), ticket["priority"]) for ticket in kept] == wanted

    return server_kept("tickets.json", right)


TASKS = [
    Task("stock-drill", "How many cordless drills are in stock?", (says("7"),), _SHOP, servers=("inventory",)),
    Task("stock-price", "What does article CL-330 cost?", (says("4.75"),), _SHOP, servers=("inventory",)),
    Task(
        "stock-ladder", "what's the price of the step ladder", (says("54.20", "54.2"),), _SHOP, servers=("inventory",)
    ),
    Task(
        "stock-order",
        "Look at order 3 in orders.txt. How many of its article do we have in stock?",
        (says("7"),),
        _SHOP,
        servers=("inventory",),
    ),
    Task("stock-number", "Which article number has the garden hose?", (says("AX-200"),), _SHOP, servers=("inventory",)),
    Task(
        "bus-museum",
        "When is the next bus of line 4 from the Museum?",
        (says("14:41", "2:41"),),
        _TRIP,
        servers=("buses",),
    ),
    Task("bus-code", "What is the stop code of Central Station?", (says("ST1"),), _TRIP, servers=("buses",)),
    Task(
        "bus-hospital",
        "next line 9 bus from Harbour Hospital please",
        (says("15:06", "3:06"),),
        _TRIP,
        servers=("buses",),
    ),
    Task(
        "light-off",
        "Switch off the ceiling lamp in the kitchen.",
        (server_kept("lights.json", lambda kept: kept == {"L11": 0}),),
        _HOME,
        servers=("lights",),
    ),
    Task(
        "light-code",
        "Set light L17 to 60 percent.",
        (server_kept("lights.json", lambda kept: kept == {"L17": 60}),),
        _HOME,
        servers=("lights",),
    ),
    Task(
        "light-list",
        "Which lights do I have in the study?",
        (says("desk lamp", "desk lamps", "L14"),),
        _HOME,
        servers=("lights",),
    ),
    Task(
        "ticket-plain",
        "Make a ticket: Heating in room 3 is cold",
        (_tickets([("heating in room 3 is cold", "normal")]),),
        _HOME,
        servers=("tickets",),
    ),
    Task(
        "ticket-high",
        "Please open a ticket with high priority, title Door lock is stuck.",
        (_tickets([("door lock is stuck", "high")]),),
        _HOME,
        servers=("tickets",),
    ),
    Task(
        "ticket-list",
        "Are there any open tickets at the help desk?",
        (says("no", "not any", "none"),),
        _HOME,
        servers=("tickets",),
    ),
    Task("contact-phone", "What is Marek's phone number?", (says("555-0118"),), _TRIP, servers=("contacts",)),
    Task("contact-city", "In which city does Ines Prado live?", (says("Porto"),), _SHOP, servers=("contacts",)),
    Task(
        "contact-note",
        "Write Ingrid's e-mail address into ingrid.txt.",
        (holds("ingrid.txt", "ingrid@sole.example"),),
        _SHOP,
        servers=("contacts",),
        changes=("ingrid.txt",),
    ),
    Task("weather-plain", "How warm is it in Oslo today?", (says("9"),), _TRIP, servers=("weather",)),
    Task(
        "weather-later",
        "What will the weather be in Lisbon the day after tomorrow?",
        (says("storm", "stormy"),),
        _TRIP,
        servers=("weather",),
    ),
    Task(
        "weather-unit",
        "Give me tomorrow's temperature in Oslo in Fahrenheit.",
        (says("54"),),
        _TRIP,
        servers=("weather",),
    ),
    Task(
        "both-trip",
        "What does trip.md say, how do we travel?",
        (says("train"), never_says("bus")),
        _TRIP,
        servers=("buses",),
    ),
    Task("both-shopping", "What is on my shopping list?", (says_all("bulbs", "milk"),), _HOME, servers=("lights",)),
    Task(
        "two-servers", "What is Ines Prado's phone number?", (says("555-0131"),), _HOME, servers=("lights", "contacts")
    ),
    Task("two-weather", "Will it rain in Oslo today?", (says("rain", "yes"),), _SHOP, servers=("weather", "inventory")),
]
