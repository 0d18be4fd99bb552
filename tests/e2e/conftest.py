"""One small world for all end-to-end tests: simulated, taken through the whole chain once as run `whole`."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from toy import Runner, World


@pytest.fixture(scope="session")
def runner() -> Iterator[Runner]:
    """A process for command lines."""
    process = Runner()
    yield process
    process.close()


@pytest.fixture(scope="session")
def filled(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Raw frames, reference catalogs and masters."""
    world = World(tmp_path_factory.mktemp("e2e"), runner)
    world.server.start()
    try:
        world.fill()
        yield world
    finally:
        world.server.remove()


@pytest.fixture(scope="session")
def world(filled: World) -> World:
    """And run `whole`: every stage done on every frame. Tests leave this run as it is."""
    filled.done("run", "isr..calibrate", "--rerun", "whole", "--id")
    filled.done("skymap", "discrete", "--rerun", "whole")
    filled.done("run", "match..qa", "--rerun", "whole", "--id", "tract=0")
    return filled
