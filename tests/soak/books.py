"""The books: what callers were promised, what the API says became of it, and what arrived."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.soak.plan import Post

TURNS_AT_THE_HEAD = 5
"""A message that was deferred so often by its own refusals may be passed by others."""
OWN_PHASES = ("mail", "rcpt", "data", "content")
ENDS = ("sent", "uncertain", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the account given at the end."""

    name: str
    holds: bool
    figures: str

    def __str__(self) -> str:
        return f"{'holds' if self.holds else 'FAILS'}  {self.name}: {self.figures}"


@dataclass(frozen=True, slots=True)
class Message:
    """One message with all that is known of it.

    *copies* are the places among all deliveries at which each recipient got it.
    """

    post: Post | None
    record: Mapping[str, Any]
    copies: Mapping[str, Sequence[int]]

    @property
    def status(self) -> str:
        return str(self.record["status"])

    @property
    def place(self) -> int | None:
        """Where it first arrived at anybody."""
        return min((place for places in self.copies.values() for place in places), default=None)

    @property
    def most_copies(self) -> int:
        """How often it arrived at whoever got it most often."""
        return max((len(places) for places in self.copies.values()), default=0)

    @property
    def lost_replies(self) -> int:
        """How many attempts ended without anybody knowing whether it was delivered."""
        return sum(1 for one in self.record["attempts"] if one["outcome"] == "uncertain")

    @property
    def may_be_passed(self) -> bool:
        own = [
            one
            for one in self.record["attempts"]
            if one["outcome"] == "deferred" and one["phase"] in OWN_PHASES
        ]
        return len(own) >= TURNS_AT_THE_HEAD

    def is_delivered_rightly(self) -> bool:
        """Each recipient has it as often as the status says, or more where its sender said so."""
        refused = {one["address"] for one in self.record["refused"]}
        return all(
            self._is_right(len(self.copies.get(to, ())), is_refused=to in refused)
            for to in self.record["to"]
        )

    def _is_right(self, times: int, *, is_refused: bool) -> bool:
        asked = bool(self.post and self.post.resend)
        lost = self.lost_replies if asked else 0
        match self.status:
            case "sent" if not is_refused:
                return 1 <= times <= 1 + lost
            case "sent" | "failed" | "cancelled":
                return times <= lost
            case "uncertain":
                return times <= 1 and not asked
        return False


class Books:
    """Everything of one soak, put side by side; *delivered*: Message-IDs and whom they reached."""

    def __init__(
        self,
        posts: Sequence[Sequence[Post]],
        records: Sequence[Sequence[Mapping[str, Any]]],
        delivered: Sequence[tuple[str, Sequence[str]]],
    ) -> None:
        copies: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for place, (message_id, recipients) in enumerate(delivered):
            for recipient in recipients:
                copies[message_id][recipient].append(place)
        posted = {only: post for mine in posts for post in mine for only in post.ids}
        self.posts = [post for mine in posts for post in mine]
        self.delivered = {message_id for message_id, _ in delivered}
        self.mailboxes = [
            [Message(posted.get(one["id"]), one, copies[one["message_id"]]) for one in mine]
            for mine in records
        ]
        self.messages = [message for mine in self.mailboxes for message in mine]

    def checks(self) -> Iterator[Check]:
        """Yield every line of the account."""
        yield self._sums()
        yield self._promises()
        yield from self._deliveries()
        yield self._cancellations()
        yield self._duplicates()
        yield self._order()

    def _sums(self) -> Check:
        ends = Counter(message.status for message in self.messages)
        accepted = sum(1 for post in self.posts if post.ids)
        told = " + ".join(f"{ends[status]} {status}" for status in ENDS)
        other = {status: times for status, times in ends.items() if status not in ENDS}
        holds = accepted == sum(ends[status] for status in ENDS) and not other
        return Check("accepted adds up", holds, f"{accepted} = {told}" + f" {other or ''}")

    def _promises(self) -> Check:
        """Every 202 has one record, every record had a 202."""
        several = sum(1 for post in self.posts if len(post.ids) > 1)
        unasked = sum(1 for message in self.messages if message.post is None)
        missing = sum(1 for post in self.posts if not post.ids)
        kept = {message.record["id"] for message in self.messages}
        lost = sum(1 for post in self.posts if not post.ids <= kept)
        figures = (
            f"{len(self.posts)} asked, {missing} not accepted, {lost} lost, "
            f"{several} accepted twice under one key, {unasked} of nobody"
        )
        return Check("each is accepted once", not (several or unasked or missing or lost), figures)

    def _deliveries(self) -> Iterator[Check]:
        for status, promise in (
            ("sent", "sent is delivered once"),
            ("uncertain", "uncertain is delivered at most once"),
            ("failed", "failed is not delivered"),
            ("cancelled", "cancelled is not delivered"),
        ):
            mine = [message for message in self.messages if message.status == status]
            wrong = [one for one in mine if not one.is_delivered_rightly()]
            times = Counter(message.most_copies for message in mine)
            figures = ", ".join(f"{many} delivered {n} times" for n, many in sorted(times.items()))
            shown = "".join(f"\n    {one.record}" for one in wrong[:5])
            yield Check(promise, not wrong, f"{figures or 'none'}; {len(wrong)} wrong{shown}")

    def _cancellations(self) -> Check:
        """What the caller was told of a cancel is what the record says."""
        told = [one for one in self.messages if one.post and one.post.cancelled]
        wrong = [one for one in told if one.status != "cancelled"]
        return Check("a granted cancel stays", not wrong, f"{len(told)} granted")

    def _duplicates(self) -> Check:
        several = [one for one in self.messages if one.most_copies > 1]
        asked = [one for one in several if one.post and one.post.resend and one.lost_replies]
        strange = self.delivered - {one.record["message_id"] for one in self.messages}
        figures = (
            f"{len(several) - len(asked)}, besides {len(asked)} asked for by on_uncertain; "
            f"{len(strange)} that nobody sent"
        )
        return Check("duplicates", len(several) == len(asked) and not strange, figures)

    def _order(self) -> Check:
        """The messages of a mailbox first arrive in the order in which they were accepted.

        Those that were deferred five times by their own refusals do not count: others may pass
        them. Those that never arrived have no place.
        """
        wrong, passed, compared = [], 0, 0
        for mailbox in self.mailboxes:
            placed = [(one.place, one) for one in mailbox if one.place is not None]
            passed += sum(1 for _, one in placed if one.may_be_passed)
            kept = [
                (at, one.post.number) for at, one in placed if one.post and not one.may_be_passed
            ]
            numbers = [number for _, number in sorted(kept)]
            compared += len(numbers)
            if numbers != sorted(numbers):
                wrong.append(numbers)
        figures = (
            f"{compared} in {len(self.mailboxes)} mailboxes, {passed} made way, "
            f"{len(wrong)} mailboxes out of order"
        )
        shown = "".join(f"\n    {numbers}" for numbers in wrong[:5])
        return Check("order within each mailbox", not wrong, figures + shown)
