"""Sessions kept, for some seconds, for the next drain of the same mailbox in this process."""

import threading
from dataclasses import dataclass

from shared.microsoft.submission import Session

KEPT_SECONDS = 20.0
"""How long an idle session is kept; Exchange closes idle ones after minutes."""


@dataclass(slots=True)
class _Kept:
    session: Session
    generation: str
    timer: threading.Timer


class Sessions:
    """Idle, authenticated sessions by account: each is used by one drain at a time, or closed."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def take(self, account: str, generation: str) -> Session | None:
        """Return the kept session of *account* if it lives and belongs to this *generation*."""
        with self._lock:
            kept = self._kept.pop(account, None)
        if kept is None:
            return None
        kept.timer.cancel()
        if kept.generation == generation and kept.session.is_alive():
            return kept.session
        kept.session.close()
        return None

    def keep(self, account: str, generation: str, session: Session) -> None:
        """Keep *session* for the next drain; it is closed when none comes in time."""
        timer = threading.Timer(KEPT_SECONDS, self._expire, (account, session))
        timer.daemon = True
        with self._lock:
            before = self._kept.pop(account, None)
            self._kept[account] = _Kept(session, generation, timer)
        if before:
            before.timer.cancel()
            before.session.close()
        timer.start()

    def _expire(self, account: str, session: Session) -> None:
        with self._lock:
            kept = self._kept.get(account)
            if kept is None or kept.session is not session:
                return
            del self._kept[account]
        session.close()

    def close(self) -> None:
        """Close every kept session."""
        with self._lock:
            kept, self._kept = list(self._kept.values()), {}
        for one in kept:
            one.timer.cancel()
            one.session.close()
