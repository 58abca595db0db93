"""The test message: from the account to its own address, to see that everything works."""

from datetime import datetime

from shared.address import address_of
from shared.messages.compose import Letter, compose
from shared.messages.draft import Draft, Sender

_SUBJECT = {"nb": "Testmelding fra {product}", "en": "Test message from {product}"}
_TEXT = {
    "nb": (
        "Hei!\n\n"
        "Denne meldingen ble sendt fra {address} av {product}. At du leser den, betyr at e-post"
        " fra {product} nå sendes fra denne kontoen, uten at noe passord er lagret.\n\n"
        "Du trenger ikke å svare.\n"
    ),
    "en": (
        "Hello,\n\n"
        "This message was sent from {address} by {product}. That you are reading it means that"
        " {product} now sends e-mail from this account, without any password being stored.\n\n"
        "There is no need to reply.\n"
    ),
}


def draft(sender: Sender, message_id: str, *, product: str, language: str, now: datetime) -> Draft:
    """Return the test message in *language*, from and to the *sender*."""
    author = address_of(sender.display_name or "", sender.address)
    values = {"product": product, "address": sender.address}
    letter = Letter(
        author=author,
        to=(author,),
        cc=(),
        reply_to=(),
        subject=_SUBJECT[language].format(**values),
        text=_TEXT[language].format(**values),
        html=None,
        attachments=(),
        headers={},
    )
    return Draft(
        content=compose(letter, message_id=message_id, date=now),
        mail_from=author.addr_spec,
        rcpt_to=(author.addr_spec,),
        smtputf8=author.needs_smtputf8,
        message_id=message_id,
        subject=letter.subject,
        to=(author.shown,),
        send_at=None,
        expires_at=None,
        on_uncertain="hold",
    )
