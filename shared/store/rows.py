"""The rows of a mailbox's partition: their keys, and values to entities and back."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from shared.accounts.account import Account, AccountStatus, Identity, Obstacle
from shared.identifiers import newest_first
from shared.messages.record import Attempt, MessageStatus, Outcome, Record, Trouble
from shared.microsoft.smtp import Envelope, Reply
from shared.schedule import Rest, Why

PIECE = 60 * 1024
"""A binary property holds at most 64 KiB; packed values are cut into pieces of this many bytes."""

ACCOUNT = "account"
LEASE = "lease"

type Entity = dict[str, Any]


def message_key(message: str) -> str:
    """Return the row of a record; the newest sorts first."""
    return f"message:{newest_first(message)}"


def outbox_key(due: datetime, message: str) -> str:
    """Return the row of what is still to be sent; the earliest due first, then the oldest."""
    return f"outbox:{int(due.timestamp() * 1000):013d}:{message}"


def content_key(message: str) -> str:
    """Return the row of the content."""
    return f"content:{message}"


def idempotency_key(digest: str) -> str:
    """Return the row of an idempotency key, known by its SHA-256."""
    return f"key:{digest}"


def flow_key(digest: str) -> str:
    """Return the row that says that an authorization flow was redeemed."""
    return f"flow:{digest}"


def pack(prefix: str, value: bytes) -> Entity:
    """Cut *value* into properties ``<prefix>00``, ``<prefix>01`` … that Table Storage can hold."""
    view = memoryview(value)
    pieces = range(0, max(len(view), 1), PIECE)
    return {f"{prefix}{n:02d}": bytes(view[at : at + PIECE]) for n, at in enumerate(pieces)}


def unpack(prefix: str, entity: Mapping[str, Any]) -> bytes:
    """Put together what ``pack`` cut."""
    pieces: list[bytes] = []
    while (piece := entity.get(f"{prefix}{len(pieces):02d}")) is not None:
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def stamp(moment: datetime | None) -> str:
    """Write a moment as RFC 3339 in UTC; none is the empty text."""
    return moment.astimezone(UTC).isoformat() if moment else ""


def moment(text: str | None) -> datetime | None:
    """Read a moment that ``stamp`` wrote."""
    return datetime.fromisoformat(text) if text else None


def rest_of(entity: Mapping[str, Any]) -> Rest:
    """Read from a lease's row until when its mailbox is left alone."""
    return Rest(moment(entity["rest_until"]), Why(entity["rest_reason"]), entity["rest_count"])


def _some(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def account_properties(account: Account) -> Entity:
    """Return everything an account's row holds."""
    identity = account.identity
    return {
        "customer": account.customer,
        "type": account.type,
        "username": account.username,
        "address": account.address,
        "display_name": account.display_name or "",
        "scope": " ".join(account.scope),
        "generation": account.generation,
        "created_at": stamp(account.created_at),
        "connected_at": stamp(account.connected_at),
        "released_at": stamp(account.released_at),
        "last_sent_at": stamp(account.last_sent_at),
        "identity": _json([identity.tenant_id, identity.object_id, identity.username])
        if identity
        else "",
        **standing_properties(account.status, account.obstacle),
    }


def standing_properties(status: AccountStatus, obstacle: Obstacle | None) -> Entity:
    """Return the part of an account's row that says whether it can send."""
    return {
        "status": status.value,
        "obstacle": _json([obstacle.code, dict(obstacle.values), stamp(obstacle.since)])
        if obstacle
        else "",
    }


def account_of(entity: Mapping[str, Any]) -> Account:
    """Read an account's row."""
    identity = json.loads(entity["identity"]) if entity["identity"] else None
    obstacle = json.loads(entity["obstacle"]) if entity["obstacle"] else None
    return Account(
        id=entity["PartitionKey"],
        customer=entity["customer"],
        type=entity["type"],
        username=entity["username"],
        address=entity["address"],
        display_name=entity["display_name"] or None,
        status=AccountStatus(entity["status"]),
        scope=tuple(entity["scope"].split()),
        generation=entity["generation"],
        created_at=_some(entity["created_at"]),
        connected_at=moment(entity["connected_at"]),
        released_at=moment(entity["released_at"]),
        last_sent_at=moment(entity["last_sent_at"]),
        identity=Identity(tenant_id=identity[0], object_id=identity[1], username=identity[2])
        if identity
        else None,
        obstacle=Obstacle(obstacle[0], obstacle[1], _some(obstacle[2])) if obstacle else None,
    )


def record_properties(record: Record) -> Entity:
    """Return everything a message's row holds: what never changes, and its progress."""
    facts = {
        "message_id": record.message_id,
        "subject": record.subject,
        "to": record.to,
        "mail_from": record.envelope.mail_from,
        "rcpt_to": record.envelope.rcpt_to,
        "size": record.envelope.size,
        "smtputf8": record.envelope.smtputf8,
        "on_uncertain": record.on_uncertain,
        "in_blob": record.content_in_blob,
        "created_at": stamp(record.created_at),
        "send_at": stamp(record.send_at),
        "expires_at": stamp(record.expires_at),
    }
    return {**pack("facts", _json(facts).encode()), **progress_properties(record)}


def progress_properties(record: Record) -> Entity:
    """Return the part of a message's row that changes while it is being sent."""
    progress = {
        "sent_at": stamp(record.sent_at),
        "next_attempt_at": stamp(record.next_attempt_at),
        "attempts": [
            [stamp(one.at), one.outcome.value, one.phase, _reply_list(one.reply)]
            for one in record.attempts
        ],
        "refused": [[address, _reply_list(reply)] for address, reply in record.refused],
        "left": record.left,
        "trouble": [record.trouble.code, dict(record.trouble.values)] if record.trouble else None,
    }
    return {"status": record.status.value, **pack("progress", _json(progress).encode())}


def record_of(entity: Mapping[str, Any]) -> Record:
    """Read a message's row."""
    facts = json.loads(unpack("facts", entity))
    progress = json.loads(unpack("progress", entity))
    trouble = progress["trouble"]
    return Record(
        id=newest_first(entity["RowKey"].removeprefix("message:")),
        account_id=entity["PartitionKey"],
        status=MessageStatus(entity["status"]),
        message_id=facts["message_id"],
        subject=facts["subject"],
        to=tuple(facts["to"]),
        envelope=Envelope(
            mail_from=facts["mail_from"],
            rcpt_to=tuple(facts["rcpt_to"]),
            size=facts["size"],
            smtputf8=facts["smtputf8"],
        ),
        on_uncertain=facts["on_uncertain"],
        content_in_blob=facts["in_blob"],
        created_at=_some(facts["created_at"]),
        send_at=moment(facts["send_at"]),
        expires_at=moment(facts["expires_at"]),
        sent_at=moment(progress["sent_at"]),
        next_attempt_at=moment(progress["next_attempt_at"]),
        attempts=tuple(
            Attempt(_some(at), Outcome(outcome), phase, _reply_of(reply))
            for at, outcome, phase, reply in progress["attempts"]
        ),
        refused=tuple((address, Reply(*reply)) for address, reply in progress["refused"] if reply),
        trouble=Trouble(trouble[0], trouble[1]) if trouble else None,
        left=None if (left := progress.get("left")) is None else tuple(left),
    )


def _reply_list(reply: Reply | None) -> list[object] | None:
    return [reply.code, reply.enhanced, reply.text[:1000]] if reply else None


def _reply_of(values: list[Any] | None) -> Reply | None:
    return Reply(*values) if values else None
