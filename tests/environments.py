"""Python environments as a stranger has them: wheels, and nothing of this checkout."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Final

from tests.processes import run

ROOT: Final = Path(__file__).parent.parent


def build_wheel(project: Path, folder: Path) -> Path:
    """The wheel of a project, built into a folder that is new."""
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, project, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


class Environment:
    """A fresh virtual environment with these wheels; what they need is that of the environment that runs the tests."""

    def __init__(self, folder: Path, *wheels: Path) -> None:
        venv.create(folder, symlinks=os.name != "nt")
        self.python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        self.home = folder / "home"
        self.home.mkdir()
        paths = {"base": str(folder), "platbase": str(folder)}
        site = Path(sysconfig.get_path("purelib", vars=paths))
        # A line of a .pth file is a folder on the path behind the environment's own; its .pth files are not read.
        (site / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
        install = [sys.executable, "-m", "pip", "--python", str(self.python), "install", "--quiet", "--no-deps"]
        options = ["--no-index", "--disable-pip-version-check", "--force-reinstall", "--no-compile"]
        run(*install, *options, *wheels, check=True)
        self._script("pytest", f'exec "{self.python}" -m pytest "$@"')
        self._script("pip", f'exec "{sys.executable}" -m pip --python "{self.python}" "$@"')

    @property
    def variables(self) -> dict[str, str]:
        """What a shell needs to be in this environment; pip takes what is there already, and asks no registry."""
        offline = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_QUIET": "1"}
        places = {"HOME": str(self.home), "XDG_STATE_HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home)}
        path = os.pathsep.join((str(self.python.parent), os.environ["PATH"]))
        return {**offline, **places, "PATH": path, "PYTHONIOENCODING": "utf-8", "PYTHONPATH": ""}

    def _script(self, name: str, line: str) -> None:
        script = self.python.parent / name
        script.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        script.chmod(0o755)

    def run(self, *arguments: str | Path, cwd: Path) -> "subprocess.CompletedProcess[str]":
        """Run the environment's Python in a folder."""
        return run(self.python, *arguments, cwd=cwd, env={**os.environ, **self.variables})
