"""Every relative link in the documents leads somewhere."""

import re
from pathlib import Path

import pytest

from tests.house_rules.source import ROOT, place, tracked_files

LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
HEADING = re.compile(r"^#+\s+(.*)$", re.MULTILINE)
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
DOCUMENTS = tuple(path for path in tracked_files() if path.suffix == ".md")


def anchors(document: Path) -> set[str]:
    """The anchors that the headings of a document make."""
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in HEADING.findall(text)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=place)
def test_links_lead_somewhere(document: Path) -> None:
    broken = []
    for target in LINK.findall(CODE.sub("", document.read_text())):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue  # an address: no test uses the network
        name, _, anchor = target.partition("#")
        file = (document.parent / name).resolve() if name else document
        inside = file.is_relative_to(ROOT)
        if not inside or not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            broken.append(target)
    assert not broken, f"{place(document)}: {broken}"
