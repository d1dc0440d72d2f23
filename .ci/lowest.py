"""Print constraints that pin every dependency to the lowest version that pyproject.toml allows."""

import re
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
declared = [*project["dependencies"], *(each for extra in project["optional-dependencies"].values() for each in extra)]
for requirement in sorted(set(declared)):
    lowest = re.fullmatch(r"(?P<name>[\w.-]+)>=(?P<version>[\w.]+)", requirement)
    if lowest:
        print(f"{lowest['name']}=={lowest['version']}")
    elif not requirement.startswith("mjbridge["):
        raise SystemExit(f"{requirement}: a dependency states its lowest version, as in name>=1.2")
