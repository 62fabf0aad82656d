"""Puts H.264 pictures together from horizontal bands.

A picture may consist of several slices, and a slice knows nothing of its neighbours but the pictures before it. So each
band of a picture (16 rows or a multiple) is encoded alone, as a small video of its own, and its slices are then moved
to their place by rewriting one number in their headers. A band that stands still costs nothing after its first picture:
"skip all" is a slice of some ten bytes, written here by hand. That is what makes a 15 s clip a matter of milliseconds.

It holds for streams as `encoder.py` makes them: constrained baseline (CAVLC, no B frames, no weighting), one reference
picture, no deblocking across or within slices, frame numbers of four bits, picture order by frame number alone.
Clause numbers below are those of ITU-T H.264.
"""

import re
from collections.abc import Iterable

MACROBLOCK = 16
_FRAME_NUMBER_BITS = 4
_SLICE_P, _SLICE_IDR = 1, 5  # nal_unit_type, table 7-1
_START_CODE = re.compile(rb"\x00\x00\x00?\x01")
_NEEDS_ESCAPE = re.compile(rb"\x00\x00(?=[\x00-\x03])")


def macroblocks(length: int) -> int:
    """How many macroblocks cover `length` pixels."""
    return -(-length // MACROBLOCK)


def nal_units(stream: bytes) -> list[bytes]:
    """The NAL units of a stream with start codes (annex B)."""
    return [unit for unit in _START_CODE.split(stream) if unit]


def slices(stream: bytes) -> list[bytes]:
    """Its slices alone: without parameter sets and the encoder's messages."""
    return [unit for unit in nal_units(stream) if unit[0] & 0x1F in (_SLICE_P, _SLICE_IDR)]


def sample(units: Iterable[bytes]) -> bytes:
    """A picture as MP4 holds it: each NAL unit after its length in four bytes."""
    return b"".join(part for unit in units for part in (len(unit).to_bytes(4, "big"), unit))


def move_slice(unit: bytes, first_macroblock: int) -> bytes:
    """The slice `unit` of a band, made to start at `first_macroblock` of the whole picture (7.3.3).

    idr_pic_id becomes 0 as in every other band. That is allowed because between two IDR pictures stand others (7.4.3).
    """
    bits = _Bits(unit[1:].replace(b"\x00\x00\x03", b"\x00\x00"))
    bits.read_golomb()  # first_mb_in_slice
    slice_type, parameter_set = bits.read_golomb(), bits.read_golomb()
    frame_number = bits.read(_FRAME_NUMBER_BITS)
    head = _golomb(first_macroblock) + _golomb(slice_type) + _golomb(parameter_set) + f"{frame_number:04b}"
    if unit[0] & 0x1F == _SLICE_IDR:
        bits.read_golomb()  # idr_pic_id
        head += _golomb(0)
    return unit[:1] + _escaped(*bits.after(head))


def skip_slice(frame_number: int, first_macroblock: int, count: int) -> bytes:
    """A P slice over `count` macroblocks in which nothing changes (7.3.3, 7.3.4)."""
    p_in_all_slices, no_override, no_reordering, no_marking, no_deblocking = _golomb(5), "0", "0", "0", _golomb(1)
    head = _golomb(first_macroblock) + p_in_all_slices + _golomb(0) + f"{frame_number % (1 << _FRAME_NUMBER_BITS):04b}"
    same_quantiser = _golomb(0)
    head += no_override + no_reordering + no_marking + same_quantiser + no_deblocking
    body = head + _golomb(count) + "1"
    reference_p = bytes((0x41,))
    return reference_p + _escaped(int(body, 2), len(body))


class _Bits:
    """Reads the front of a long bit string without unpacking the rest."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._head = int.from_bytes(data[:16].ljust(16, b"\0"), "big")
        self._position = 0

    def read(self, count: int) -> int:
        self._position += count
        return self._head >> 128 - self._position & (1 << count) - 1

    def read_golomb(self) -> int:
        zeros = 0
        while not self.read(1):
            zeros += 1
        return (1 << zeros | self.read(zeros)) - 1

    def after(self, head: str) -> tuple[int, int]:
        """All bits not read yet, behind `head`, without the padding after the stop bit: (value, length in bits)."""
        value = int.from_bytes(self._data, "big")
        padding = (value & -value).bit_length() - 1
        length = len(self._data) * 8 - self._position - padding
        value = value >> padding & (1 << length) - 1
        return int(head, 2) << length | value, len(head) + length


def _golomb(value: int) -> str:
    """ue(v), 9.1."""
    digits = f"{value + 1:b}"
    return "0" * (len(digits) - 1) + digits


def _escaped(value: int, length: int) -> bytes:
    """`length` bits, filled up to whole bytes, with emulation prevention (7.4.1)."""
    padding = -length % 8
    return _NEEDS_ESCAPE.sub(b"\x00\x00\x03", (value << padding).to_bytes((length + padding) // 8, "big"))
