"""How an account stands during one turn: what is in its way, and whether that is being tried."""

import logging
from datetime import timedelta

from shared.accounts.account import Account, AccountStatus, Obstacle
from shared.delivery.crew import Crew
from shared.delivery.verdict import OWN_PHASES, recheck_delay
from shared.guidance import for_code
from shared.schedule import Rest, Why
from shared.store.lease import Lease, LeaseLostError

PROBE_DAYS = timedelta(days=30)
"""For how long an account that waits for an admin is looked at again by itself."""

_log = logging.getLogger(__name__)


class Standing:
    """The account of the mailbox as this turn knows it; *probing* means its obstacle is tried."""

    def __init__(self, crew: Crew, lease: Lease) -> None:
        self._crew = crew
        self._lease = lease
        self._account: Account | None = None
        self.probing = False

    def read(self) -> None:
        """Look at the account as it is now. Raises LeaseLostError when it is gone."""
        self._account = self._crew.accounts.get(self._lease.account)
        self.probing = False
        if self._account is None:
            raise LeaseLostError(self._lease.account)

    @property
    def account(self) -> Account:
        """Return the account as it was read, or as this turn changed it."""
        if self._account is None:
            raise LeaseLostError(self._lease.account)
        return self._account

    @property
    def is_held(self) -> bool:
        """Tell whether mail waits for the owner or an admin."""
        return self.account.status is not AccountStatus.CONNECTED

    @property
    def may_end_by_itself(self) -> bool:
        """Tell whether it is worth trying if the obstacle is gone without a new connect."""
        obstacle = self.account.obstacle
        return bool(
            self.account.status is AccountStatus.ACTION_REQUIRED
            and obstacle
            and for_code(obstacle.code).recheck
        )

    @property
    def a_session_proves_it(self) -> bool:
        """Tell whether an authenticated session alone proves that the obstacle is gone."""
        obstacle = self.account.obstacle
        return bool(self.probing and obstacle and obstacle.values.get("stage") not in OWN_PHASES)

    @property
    def is_worth_a_session(self) -> bool:
        """Tell whether to open a session just to see, although no mail waits."""
        obstacle = self.account.obstacle
        return bool(
            self.a_session_proves_it
            and obstacle
            and self._crew.clock() <= obstacle.since + PROBE_DAYS
        )

    def still_in_the_way(self) -> Rest:
        """Return the rest that follows a trial that failed while no mail waits."""
        count = self._lease.rest.count
        return Rest(self._crew.clock() + recheck_delay(count), Why.ACCOUNT, count + 1)

    def met(self, obstacle: Obstacle) -> bool:
        """Note what is in the way; False if the account was connected anew meanwhile."""
        before = self.account
        after = self._note(obstacle)
        if after and before.obstacle is None:
            _log.warning("event=message_held account=%s code=%s", after.id, obstacle.code)
            self._crew.events.account(after)
        return after is not None

    def cleared(self) -> None:
        """Note that nothing is in the way any more."""
        self.probing = False
        self._lease.rest = Rest()
        if after := self._note(None):
            self._crew.events.account(after)

    def _note(self, obstacle: Obstacle | None) -> Account | None:
        now = self._crew.clock()
        after = self._crew.accounts.note_standing(self._lease, obstacle, self.account, now)
        if after:
            self._account = after
        return after
