"""Find published atlases by name in the cache of TemplateFlow, and fetch them.

Nothing is fetched unless it is asked for: `load_atlas` reads what is at hand.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from causal_ivae.errors import NotFetchedError, SettingsError

_TEMPLATES = ("MNI152NLin2009cAsym", "MNI152NLin6Asym")
_RESOLUTIONS = ("2", "1", "3")
"""Atlases of 2 mm are as good as finer ones for the means of images of 2 to 4 mm."""


@dataclass(frozen=True)
class Published:
    """Describe an atlas of TemplateFlow.

    Attributes
    ----------
    name : str
        For instance ``"schaefer100"``.
    atlas, desc, suffix : str
        Entities of its files; `desc` may be empty.
    template : str
        Template that it is drawn on, the first of several.
    """

    name: str
    atlas: str
    desc: str
    suffix: str
    regions: int
    citation: str
    template: str = _TEMPLATES[0]

    @property
    def kind(self) -> str:
        """Return the kind of the atlas, ``"labels"`` or ``"maps"``."""
        return "maps" if self.suffix == "probseg" else "labels"


_SCHAEFER = "Schaefer A, Kong R, Gordon EM, et al. (2018). Cerebral Cortex 28, 3095-3114."
_DIFUMO = "Dadi K, Varoquaux G, Machlouzarides-Shalit A, et al. (2020). NeuroImage 221, 117126."
_OXFORD = "Desikan RS, Segonne F, Fischl B, et al. (2006). NeuroImage 31, 968-980."
PUBLISHED: tuple[Published, ...] = (
    *(
        Published(
            f"schaefer{n}{end}", "Schaefer2018", f"{n}Parcels{k}Networks", "dseg", n, _SCHAEFER
        )
        for n in range(100, 1001, 100)
        for k, end in ((7, ""), (17, "-17networks"))
    ),
    *(
        Published(f"difumo{n}", "DiFuMo", f"{n}dimensions", "probseg", n, _DIFUMO)
        for n in (64, 128, 256, 512, 1024)
    ),
    Published("hocpa", "HOCPA", "th25", "dseg", 48, _OXFORD),
    Published("hocpal", "HOCPAL", "th25", "dseg", 96, _OXFORD),
    Published("hospa", "HOSPA", "th25", "dseg", 21, _OXFORD),
)
"""Atlases that TemplateFlow's client can fetch as volumes in the MNI frame."""
_ELSEWHERE = {
    "glasser": "XCP-D and HCP (--atlas Glasser chooses it among their tables), or a .dlabel.nii "
    "from https://balsa.wustl.edu",
    "gordon": "XCP-D (--atlas Gordon), or https://sites.wustl.edu/petersenschlaggarlab/resources",
    "tian": "XCP-D (--atlas Tian), or https://github.com/yetianmed/subcortex",
}
"""Atlases that TemplateFlow does not have as volumes, and where they are."""
_OTHER_NAMES = {
    "hcpmmp": "glasser", "hcpmmp1": "glasser", "mmp": "glasser", "gordon333": "gordon",
    "melbourne": "tian", "harvardoxfordcortical": "hocpa", "harvardoxfordsubcortical": "hospa",
}  # fmt: skip


def find_published(name: str) -> Published | None:
    """Return the published atlas of a name, or None if there is none.

    Parameters
    ----------
    name : str
        In any case, with or without hyphens, and at the end perhaps a colon and a template:
        ``"Schaefer-100"``, ``"Schaefer2018_100Parcels7Networks"``,
        ``"schaefer100:MNI152NLin6Asym"``.

    Raises
    ------
    SettingsError
        If it is known but not in TemplateFlow, or the template is unknown.
    """
    given, _, template = name.partition(":")
    plain = re.sub(r"[^a-z0-9]", "", given.lower())
    plain = _OTHER_NAMES.get(plain, plain)
    elsewhere = next((k for k in _ELSEWHERE if re.fullmatch(rf"{k}(s[1-4])?", plain)), None)
    if elsewhere is None and plain.startswith("melbournes"):
        elsewhere = "tian"
    found = next(
        (
            atlas
            for atlas in PUBLISHED
            if plain
            in (
                atlas.name.replace("-", ""),
                f"{atlas.atlas}{atlas.desc}".lower(),
                f"{atlas.name}7networks" if atlas.atlas == "Schaefer2018" else "",
            )
        ),
        None,
    )
    if found is None:
        if elsewhere is not None:
            raise SettingsError(
                f"Atlas '{name}' is not in TemplateFlow. It comes with {_ELSEWHERE[elsewhere]}; "
                "give its file, with a table of regions beside it."
            )
        return None
    if template and template not in _TEMPLATES:
        raise SettingsError(
            f"No template '{template}' for atlas '{given}'. Allowed: {', '.join(_TEMPLATES)}."
        )
    return Published(**{**vars(found), "template": template or found.template})


