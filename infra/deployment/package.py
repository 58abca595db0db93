"""Makes the package: what .funcignore lets through, the same bytes for the same files."""

import fnmatch
import zipfile
from pathlib import Path

from .az import DeploymentError

NEEDED = ("function_app.py", "host.json", "requirements.txt", "constraints.txt", "build.env")
ALLOWED_TOP = {*NEEDED, "functions", "shared"}
EPOCH = (1980, 1, 1, 0, 0, 0)


def rules(ignore_file: Path) -> list[tuple[str, bool]]:
    """Return the patterns of *ignore_file* in order, each with whether it lets through."""
    lines = (line.strip() for line in ignore_file.read_text(encoding="utf-8").splitlines())
    kept = (line for line in lines if line and not line.startswith("#"))
    return [(line.removeprefix("!").rstrip("/"), line.startswith("!")) for line in kept]


def is_ignored(path: str, patterns: list[tuple[str, bool]]) -> bool:
    """Tell whether *path* is left out: the last pattern that fits decides, as in .gitignore.

    A pattern that begins with a slash is about the whole path from the root, any other about the
    last name; nothing inside a folder that is left out comes back.
    """
    ignored = False
    for pattern, lets_through in patterns:
        subject = f"/{path}" if pattern.startswith("/") else path.rsplit("/", 1)[-1]
        same_depth = subject.count("/") == pattern.count("/")
        if same_depth and fnmatch.fnmatchcase(subject, pattern):
            ignored = not lets_through
    return ignored


def files(root: Path) -> list[str]:
    """Return what .funcignore in *root* lets through, sorted, as paths with slashes."""
    patterns = rules(root / ".funcignore")
    found: list[str] = []
    folders = [root]
    while folders:
        for path in folders.pop().iterdir():
            name = path.relative_to(root).as_posix()
            if is_ignored(name, patterns):
                continue
            if path.is_dir():
                folders.append(path)
            else:
                found.append(name)
    return sorted(found)


def make(root: Path, target: Path) -> list[str]:
    """Write the package of the application in *root* to *target* and return what is in it."""
    contents = {name: root / name for name in files(root)}
    contents["build.env"] = root / "infra" / "build.env"
    names = sorted(contents)
    strange = sorted({name.split("/")[0] for name in names} - ALLOWED_TOP)
    missing = [name for name in NEEDED if name not in contents or not contents[name].is_file()]
    if strange or missing:
        raise DeploymentError(
            f"The package is not what is meant: {strange} too many, {missing} missing.",
            "Look at .funcignore; run from a clean clone.",
        )
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
        for name in names:
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(entry, contents[name].read_bytes())
    return names
