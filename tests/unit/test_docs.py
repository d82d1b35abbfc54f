"""Links between pages lead somewhere, and every page can be reached from the first one."""
from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")


def links(page):
    """Files of the repository that a page links to."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [(page.parent / target).resolve() for target, _ in LINK.findall(text) if "://" not in target]


def test_links_between_pages_lead_somewhere():
    broken = [(page.relative_to(ROOT).as_posix(), target.name)
              for page in PAGES for target in links(page) if not target.exists()]
    assert broken == []


def test_every_page_of_the_documentation_is_reachable_from_the_index():
    seen, todo = set(), [ROOT / "docs" / "index.md"]
    while todo:
        page = todo.pop()
        if page not in seen:
            seen.add(page)
            todo += [target for target in links(page) if target.suffix == ".md"]
    assert [p.relative_to(ROOT).as_posix() for p in (ROOT / "docs").rglob("*.md") if p not in seen] == []
