"""Prints each step with how long it took, and every proof as it holds or does not."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

WIDTH = 70
GREEN, RED, BOLD, PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[1m", "\x1b[0m"


class Report:
    """What was shown so far; ``held`` as long as no proof failed."""

    def __init__(self) -> None:
        self.held = True
        self._coloured = sys.stdout.isatty()
        self._lines: list[str] = []

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Time a step and print it with its proofs; an error in it is a proof that failed."""
        started = time.perf_counter()
        self._lines = []
        print(self._paint(BOLD, f"{title:<{WIDTH}}"), end=" ", flush=True)
        try:
            yield
        except Exception as error:
            self.proof(holds=False, text=f"{type(error).__name__}: {error}")
            raise StepFailedError(title) from error
        finally:
            print("\n".join([f"{time.perf_counter() - started:8.3f} s", *self._lines]), flush=True)

    def note(self, text: str) -> None:
        """Tell *text*, which proves nothing."""
        self._lines.append(f"      {text}")

    def proof(self, holds: bool, text: str) -> None:  # noqa: FBT001 - reads as a sentence
        """Note that *text* holds, or does not."""
        self.held = self.held and holds
        mark = self._paint(GREEN, "✓") if holds else self._paint(RED, "✗")
        self._lines.append(f"    {mark} {text}")

    def _paint(self, colour: str, text: str) -> str:
        return f"{colour}{text}{PLAIN}" if self._coloured else text


class StepFailedError(Exception):
    """A step broke off; what follows it was not tried."""
