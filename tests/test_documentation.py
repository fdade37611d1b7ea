"""Commands, links, named files and option tables in the documentation are correct."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml
from terraspore.__main__ import TRAINING_COMMANDS
from terraspore.engine.cli.main import ENGINE_COMMANDS, LazyGroup
from terraspore.engine.protocol.declaration import options_of
from terraspore.engine.protocol.options import CoverageOptions, ImageOptions, RoadOptions, RuntimeOptions
from terraspore.tools import option_tables

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING")),
    *sorted((ROOT / "docs").glob("*.md")),
]
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(terraspore [^`]+)`")
PACKAGED = {path.stem for path in (ROOT / "training" / "configs").glob("*.yaml")}
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def commands():
    """Yield the arguments of every command line in code blocks and in the text, with its page."""
    for page in PAGES:
        text = page.read_text("utf-8")
        lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
        for line in [*lines, *(" ".join(found.split()) for found in INLINE.findall(text))]:
            found = re.match(r"(?:\S+=\S+ )?terraspore ([a-z].*?)(?:\s{2,}.*)?$", line)
            if found:
                yield pytest.param(shlex.split(found[1], comments=True), id=f"{page.stem}: {found[1][:60]}")


@pytest.mark.parametrize("arguments", list(commands()))
def test_command_is_valid(arguments):
    """Every sub-command, option and configuration key exists."""
    command, path = LazyGroup("terraspore", {**ENGINE_COMMANDS, **TRAINING_COMMANDS}), "terraspore"
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        context = click.Context(command)
        name, *arguments = arguments
        if command.name == "vectorize" and command.get_command(context, name) is None:
            return  # the argument is a raster, whose kind is detected
        command, path = command.get_command(context, name), f"{path} {name}"
        assert command is not None, f"there is no {path}"
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    options = {argument.partition("=")[0] for argument in arguments if re.match(r"--?[a-z]", argument)}
    assert options <= {*known, "--help"}, path
    if path == "terraspore train" and arguments:
        from terraspore.training.config import load_config

        packaged = arguments[0] if arguments[0] in PACKAGED else "linknet_camvid"
        pairs = [pair.replace("...", "folder") for pair in arguments[1:] if re.match(r"\w+\.\w+=", pair)]
        load_config(packaged, pairs)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_are_valid(page):
    links = [link for link in LINK.findall(page.read_text("utf-8")) if not link.startswith("http")]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_site_lists_every_page():
    listed = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]
    assert sorted(listed) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))


def test_option_tables_match_the_declarations():
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "option_tables.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"run tools/option_tables.py: {done.stdout}"


@pytest.mark.parametrize(
    ("arguments", "declaration"),
    [
        (("vectorize", "roads"), RoadOptions),
        (("vectorize", "landcover"), CoverageOptions),
        *(
            (arguments, declaration)
            for arguments in (("extract", "roads"), ("extract", "landcover"), ("segment",), ("plan",))
            for declaration in (ImageOptions, RuntimeOptions)
        ),
    ],
)
def test_command_line_has_the_declared_options(arguments, declaration):
    command = LazyGroup("terraspore", ENGINE_COMMANDS)
    for name in arguments:
        command = command.get_command(click.Context(command), name)
    found = {parameter.name: parameter for parameter in command.params}
    documented = set(re.findall("`(--[a-z-]+)", option_tables.format_table(declaration)))
    assert documented <= {flag for each in command.params for flag in (*each.opts, *each.secondary_opts)}
    for name, option in options_of(declaration).items():
        assert f"--{option.flag}" in found[name].opts
        assert option.info.help in found[name].help
        assert option.default_text in found[name].help
        assert not isinstance(found[name].default, (float, int)), "the default belongs in the declaration"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_named_files_exist(page):
    named = re.findall(r"`((?:engine|plugin|training|resources|tests|tools)/[\w./]+)`", page.read_text("utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("declaration", [ImageOptions, RuntimeOptions, RoadOptions, CoverageOptions])
def test_every_option_has_a_title_for_forms(declaration):
    assert [name for name, option in options_of(declaration).items() if not option.info.title] == []
