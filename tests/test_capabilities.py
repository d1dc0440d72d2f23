"""What the providers can do, as a table, as data and in the documentation; and what a shell completes."""

import json
from pathlib import Path
from typing import Final

import msgspec
import pytest

from mjbridge import Cancel, Level, Provider, Upload, plugins
from mjbridge.commands import COMMANDS, PARAMETERS, ByButton, Command, Drawing
from tests.exchanges import PROVIDERS
from tests.shell import Shell

PAGE = Path(__file__).parent.parent / "docs" / "capabilities.md"


def test_every_provider_says_of_every_command_whether_it_can(shell: Shell) -> None:
    cells = [json.loads(line) for line in shell("capabilities", "--json").stdout.splitlines()]
    told = {(cell["provider"], cell["command"]): cell["level"] for cell in cells}
    assert len(told) == len(cells)
    for provider in PROVIDERS:
        for kind in COMMANDS:
            assert told[provider, kind.__name__] == plugins.load(provider).support(kind).level


def test_the_table_has_a_row_a_command_and_a_column_a_provider(shell: Shell) -> None:
    out = shell("capabilities").stdout.decode()
    assert all(name in out for name in PROVIDERS)
    assert all(kind.__name__ in out for kind in COMMANDS)
    one = shell("capabilities", "--provider", "apimart").stdout.decode()
    assert "apimart" in one
    assert "cometapi" not in one


def test_the_documentation_says_the_same(shell: Shell) -> None:
    """If not: `mjbridge capabilities --markdown` prints the table that belongs there."""
    assert shell("capabilities", "--markdown").stdout.decode() in PAGE.read_text(encoding="utf-8")


def test_a_provider_that_does_not_exist_is_misuse(shell: Shell) -> None:
    done = shell("capabilities", "--provider", "comet")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"did you mean 'cometapi'?" in done.stderr


def _sayable(provider: Provider, kind: type[Command]) -> set[str]:
    """The fields of a command that some request of the provider says."""
    flags = PARAMETERS if issubclass(kind, Drawing) else ()
    rows = [body for body in provider.bodies if body.kind is kind]
    return {"extra", *provider.placed, *flags, *(name for row in rows for name in (*row.keys, *row.says))}


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_field_that_no_request_says_has_a_way_round(name: str) -> None:
    provider = plugins.load(name)()
    for kind in provider.supports:
        support = provider.support(kind)
        if issubclass(kind, ByButton) and support.level is Level.EMULATED:
            unsaid = set(kind.beyond_button)
        else:
            unsaid = {field.name for field in msgspec.structs.fields(kind)} - _sayable(provider, kind)
        for field in unsaid - _APART.get(kind, set()):
            what = provider.lacks.get(f"{kind.__name__}.{field}") or provider.lacks.get(field)
            assert what, f"{name} has no {field} on {kind.__name__}, and does not say what to do"


# These requests have no row: what they cannot say is told where they are made.
_APART: Final[dict[type[Command], set[str]]] = {
    Upload: {"images", "speed", "state"},
    Cancel: {"task_id", "speed", "state"},
}


def test_what_no_provider_mentions_is_unsupported() -> None:
    class Unheard(Command, frozen=True):
        pass

    assert plugins.load("apimart").support(Unheard).level is Level.UNSUPPORTED


# Completion, by the protocol that click's shell scripts speak.


def completed(shell: Shell, *words: str) -> list[str]:
    """What the last of the words may become."""
    shell.environment |= {
        "_MJBRIDGE_COMPLETE": "bash_complete",
        "COMP_WORDS": "\n".join(["mjbridge", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = shell()
    for name in ("_MJBRIDGE_COMPLETE", "COMP_WORDS", "COMP_CWORD"):
        del shell.environment[name]
    assert (done.returncode, done.stderr) == (0, b"")
    return [line.partition(",")[2] for line in done.stdout.decode().splitlines() if line]


def test_accounts_and_routes_are_completed(shell: Shell) -> None:
    config = '[accounts.main]\nprovider = "mjproxy"\n[accounts.more]\nprovider = "apimart"\n[routes]\nmost = ["main"]\n'
    (shell.folder / "mjbridge.toml").write_text(config)
    assert completed(shell, "imagine", "--account", "m") == ["main", "more", "most"]
    (shell.folder / "mjbridge.toml").rename(shell.folder / "other.toml")
    assert completed(shell, "imagine", "--account", "m") == []
    assert completed(shell, "--config", "other.toml", "imagine", "--account", "mor") == ["more"]


@pytest.mark.parametrize(
    "words", [("normalize",), ("normalize", "in.jsonl", "-o"), ("normalize", "--rejects"), ("video",), ("--config",)]
)
def test_files_are_completed_by_the_shell(words: tuple[str, ...], shell: Shell) -> None:
    assert completed(shell, *words, "exp") == ["exp"]  # of the type `file`


@pytest.mark.parametrize("words", [("imagine", "--emulate"), ("emulate", "--provider"), ("capabilities", "--provider")])
def test_providers_are_completed(words: tuple[str, ...], shell: Shell) -> None:
    assert completed(shell, *words, "") == sorted(PROVIDERS)
    assert completed(shell, *words, "oct") == ["octopusx"]


def test_refs_are_completed_the_latest_first(shell: Shell) -> None:
    refs = [shell.task("imagine", "pig", "--emulate", name, "--no-wait").ref for name in ("apimart", "mjproxy")]
    for command in ("fetch", "upscale", "show"):
        assert completed(shell, command, "emu") == refs[::-1]
    assert completed(shell, "fetch", "emulated-a") == refs[:1]


def test_a_broken_configuration_completes_nothing(shell: Shell) -> None:
    (shell.folder / "mjbridge.toml").write_text("[accounts.main\n")
    assert completed(shell, "imagine", "--account", "") == []


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_every_shell_has_a_script(name: str, shell: Shell) -> None:
    shell.environment["_MJBRIDGE_COMPLETE"] = f"{name}_source"
    assert b"_MJBRIDGE_COMPLETE" in shell().stdout
