"""Guidance: what every refusal means, what becomes of the mail, and who does what next."""

from shared.guidance.catalogue import Disposition, Guidance, Words, every_code, for_code
from shared.guidance.problem import problem_document
from shared.guidance.replies import for_reply
from shared.guidance.token_errors import for_token_error
from shared.guidance.wording import commands_for, link_for, words_for

__all__ = [
    "Disposition",
    "Guidance",
    "Words",
    "commands_for",
    "every_code",
    "for_code",
    "for_reply",
    "for_token_error",
    "link_for",
    "problem_document",
    "words_for",
]
