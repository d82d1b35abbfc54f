"""What is installed is complete: the chip files, the compiled modules, the marker for type checkers."""
from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import chipsim

ROOT = Path(__file__).resolve().parents[2]


def compiled_modules() -> list[str]:
    """Paths, without suffix, that the extension modules have in the package."""
    root = ROOT / "src_cython"
    return [pyx.relative_to(root).with_suffix("").as_posix() for pyx in root.glob("chipsim/**/*.pyx")]


def test_catalogue_holds_exactly_the_files_of_chipdefs():
    from chipsim.chip import catalogue

    assert {e.name for e in catalogue()} == {f.stem for f in (ROOT / "chipdefs").glob("*.yaml")}
    assert {"loihi", "loihi-calibrated", "ideal"} <= {e.name for e in catalogue()}
    assert all(Path(e.path).is_file() for e in catalogue())


def test_every_folder_with_modules_is_a_package_that_gets_installed():
    folders = {f.parent for f in (ROOT / "chipsim").rglob("*.py")}
    assert [f.relative_to(ROOT).as_posix() for f in folders if not (f / "__init__.py").exists()] == []


def test_every_compiled_module_is_built_and_imports():
    for module in compiled_modules():
        __import__(module.replace("/", "."))


def test_version_is_that_of_the_installed_distribution():
    from importlib.metadata import PackageNotFoundError, version

    try:
        assert version("chipsim") == chipsim.__version__
    except PackageNotFoundError:
        pytest.skip("chipsim is not installed: running from the source tree")


def test_changelog_knows_the_version_or_has_unreleased_changes():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{chipsim.__version__}]" in text or "## [Unreleased]" in text


def test_training_frameworks_are_not_needed_to_run_or_to_develop():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = " ".join(project["dependencies"] + project["optional-dependencies"]["dev"])
    assert not any(framework in needed for framework in ("torch", "snntorch", "scikit-learn", "nirtorch"))


@pytest.mark.dist
def test_sdist_and_wheel_are_complete_and_the_wheel_runs_elsewhere(tmp_path):
    dist = tmp_path / "dist"
    subprocess.run([sys.executable, "-m", "build", "--no-isolation", "--outdir", dist, ROOT], check=True)
    chips = {f"chipdefs/{f.name}" for f in (ROOT / "chipdefs").glob("*.yaml")}

    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    sources = {p.relative_to(ROOT).as_posix() for p in (ROOT / "src_cython").rglob("*.p[yx][xd]")}
    assert chips | sources | {"LICENSE", "Makefile", "examples/digits.nir", "chipsim/py.typed"} <= names
    assert [n for n in names if n.endswith((".so", ".pyc", ".c"))] == []

    wheel = next(dist.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    modules = {f.relative_to(ROOT).as_posix() for f in (ROOT / "chipsim").rglob("*.py")}
    assert modules | {f"chipsim/{c}" for c in chips} | {"chipsim/py.typed"} <= names
    for module in compiled_modules():
        assert any(n.startswith(f"{module}.") and n.endswith((".so", ".pyd")) for n in names), module
    assert not any(n.startswith(("tests/", "tools/", "examples/", "src_cython/", "chipdefs/")) for n in names)

    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = "import chipsim; print(chipsim.__file__); print(*(e.path for e in chipsim.catalogue()), sep='\\n')"
    out = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path / "site")},
                         check=True, capture_output=True, text=True).stdout.split("\n")
    assert all(line.startswith(str(tmp_path / "site")) for line in out if line), out
    assert len([line for line in out if line.endswith(".yaml")]) == len(chips)
