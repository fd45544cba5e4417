"""VLAN tags in a packet filter: the program for bare Ethernet frames comes in, one that reads tagged ones too goes out.

libpcap's own `vlan` would do the same, but optimises three programs as one, which takes it twenty times as long: too
long for a start, and for each flow that the filter is widened by. A tag only moves what is behind it by four bytes.
"""

from collections.abc import Iterable

from monitor.sources.instructions import JUMP, JUMP_IF_EQUAL, LOAD_HALF, Instruction, shifted

TAG_ETHERTYPES = (0x8100, 0x88A8, 0x9100)
TAG_BYTES = 4
MAX_TAGS = 2
"""Tags looked behind; what has more passes as a whole, if the program lets tags through."""
ETHERTYPE_AT = 12
IPV4 = 0x0800


def with_tags(program: Iterable[Instruction]) -> list[Instruction]:
    """The program, behind as many tags as a frame has."""
    bare = list(program)
    whole: list[Instruction] = []
    for tags in range(MAX_TAGS):
        whole += [*_to_next(tags, len(bare)), *shifted(bare, TAG_BYTES * tags)]
    return whole + shifted(bare, TAG_BYTES * MAX_TAGS)


def _to_next(tags: int, size: int) -> list[Instruction]:
    """A jump over the program of that size, which follows, where one more tag stands; IPv4 goes on at once."""
    one, two, three = TAG_ETHERTYPES
    return [
        (LOAD_HALF, 0, 0, ETHERTYPE_AT + TAG_BYTES * tags),
        (JUMP_IF_EQUAL, 4, 0, IPV4),
        (JUMP_IF_EQUAL, 2, 0, one),
        (JUMP_IF_EQUAL, 1, 0, two),
        (JUMP_IF_EQUAL, 0, 1, three),
        (JUMP, 0, 0, size),
    ]
