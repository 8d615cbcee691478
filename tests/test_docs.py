"""Every command of the README and the docs runs, in the order in which a reader meets them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
QUICK = "--repetitions 3 --warmup 1"


def commands(page: Path) -> list[str]:
    blocks = re.findall(
        r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.partition("  #")[0].strip() for line in lines if line.strip()]


def test_the_readme_has_commands() -> None:
    assert len(commands(ROOT / "README.md")) > 8


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_run(page: Path, shell: Callable[..., Any]) -> None:
    """Sweeps are cut short; make's targets are run by the test run itself, so they must exist."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in commands(page):
        words = shlex.split(command)
        if words[0] == "make":
            assert f"\n{words[1]}:" in makefile
            continue
        fixed = "--repetitions" in command or "--resume" in command
        quick = f" {QUICK}" if " run " in command and not fixed else ""
        done = shell(command + quick)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), target
