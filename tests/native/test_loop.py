"""The timed loop in C alone, and the compiled module, under the sanitizers."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SOURCES = HERE.parent.parent / "native"
SANITIZE = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def sanitizer(name: str) -> str:
    """Path of the compiler's sanitizer library; skips without it."""
    done = subprocess.run(["cc", f"-print-file-name={name}"], capture_output=True, text=True)
    path = done.stdout.strip()
    if not Path(path).is_absolute():
        pytest.skip(f"the compiler has no {name}")
    return path


def test_the_loop_alone(tmp_path: Path) -> None:
    sanitizer("libasan.so")
    program = tmp_path / "loop_test"
    warnings = ["-Wall", "-Wextra", "-Wconversion", "-Werror", "-std=c11", "-D_GNU_SOURCE"]
    source = str(HERE / "loop_test.c")
    command = ["cc", *SANITIZE, *warnings, f"-I{SOURCES}", "-o", str(program), source]
    subprocess.run(command, check=True)
    done = subprocess.run([program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "ok\n"


def test_the_module_passes_its_tests_under_the_sanitizers(tmp_path: Path) -> None:
    """A copy of the room, compiled with them, runs test_plan.py; leaks are counted there."""
    preload = f"{sanitizer('libasan.so')}:{sanitizer('libubsan.so')}"
    room = tmp_path / "collcast" / "native"
    room.mkdir(parents=True)
    (tmp_path / "collcast" / "__init__.py").write_text("", encoding="utf-8")
    spec = importlib.util.find_spec("collcast.native")
    assert spec is not None
    for path in Path(str(spec.origin)).parent.glob("*.py"):
        (room / path.name).write_bytes(path.read_bytes())
    include = f"-I{sysconfig.get_path('include')}"
    module = room / f"_timing{sysconfig.get_config_var('EXT_SUFFIX')}"
    source = str(SOURCES / "_timing.c")
    command = ["cc", *SANITIZE, "-shared", "-fPIC", include, "-o", str(module), source]
    subprocess.run(command, check=True)
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path),
        "LD_PRELOAD": preload,
        "ASAN_OPTIONS": "detect_leaks=0",  # Python's own allocations at exit
        "PYTHONMALLOC": "malloc",
    }
    where = [sys.executable, "-S", "-c", "import collcast.native._timing as t; print(t.__file__)"]
    found = subprocess.run(where, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(module)
    tests = [str(HERE / "test_plan.py"), "-k", "not leaks"]
    pytest_command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(pytest_command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert " passed" in done.stdout
