"""Size-delimited protobuf frames over a pair of byte streams."""
import threading

from google.protobuf.message import DecodeError

from .messages import GetReply, Reply

# Longer than any frame a client sends (arrays come in pieces); a longer one means that the stream is something else.
MAX_FRAME_BYTES = 1 << 30
# Arrays leave in pieces of this size: small enough for a processor's cache and for other replies to fit in between.
CHUNK_BYTES = 1 << 20


class StreamError(Exception):
    """What arrived is not this protocol."""


def _read_size(stream) -> int | None:
    size = shift = 0
    while True:
        byte = stream.read(1)
        if not byte:
            if shift:
                raise StreamError("the stream ended inside the size of a frame")
            return None
        size |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            break
        shift += 7
        if shift > 35:
            raise StreamError("a frame does not begin with its size")
    if size > MAX_FRAME_BYTES:
        raise StreamError(f"a frame says it has {size} bytes, more than the limit of {MAX_FRAME_BYTES}")
    return size


def read_frame(stream, message_class):
    """The next message, or None where the stream ends. Throws StreamError."""
    size = _read_size(stream)
    if size is None:
        return None
    data = stream.read(size)
    if len(data) < size:
        raise StreamError(f"the stream ended inside a frame: {len(data)} of {size} bytes")
    try:
        return message_class.FromString(data)
    except DecodeError as error:
        raise StreamError(f"a frame of {size} bytes is not a message: {error}") from error


_LENGTH_DELIMITED = 2
_GET_TAG = Reply.DESCRIPTOR.fields_by_name["get"].number << 3 | _LENGTH_DELIMITED
_DATA_TAG = GetReply.DESCRIPTOR.fields_by_name["data"].number << 3 | _LENGTH_DELIMITED


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class FrameWriter:
    """Writes whole frames, from any thread."""

    def __init__(self, stream):
        self._stream = stream
        self._lock = threading.Lock()

    def write(self, message) -> None:
        data = message.SerializeToString()
        with self._lock:
            self._write_all(_varint(len(data)) + data)

    def write_get(self, id: int, head, data: memoryview) -> None:
        """The frame of `Reply(id, get=head)` with `data` in it. The last bytes of the message are put there by hand, for the
        library would copy them several times."""
        inner = head.SerializeToString() + bytes([_DATA_TAG]) + _varint(len(data))
        outer = Reply(id=id).SerializeToString() + bytes([_GET_TAG]) + _varint(len(inner) + len(data)) + inner
        with self._lock:
            self._write_all(_varint(len(outer) + len(data)) + outer)
            self._write_all(data)

    def _write_all(self, data) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._stream.write(rest) :]
