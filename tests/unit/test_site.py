"""The documentation site: what is generated is complete, and Sphinx finds nothing to complain about."""
from __future__ import annotations

import pytest
import site_pages

from chipsim.chip import catalogue, load_chip
from chipsim.cli.explain import all_codes
from chipsim.report import plots


def test_every_chip_has_a_page_with_every_number():
    for entry in catalogue():
        page = site_pages.chip_page(entry.name)
        assert all(f"| `{path}` |" in page for path in load_chip(entry.name).provenance)


def test_every_code_and_every_public_name_is_on_its_page():
    import chipsim

    codes, names = site_pages.codes_page(), site_pages.api_page()
    assert all(f"## {code}\n" in codes for code in all_codes())
    assert all(f"### {name}\n" in names for name in chipsim.__all__)


def test_the_gallery_has_every_plot(tmp_path):
    public = {n for n, f in vars(plots).items()
              if callable(f) and not n.startswith("_") and getattr(f, "__module__", "") == plots.__name__}
    assert set(site_pages.GALLERY) == public == set(site_pages.API["chipsim.report.plots"])
    page = site_pages.gallery_page(tmp_path)
    assert all(f"(gallery-{name}.png)" in page for name in public)
    assert all((tmp_path / f"gallery-{name}.png").stat().st_size > 5000 for name in public)


def test_sphinx_builds_the_site_without_a_warning(tmp_path, monkeypatch):
    for needed in ("sphinx", "myst_nb", "furo"):
        pytest.importorskip(needed)
    monkeypatch.setattr("sys.argv", ["site_pages.py", str(tmp_path)])
    assert site_pages.main() == 0
    assert "Your own network" in (tmp_path / "html" / "index.html").read_text("utf-8")
