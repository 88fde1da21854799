"""What an output folder must look like at any moment, and what two of them may differ in."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd

# Only times differ between two runs of the same analysis.
_TIMES = ("Seconds", "Date")
_DURATION = re.compile(rb'<time .*?</time>|(data-sort="[\d.e-]+">)?\b\d+(\.\d+)? (ms|s|min|h)\b')


def final_files(output: Path) -> list[Path]:
    """Return the files under final names, logs and crash files aside."""
    return [
        path
        for path in sorted(output.rglob("*"))
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(output).parts)
        and not {"log", "logs"} & set(path.relative_to(output).parts)
    ]


def broken(output: Path) -> list[str]:
    """Return what is wrong with the files of a folder, whatever was killed while it was written."""
    wrong = []
    for path in final_files(output):
        name = str(path.relative_to(output))
        content = path.read_bytes()
        if path.suffix == ".json":
            try:
                json.loads(content)
            except ValueError as error:
                wrong.append(f"{name}: {error}")
        elif path.suffix == ".html" and not content.rstrip().endswith(b"</html>"):
            wrong.append(f"{name}: is cut off")
        elif path.suffix == ".tsv":
            widths = {line.count(b"\t") for line in content.splitlines()}
            if not content.endswith(b"\n") or len(widths) != 1:
                wrong.append(f"{name}: is cut off")
        if path.name.endswith("_edges.json"):
            stem = str(path).removesuffix("edges.json")
            wrong += [
                f"{name}: vouches for a missing {suffix}"
                for suffix in ("edges.tsv", "relmat.dense.tsv", "relmat.json")
                if not Path(stem + suffix).is_file()
            ]
    return wrong


def differences(one: Path, other: Path) -> list[str]:
    """Return the names of files that differ between two output folders, times aside.

    The folders' own paths, which the command in the sidecars names, are taken for equal.
    """
    contents = [
        {str(path.relative_to(folder)): _timeless(path, folder) for path in final_files(folder)}
        for folder in (one, other)
    ]
    names = sorted(set(contents[0]) | set(contents[1]))
    return [name for name in names if contents[0].get(name) != contents[1].get(name)]


def status(output: Path) -> pd.DataFrame:
    """Return the status of the newest run, by unit."""
    newest = max((output / "logs").glob("*/run.json"), key=lambda path: path.stat().st_mtime_ns)
    table = pd.read_csv(newest.with_name("status.tsv"), sep="\t", keep_default_na=False).replace(
        "n/a", ""
    )
    return table.set_index("subject")


def _timeless(path: Path, folder: Path) -> bytes:
    content = path.read_bytes().replace(bytes(folder), b"OUTPUT")
    if path.suffix == ".json":
        return json.dumps(_without_times(json.loads(content))).encode()
    return _DURATION.sub(b"TIME", content) if path.suffix == ".html" else content


def _without_times(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _without_times(value) for key, value in tree.items() if key not in _TIMES}
    return tree
