"""The messages between host and worker, as plain objects.

In Azure they are protocol buffers. The runtime only reads attributes and asks ``WhichOneof``, so
objects with the same names serve it just as well, and no schema has to be copied here.
"""

import sys
from types import SimpleNamespace
from typing import Any


class Record(SimpleNamespace):
    """A message without alternatives: whatever fields it was made with."""


class OneOf:
    """A message that holds exactly one of several fields, or none."""

    __slots__ = ("_field", "_value")

    def __init__(self, **field: Any) -> None:  # noqa: ANN401
        self._field: str | None = next(iter(field), None)
        self._value: Any = field.get(self._field or "")

    def WhichOneof(self, _group: str) -> str | None:
        """Name the field that is set."""
        return self._field

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        # The runtime probes for names that no message has; they must not seem to exist.
        if name == self._field:
            return self._value
        raise AttributeError(name)


class TypedData(OneOf):
    """One value: ``string``, ``bytes``, ``json``, ``int``, ``double`` or ``http``."""

    __slots__ = ()


class ParameterBinding(Record):
    """A named value, going into a function or coming out of it."""

    name: str
    data: TypedData | None

    def WhichOneof(self, _group: str) -> str:
        """Name the only transport used here: inline data."""
        return "data"


class RpcHttpCookie(Record):
    """One cookie to be set."""

    SameSite = SimpleNamespace(**{"None": 0, "Lax": 1, "Strict": 2, "ExplicitNone": 3})


class StatusResult(Record):
    """How a request to the worker went."""

    Failure = 0
    Success = 1


class RpcException(Record):
    """What the worker caught, in its words; *raised* is the exception itself, known here alone."""

    def __init__(self, **fields: Any) -> None:  # noqa: ANN401
        super().__init__(**fields, raised=sys.exception())


class BindingInfo(Record):
    """One binding of a function, as the runtime's signature checks see it."""

    out = 1
    inout = 2
    undefined = 0
    string = 1
    binary = 2
    stream = 3


setattr(BindingInfo, "in", 0)

NAMES = SimpleNamespace(
    TypedData=TypedData,
    ParameterBinding=ParameterBinding,
    RpcHttpCookie=RpcHttpCookie,
    StatusResult=StatusResult,
    BindingInfo=BindingInfo,
    RpcException=RpcException,
    **{
        name: type(name, (Record,), {})
        for name in (
            "FunctionEnvironmentReloadResponse",
            "FunctionLoadResponse",
            "FunctionMetadataResponse",
            "InvocationResponse",
            "NullableBool",
            "NullableDouble",
            "NullableString",
            "NullableTimestamp",
            "RpcFunctionMetadata",
            "RpcHttp",
            "RpcRetryOptions",
            "Timestamp",
            "WorkerInitResponse",
            "WorkerMetadata",
        )
    },
)
"""The namespace the runtime is given for its ``protos``."""
