"""`StopFlag`: stops a computation of a C library from any thread."""

from __future__ import annotations

import ctypes


class StopFlag:
    """Stops the computation of llama.cpp. text: empty until it is set

    llama.cpp asks a C function of the form `bool f(void *)` before each operation. A Python function would wait for
    the interpreter each time, so it is given `strlen` and this text: empty goes on, anything else stops.
    """

    def __init__(self) -> None:
        self.text = ctypes.create_string_buffer(2)

    def set(self) -> None:
        self.text[0] = b"x"
