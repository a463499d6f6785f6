"""Fixtures: one PostgreSQL and one prepared homeserver per run, one world (Synapse, bot, admins) per module or per test."""

import os
import shutil
from pathlib import Path

import pytest

from support.postgres import Postgres
from support.process import ROOT, Unavailable
from support.steward import program
from support.world import Template, World

# Another folder lets two runs stand side by side; the workers of one run (pytest -n) have theirs below it.
FOLDER = Path(os.environ.get("STEWARD_E2E_FOLDER", ROOT / "build/e2e")) / os.environ.get("PYTEST_XDIST_WORKER", "main")
_open_worlds = []


@pytest.fixture(scope="session")
def postgres():
    """A cluster of its own; it goes with the run."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    try:
        server = Postgres(FOLDER / "postgres").start()
    except Unavailable as missing:
        pytest.skip(str(missing))
    yield server
    server.remove()


@pytest.fixture(scope="session")
def template(postgres):
    try:
        prepared = Template(FOLDER / "template", postgres).prepare()
    except Unavailable as missing:
        pytest.skip(str(missing))
    yield prepared
    prepared.synapse.stop()


@pytest.fixture(scope="session")
def built():
    """The program under test exists."""
    try:
        return program()
    except Unavailable as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def _numbers():
    return iter(range(1, 10_000))


@pytest.fixture(scope="module")
def new_world(template, built, _numbers):
    """A factory: new_world(settings={…}, admins=(…)) makes a world that ends with the module and is checked at its end."""
    made = []

    def make(**how):
        number = next(_numbers)
        world = World(f"world_{number}", FOLDER / f"world{number}", template, **how)
        made.append(world)
        _open_worlds.append(world)
        return world

    yield make
    problems = []
    for world in made:
        _open_worlds.remove(world)
        problems += [f"{world.name}: {problem}" for problem in world.close()]
    assert not problems, "\n".join(problems)


@pytest.fixture(scope="module")
def world(new_world):
    """The module's own world: everything runs, alice is in the room."""
    return new_world().start()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what was said in the room and what the bot logged."""
    report = (yield).get_result()
    if report.failed:
        for world in _open_worlds[-2:]:
            report.sections.append((f"story of {world.name}", world.story()))
