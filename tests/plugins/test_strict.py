"""`hashzoo plugins --strict`: a name that leads nowhere is found when plugins are listed, and not in a run."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from hashzoo.cli.main import cli

SOURCE = """
    from hashzoo import Component, Method, Paper, Recipe, hookimpl

    hashzoo_api = 2

    @hookimpl
    def hashzoo_register_losses():
        return [Component("stated", "{build}")]

    @hookimpl
    def hashzoo_register_methods():
        paper = Paper("stated-2020", "A title", "A. Author", "A venue", 2020)
        return [Method("stated", paper, loss="stated", recipe=Recipe(1, 2, {lr}), trainer="{trainer}")]

    class Loss:
        def __init__(self, problem):
            pass
"""
GOOD = {"build": "hashzoo_stated:Loss", "lr": "1e-3", "trainer": "gradient"}
WRONG = [
    ({"trainer": "gradiant"}, "There is no trainer 'gradiant'"),
    ({"build": "hashzoo_stated:Lost"}, "hashzoo_stated:Lost"),
    ({"build": "hashzoo_elsewhere:Loss"}, "No module named 'hashzoo_elsewhere'"),
    ({"lr": "'1e-3'"}, "lr"),
]


def listed(install, monkeypatch, changes):
    install("hashzoo-stated", SOURCE.format(**{**GOOD, **changes}))
    monkeypatch.setenv("HASHZOO_PLUGINS", "stated")
    return CliRunner().invoke(cli, ["plugins", "--strict"])


def test_a_plugin_in_order_passes(install, monkeypatch):
    done = listed(install, monkeypatch, {})
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(("changes", "says"), WRONG, ids=lambda value: str(value)[:30])
def test_a_name_that_leads_nowhere_is_found(install, monkeypatch, changes, says):
    done = listed(install, monkeypatch, changes)
    assert done.exit_code == 1, done.output
    assert says in done.output
