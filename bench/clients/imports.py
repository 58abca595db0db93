"""What importing costs in a fresh interpreter: `python -m bench.clients.imports KIND [--source]`.

With `--source` the app and its packages carry no byte code, as after a build that keeps none.
"""

import importlib
import json
import sys
import sysconfig
import time
from collections.abc import Callable
from typing import Any

SDKS = (
    "azure.data.tables",
    "azure.eventgrid",
    "azure.identity",
    "azure.keyvault.secrets",
    "azure.storage.blob",
    "azure.storage.queue",
    "jwt",
    "msal",
    "requests",
)


def index() -> None:
    importlib.import_module("function_app")


def built(*names: str, modules: tuple[str, ...] = ()) -> Callable[[], None]:
    """Let the wiring build what a trigger asks it for; *modules* it imports by itself."""

    def build() -> None:
        from shared import wiring

        for module in modules:
            importlib.import_module(module)
        for name in names:
            getattr(wiring, name)()

    return build


def everything() -> None:
    for name in SDKS:
        importlib.import_module(name)


KINDS: dict[str, Callable[[], object]] = {
    "platform": lambda: importlib.import_module("azure.functions"),
    "index": index,
    "sdks": everything,
    "accept": built(
        "callers", "register", "intake", modules=("shared.messages.request", "azure.core")
    ),
    "deliver": built(
        "crew", "access_tokens", "server", "events", modules=("shared.delivery.drain",)
    ),
    "oauth": built("browser"),
    "upkeep": built("upkeep"),
    "health": built("health"),
}


def without_byte_code() -> None:
    """Let nothing but the standard library find byte code."""
    external: Any = importlib.import_module("importlib._bootstrap_external")
    found = external.cache_from_source
    standard = sysconfig.get_path("stdlib")
    packages = sysconfig.get_path("purelib")

    def cache_from_source(path: str, *arguments: object, **options: object) -> object:
        if path.startswith(standard) and not path.startswith(packages):
            return found(path, *arguments, **options)
        raise NotImplementedError

    external.cache_from_source = cache_from_source


def main() -> None:
    kind = sys.argv[1]
    if "--source" in sys.argv:
        without_byte_code()
    if kind not in {"platform", "index", "sdks"}:
        index()
    before, started = len(sys.modules), time.process_time()
    KINDS[kind]()
    seconds = time.process_time() - started
    print(json.dumps({"seconds": seconds, "modules": len(sys.modules) - before}))


if __name__ == "__main__":
    main()
