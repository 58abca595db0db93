"""Answers what az asks its Bicep compiler: ``--version`` and ``build --stdout <file>``."""

import json
import sys
from pathlib import Path

from local.arm.bicep.compiler import compile_file
from local.arm.bicep.parser import BicepError

VERSION = "Bicep CLI version 0.40.2 (stand-in)"


def main(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        sys.stdout.write(f"{VERSION}\n")
        return 0
    files = [one for one in arguments[1:] if not one.startswith("--")]
    if arguments[:1] != ["build"] or "--stdout" not in arguments or len(files) != 1:
        sys.stderr.write(f"the stand-in compiler does not know {' '.join(arguments)}\n")
        return 2
    try:
        template = compile_file(Path(files[0]).resolve())
    except (BicepError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(template, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
