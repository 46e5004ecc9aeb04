"""The tasks for tuning, wide: the twenty of `tasks_dev.py`, then forty more of the same families."""

from benchmarks import tasks_dev, tasks_dev_more, tasks_dev_more2

TASKS = [*tasks_dev.TASKS, *tasks_dev_more.TASKS, *tasks_dev_more2.TASKS]
