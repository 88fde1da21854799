"""The long description of the package: README, with links that work outside the repository."""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"\]\((?!https?:|#)(?P<path>[^)\s]+)\)")
_PAGE = re.compile(r"^docs/pages/(?P<name>[\w-]+)\.md")
_PICTURE = re.compile(r"^docs/pages/images/")


class LongDescription(MetadataHookInterface):
    """Turn links to files of the repository into addresses of the site and of the repository."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the readme of the package."""
        site, repository = (metadata["urls"][name] for name in ("Documentation", "Source"))

        def address(link: "re.Match[str]") -> str:
            path = link["path"]
            if picture := _PICTURE.match(path):
                return f"]({site}_images/{path[picture.end() :]})"
            if page := _PAGE.match(path):
                return f"]({site}{page['name']}.html{path[page.end() :]})"
            return f"]({repository}/blob/main/{path})"

        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": _LINK.sub(address, text),
        }
