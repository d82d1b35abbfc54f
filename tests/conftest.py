"""Fixtures shared by all tests."""
from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# Machines differ and are busy: no test fails for being slow. On continuous integration examples are always the same.
settings.register_profile("chipsim", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("chipsim")


def validation_folder() -> Path | None:
    for folder in (os.environ.get("CHIPSIM_VALIDATION"), ROOT.parent / "shared" / "validation"):
        if folder and Path(folder).is_dir():
            return Path(folder)
    return None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`golden_files("loihi/learn_*")` runs a test for each such .npz there is, its stem in the argument `name`."""
    if mark := metafunc.definition.get_closest_marker("golden_files"):
        folder = validation_folder()
        patterns = mark.args if folder else ()
        metafunc.parametrize("name", sorted({f.stem for p in patterns for f in folder.glob(f"{p}.npz")}))


@pytest.fixture(scope="session")
def validation_dir() -> Path:
    """Folder with oracles and golden data that are not part of the repository."""
    if folder := validation_folder():
        return folder
    pytest.skip("golden data not found: set CHIPSIM_VALIDATION to the folder that holds loihi/, nir/, noc/ ...")


@pytest.fixture(scope="session")
def examples_dir() -> Path:
    return ROOT / "examples"
