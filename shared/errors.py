"""What can go wrong, as the whole house says it: a code, its values, and every fault at once.

A code is a row of the guidance catalogue (``shared.guidance``), which holds the HTTP status, who
has to act and the words; an error therefore never carries prose of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a request.

    *pointer* is a JSON pointer (RFC 6901) into the request body, or the name of a header or of a
    query parameter; *detail* says in English what is wrong there.
    """

    pointer: str
    detail: str


class ServiceError(Exception):
    """An expected failure, named by *code*, a row of the guidance catalogue.

    *values* fill the row's placeholders. *faults* lists every fault of the request (RFC 9457,
    ``errors``). *retry_after* is in whole seconds and becomes the header of that name.
    """

    def __init__(
        self,
        code: str,
        *,
        faults: Sequence[Fault] = (),
        retry_after: int | None = None,
        **values: str,
    ) -> None:
        super().__init__(code, *(f"{fault.pointer}: {fault.detail}" for fault in faults))
        self.code = code
        self.faults = tuple(faults)
        self.retry_after = retry_after
        self.values = values
