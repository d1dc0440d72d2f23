"""What the pages do not say twice: tables, pictures and excerpts, made of the code each time the docs are built.

A line that is a link with a title, `[TEXT](PLACE "NAME ARGUMENT")`, gives way to what the function of that name makes;
as it stands in the repository, it leads to the code that this is made of. MkDocs calls the two functions whose names
begin with `on_`; nothing else here knows of it.
"""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from excerpts import ROOT, gates, modules, source
from pictures import house, way
from provider_page import provider
from reference import categories, commands, options, settings

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

DIRECTIVES: Final[Mapping[str, Callable[[str], str]]] = {
    each.__name__: each
    for each in (categories, commands, gates, house, modules, options, provider, settings, source, way)
}
DIRECTIVE: Final = re.compile(r'^\[.+\]\(\S+ "(?P<name>\w+)(?: (?P<argument>.+))?"\)$', re.MULTILINE)
# Pages that stand at the top of the repository, where people look for them first.
_FROM_THE_TOP: Final = {"index.md": "README.md", "changes.md": "CHANGELOG.md"}


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """The pages of `docs/`, and those from the top of the repository."""
    from mkdocs.structure.files import File  # noqa: PLC0415 the tests import this module, and the extra `test` has no MkDocs

    for page, origin in _FROM_THE_TOP.items():
        text = (ROOT / origin).read_text(encoding="utf-8").replace("](docs/", "](")
        for other, its_origin in _FROM_THE_TOP.items():
            text = text.replace(f"]({its_origin})", f"]({other})")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """A page with its directives carried out."""
    return render(markdown)


def render(markdown: str) -> str:
    """A page with its directives carried out; `KeyError` for one that does not exist."""
    return DIRECTIVE.sub(lambda found: DIRECTIVES[found["name"]](found["argument"] or ""), markdown)
