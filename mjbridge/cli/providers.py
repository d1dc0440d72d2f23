"""`mjbridge providers`: the installed plugins."""

from typing import Final

import click
import msgspec

from mjbridge import plugins
from mjbridge.cli.output import show_table, write_line


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print each provider as one line of JSON.")
def providers(as_json: bool) -> None:
    """List the installed providers, the broken ones too.

    One that does not work says why; the others are not the worse for it.
    """
    found = list(plugins.providers().values())
    if not as_json:
        rows = [(each.name, each.distribution, _address(each), each.fault or "works") for each in found]
        show_table(("provider", "distribution", "base URL", "state"), rows, copied=("provider", "base URL"))
        return
    for info in found:
        write_line(msgspec.json.encode(info))


def _address(info: plugins.ProviderInfo) -> str:
    return "" if info.fault else info.base_url or "the account's"


CLI_COMMANDS: Final = (providers,)
