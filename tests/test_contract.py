"""The contract suite over every discovered provider, unasked."""

from pathlib import Path

from mjbridge import plugins
from mjbridge.testing import ProviderContract

FIXTURES = Path(__file__).parent.parent / "fixtures"


def _suite(name: str) -> type[ProviderContract]:
    folder = FIXTURES / name
    return type(
        f"Test_{name}", (ProviderContract,), {"provider": name, "fixtures": folder if folder.is_dir() else None}
    )


globals().update({f"Test_{name}": _suite(name) for name in plugins.names()})


def test_each_of_our_providers_has_fixtures_of_every_kind() -> None:
    """A provider of this repository without requests, replies and records would be tested by less than it promises."""
    for name in ("apimart", "cometapi", "mjproxy", "octopusx"):
        assert name in plugins.names()
        for kind in ("requests", "replies", "records"):
            assert list((FIXTURES / name / kind).glob("*.json")), f"{name} has no {kind}"