def cache_folder() -> Path:
    """Return the folder in which TemplateFlow keeps what it fetched."""
    given = os.environ.get("TEMPLATEFLOW_HOME")
    if given:
        return Path(given).expanduser()
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache") / "templateflow"


def is_at_hand(atlas: Published) -> bool:
    """Check whether an atlas was fetched before."""
    return _image(atlas) is not None and _table(atlas) is not None


def published_files(atlas: Published) -> tuple[Path, Path]:
    """Return the image and the table of regions of an atlas that was fetched.

    Raises
    ------
    NotFetchedError
        If it was not.
    """
    image, table = _image(atlas), _table(atlas)
    if image is None or table is None:
        raise NotFetchedError(
            f"Atlas '{atlas.name}' is not on this machine: fetch it with 'causal-ivae atlas fetch "
            f"{atlas.name}' (from TemplateFlow, into '{cache_folder()}').",
            atlas.name if atlas.template == _TEMPLATES[0] else f"{atlas.name}:{atlas.template}",
        )
    return image, table


def fetch(atlas: Published, say: Callable[[str], None]) -> None:
    """Fetch the files of an atlas with TemplateFlow's client, unless they are at hand.

    Parameters
    ----------
    say : callable
        Is told what will be fetched, before it is.

    Raises
    ------
    SettingsError
        If the client is not installed, or the files cannot be fetched.
    """
    if is_at_hand(atlas):
        return
    folder = cache_folder()
    say(f"Fetching atlas '{atlas.name}' from templateflow.org into '{folder}'.")
    try:
        from templateflow.client import TemplateFlowClient
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"Atlas '{atlas.name}' is fetched by another package: pip install templateflow."
        ) from error
    try:
        client = TemplateFlowClient(root=folder, autoupdate=False)
        query = {"atlas": atlas.atlas, "suffix": atlas.suffix}
        desc = {"desc": atlas.desc} if atlas.desc else {}
        client.get(
            atlas.template, resolution=int(_RESOLUTIONS[0]), extension=".nii.gz", **query, **desc
        )
        for template in (atlas.template, *_TEMPLATES):
            if _table(atlas) is None:
                client.get(template, extension=".tsv", **query)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise SettingsError(f"Atlas '{atlas.name}' could not be fetched: {reason}") from error
    published_files(atlas)


def _image(atlas: Published) -> Path | None:
    start = f"tpl-{atlas.template}"
    desc = f"_desc-{atlas.desc}" if atlas.desc else ""
    end = f"_atlas-{atlas.atlas}{desc}_{atlas.suffix}.nii.gz"
    for resolution in _RESOLUTIONS:
        path = cache_folder() / start / f"{start}_res-0{resolution}{end}"
        if _is_content(path):
            return path
    return None


def _table(atlas: Published) -> Path | None:
    for template in (atlas.template, *_TEMPLATES):
        for desc in (f"_desc-{atlas.desc}" if atlas.desc else "", ""):
            name = f"tpl-{template}_atlas-{atlas.atlas}{desc}_{atlas.suffix}.tsv"
            path = cache_folder() / f"tpl-{template}" / name
            if _is_content(path):
                return path
    return None


def _is_content(path: Path) -> bool:
    """Check for a file with content; TemplateFlow keeps empty ones for what was not fetched."""
    return path.is_file() and path.stat().st_size > 0
