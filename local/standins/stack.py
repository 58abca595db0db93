"""All stand-ins together: one trust, one directory, one identity."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Self

from local.standins.control import Control
from local.standins.directory import Directory
from local.standins.entra import Entra
from local.standins.event_grid import EventGrid
from local.standins.exchange import Exchange
from local.standins.exchange.inbox import Inbox
from local.standins.issuer import Issuer
from local.standins.key_vault import KeyVault
from local.standins.managed_identity import ManagedIdentity
from local.standins.standin import StandIn
from local.standins.trust import Trust

NAMES = (
    "entra",
    "key_vault",
    "identity",
    "exchange",
    "inbox",
    "issuer",
    "event_grid",
    "control",
)


class Stack:
    """``with Stack() as stack`` starts them all, or those in *only*; *ports* may choose."""

    def __init__(
        self,
        *,
        only: Iterable[str] = NAMES,
        ports: Mapping[str, int] = MappingProxyType({}),
        folder: Path | None = None,
    ) -> None:
        self.trust = Trust(folder)
        self.directory = Directory()
        port = {name: ports.get(name, 0) for name in NAMES}
        self.identity = ManagedIdentity(port["identity"])
        self.entra = Entra(self.trust, self.identity, self.directory, port["entra"])
        self.key_vault = KeyVault(self.trust, self.identity, port["key_vault"])
        self.exchange = Exchange(self.trust, self.entra, self.directory, port["exchange"])
        self.inbox = Inbox(self.exchange, port["inbox"])
        self.issuer = Issuer(self.trust, port["issuer"])
        self.event_grid = EventGrid(self.trust, self.identity, port["event_grid"])
        parts = (
            self.entra,
            self.key_vault,
            self.identity,
            self.exchange,
            self.inbox,
            self.issuer,
            self.event_grid,
        )
        self.parts: dict[str, StandIn | Exchange] = {part.name: part for part in parts}
        self.control = Control(self.parts, port["control"])
        chosen = set(only)
        self.running = [
            part for part in (*self.parts.values(), self.control) if part.name in chosen
        ]
        self._open = ExitStack()

    def settings(self) -> dict[str, str]:
        """What the product needs to find those that run, by the contract's names."""
        found = self.trust.settings()
        for part in self.running:
            found |= part.settings()
        return found

    def restore(self) -> None:
        """Every stand-in runs and none misbehaves; what they hold stays."""
        for part in self.running:
            part.restore()
            part.up()

    def reset(self) -> None:
        """A clean page for the next test; the servers, their keys and the vault's secrets stay."""
        for part in self.running:
            part.reset()
            part.up()

    def __enter__(self) -> Self:
        self._open.enter_context(self.trust)
        try:
            for part in self.running:
                self._open.enter_context(part)
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self._open.close()
