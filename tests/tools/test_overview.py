from pathlib import Path

from tools.overview import overview


def test_a_small_workspace_is_named_file_by_file(folder: Path) -> None:
    assert overview(folder) == "Files in the workspace: none"
    (folder / "docs").mkdir()
    (folder / "docs/a.md").touch()
    (folder / "main.py").touch()
    (folder / ".git").mkdir()
    (folder / ".git/config").touch()
    assert overview(folder) == "Files in the workspace: main.py, docs/a.md"


def test_a_large_one_by_its_top_and_never_at_length(folder: Path) -> None:
    for number in range(50):
        (folder / "src").mkdir(exist_ok=True)
        (folder / f"src/module{number}.py").touch()
    (folder / "README.md").touch()
    assert overview(folder) == "Files in the workspace: README.md, src/"
    for number in range(100):
        (folder / f"report{number}.txt").touch()
    text = overview(folder)
    assert len(text) < 450 and text.endswith(", and more") and "README.md" in text
