"""The conversation with Exchange in one turn: its session, and whose envelope is ahead on it."""

from shared.accounts.account import Account
from shared.delivery.door import Door
from shared.delivery.failure import Failure
from shared.microsoft.smtp import Envelope
from shared.microsoft.submission import Accepted, Session


class Conversation:
    """At most one session at a time; *ahead* is the message whose envelope was sent in advance."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._session: Session | None = None
        self._ahead: str | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether there is a session that another message can go over."""
        return self._session is not None and self._session.is_alive()

    def open(self, account: Account) -> Failure | None:
        """See to it that there is an authenticated session; return what stands in the way."""
        if self.is_open:
            return None
        self.close()
        opened = self._door.open(account)
        if isinstance(opened, Failure):
            return opened
        self._session = opened
        return None

    def submit(
        self, envelope: Envelope, content: bytes, then: tuple[str, Envelope] | None
    ) -> Accepted:
        """Hand over one message, the envelope of the message named in *then* right behind it.

        Raises SubmissionError; a session that is of no more use is closed.
        """
        if self._session is None:
            raise RuntimeError("no session was opened")
        self._ahead, following = then or (None, None)
        return self._session.submit(envelope, content, then=following)

    def skip(self, message: str) -> None:
        """Drop the session if it waits for the content of *message*, which will not be sent."""
        if self._ahead == message:
            self.close()

    def come_to_rest(self) -> None:
        """Leave no transaction open: a session with an envelope ahead is dropped."""
        if self._ahead:
            self.close()

    def keep(self, account: Account) -> None:
        """Leave the session to the next drain of the same mailbox."""
        session, self._session = self._session, None
        if session:
            self._door.keep(account, session)

    def close(self) -> None:
        """Close what is open."""
        session, self._session, self._ahead = self._session, None, None
        if session:
            session.close()
