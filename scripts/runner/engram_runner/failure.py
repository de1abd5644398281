"""How a request fails."""
import re
from dataclasses import dataclass

PROTOCOL = 1
START = 2
COMPILE = 3
EXECUTION = 4
CANCELLED = 5
INVALID = 6
FILE = 7
INTERNAL = 8

_STATUS = re.compile(r"([A-Z][A-Z_]+): ")


@dataclass(frozen=True)
class Failure:
    """What an `Error` says. Kept in place of a buffer that could not be made, so that its users fail with the same words."""

    kind: int
    message: str
    status: str = ""
    origin: int = 0

    @staticmethod
    def of(kind: int, error: BaseException, origin: int = 0) -> "Failure":
        """XLA's messages begin with a status code; the words alone are left in the message."""
        text = str(error) or type(error).__name__
        match = _STATUS.match(text)
        if match is None:
            return Failure(kind, text, "", origin)
        return Failure(kind, text[match.end() :], match.group(1), origin)


class RequestError(Exception):
    """Ends a request with the failure it carries."""

    def __init__(self, failure: Failure):
        super().__init__(failure.message)
        self.failure = failure


def invalid(message: str) -> RequestError:
    return RequestError(Failure(INVALID, message))
