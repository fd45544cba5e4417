"""Programs of classic BPF as lists of numbers, put together from parts that libpcap made.

Compiling a text takes libpcap milliseconds, and far longer where the text is long; moving a finished part to where
the same headers stand somewhere else takes next to nothing, and cannot change what it tells apart.
"""

from collections.abc import Iterable, Sequence

from monitor.model.layouts import Layout, Mark
from monitor.sources.savefile import MAX_FRAME_BYTES

Instruction = tuple[int, int, int, int]
"""Of classic BPF: code, jump if true, jump if false, operand."""
Program = Sequence[Instruction]

MAX_INSTRUCTIONS = 4096
"""A kernel takes no longer program."""
LOAD_BYTE = 0x30
LOAD_HALF = 0x28
JUMP = 0x05
JUMP_IF_EQUAL = 0x15
JUMP_IF_OR_MORE = 0x35
AND = 0x54
RETURN = 0x06
LOADS = (0x00, 0x01)
FROM_PACKET = (0x20, 0x40, 0xA0)
"""Modes of a load: from a fixed place, from a place in X, and the length of an IPv4 header."""


def shifted(program: Iterable[Instruction], places: int) -> list[Instruction]:
    """The program for frames in which everything stands so many bytes further behind."""
    return [
        (code, true, false, operand + places if code & 7 in LOADS and code & 0xE0 in FROM_PACKET else operand)
        for code, true, false, operand in program
    ]


def in_turn(programs: Sequence[Program]) -> list[Instruction]:
    """One program that takes what all of them take: where one takes a frame, the next is asked."""
    whole: list[Instruction] = []
    for program in programs[:-1]:
        for place, instruction in enumerate(program, 1):
            takes = instruction[0] == RETURN and instruction[3]
            whole.append((JUMP, 0, 0, len(program) - place) if takes else instruction)
    return whole + list(programs[-1])


def within(layout: Layout, packet: Program) -> list[Instruction]:
    """Of frames of that layout, those whose innermost packet the program for bare packets takes; and all others."""
    size = sum(2 + (mark.mask != _bits_of(mark)) for mark in layout.marks)
    tests: list[Instruction] = []
    for mark in layout.marks:
        tests.append((LOAD_BYTE if mark.size == 1 else LOAD_HALF, 0, 0, mark.at))
        if mark.mask != _bits_of(mark):
            tests.append((AND, 0, 0, mark.mask))
        tests.append((JUMP_IF_OR_MORE if mark.or_more else JUMP_IF_EQUAL, 0, size - len(tests) - 1, mark.value))
    # Where the last mark is there, too, go over the jump that follows: a conditional one cannot go so far.
    code, _, false, value = tests[-1]
    tests[-1] = (code, 1, false, value)
    inner = shifted(packet, layout.packet_at)
    return [*tests, (JUMP, 0, 0, len(inner)), *inner, (RETURN, 0, 0, MAX_FRAME_BYTES)]


def _bits_of(mark: Mark) -> int:
    return (1 << 8 * mark.size) - 1
