"""Becomes a program that the kernel refuses some system calls, as a container's profile does.

usage: forbid_calls.py ERRNO NUMBER,... PROGRAM [ARGUMENT ...]

A seccomp filter answers the calls of those numbers with the error of that number. It stays for the
program and all its children, and cannot be taken off.
"""

import ctypes
import os
import struct
import sys

PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2

LOAD_NUMBER = struct.pack("HBBI", 0x20, 0, 0, 0)
ALLOW = struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000)


def filter_of(calls, errno):
    """One comparison a call, then the two answers."""
    last = len(calls)
    compare = (struct.pack("HBBI", 0x15, last - at, 0, call) for at, call in enumerate(calls))
    refuse = struct.pack("HBBI", 0x06, 0, 0, 0x00050000 | errno)
    return b"".join([LOAD_NUMBER, *compare, ALLOW, refuse])


class Program(ctypes.Structure):
    """struct sock_fprog"""

    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def prctl(*arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    longs = [a if isinstance(a, ctypes._Pointer) else ctypes.c_ulong(a) for a in arguments]
    if libc.prctl(*longs) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def main():
    errno, calls = int(sys.argv[1]), [int(call) for call in sys.argv[2].split(",")]
    code = filter_of(calls, errno)
    program = Program(len(code) // 8, code)
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.pointer(program), 0, 0)
    os.execvp(sys.argv[3], sys.argv[3:])


main()
