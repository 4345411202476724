"""What a page of docs/ shows as code, for tests that run it."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def block(page, title):
    """The Python block whose first line is a comment that begins with ``title``."""
    blocks = re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.M | re.S)
    (found,) = [text for text in blocks if re.match(rf"# {re.escape(title)}\b", text)]
    return found
