"""Records of topics in a file, as tests/kafka/topic.c dumps and sends them. Little-endian, one behind the other:
    int32 partition (-1 to be sent: by the key), int64 offset, int64 time in ms, int32 bytes of the key, int32 of the value (-1: none),
    uint16 number of headers, uint16 zero; the key, the value; each header: uint16 bytes of the name, int32 of the value, both."""
import struct
from collections import namedtuple

HEAD = struct.Struct("<iqqiiHH")
HEADER = struct.Struct("<Hi")
Record = namedtuple("Record", "partition offset time_ms key value headers")  # bytes or None; headers: tuple of (name, value)


def pack(key, value, partition=-1, offset=0, time_ms=0, headers=()):
    """The bytes of one record."""
    parts = [HEAD.pack(partition, offset, time_ms, -1 if key is None else len(key), -1 if value is None else len(value), len(headers), 0),
             key or b"", value or b""]
    for name, content in headers:
        parts += [HEADER.pack(len(name), -1 if content is None else len(content)), name, content or b""]
    return b"".join(parts)


def read(path):
    """All records of a file, in its order: each partition's in the order of its offsets. A file that ends within one is an error."""
    with open(path, "rb") as file:
        data = file.read()
    at, end = 0, len(data)
    while at < end:
        partition, offset, time_ms, key_bytes, value_bytes, count, zero = HEAD.unpack_from(data, at)
        if zero != 0 or key_bytes < -1 or value_bytes < -1:
            raise ValueError(f"{path}: no record at byte {at}")
        at += HEAD.size
        key = None if key_bytes < 0 else data[at:at + key_bytes]
        at += max(key_bytes, 0)
        value = None if value_bytes < 0 else data[at:at + value_bytes]
        at += max(value_bytes, 0)
        headers = []
        for _ in range(count):
            name_bytes, content_bytes = HEADER.unpack_from(data, at)
            at += HEADER.size
            name = data[at:at + name_bytes]
            at += name_bytes
            headers.append((name, None if content_bytes < 0 else data[at:at + content_bytes]))
            at += max(content_bytes, 0)
        if at > end:
            raise ValueError(f"{path}: ends within a record")
        yield Record(partition, offset, time_ms, key, value, tuple(headers))
