"""`LazySpan`: a span of OpenTelemetry that is made when somebody needs it, at the latest when its turn has ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.context import Context, get_current
from opentelemetry.trace import Span, SpanContext, Status, StatusCode, Tracer, set_span_in_context

Attributes = Mapping[str, Any]


class LazySpan(Span):
    """Holds what a span is made of, and makes it with all its attributes at once.

    It may be the current span: who makes another one inside it, or writes to it, gets the real one. May be used by
    several threads.

    start_ns: in ns since 1970
    attributes: gives those that it begins with
    parent: the span around it; None is the current one
    """

    def __init__(
        self, tracer: Tracer, name: str, start_ns: int, attributes: Callable[[], Attributes], parent: LazySpan | None
    ) -> None:
        self._tracer, self._name, self._start_ns, self._parent = tracer, name, start_ns, parent
        self._attributes = attributes
        self._noted: dict[str, Any] = {}
        self._outside: Context = get_current() if parent is None else parent._outside
        self._events: list[tuple[str, Attributes, int]] = []
        self._status: Status | None = None
        self._made: Span | None = None
        self._lock: threading.RLock = threading.RLock() if parent is None else parent._lock

    def made(self) -> Span:
        """The real span."""
        with self._lock:
            if self._made is None:
                outside = self._outside
                if self._parent is not None:
                    outside = set_span_in_context(self._parent.made(), outside)
                attributes = {**self._attributes(), **self._noted}
                self._made = self._tracer.start_span(
                    self._name, outside, attributes=attributes, start_time=self._start_ns
                )
                self._attributes = dict  # what gave them may hold this span
            return self._made

    def child(self, name: str, start_ns: int, attributes: Callable[[], Attributes]) -> LazySpan:
        """A span inside this one."""
        return LazySpan(self._tracer, name, start_ns, attributes, self)

    def note(self, attributes: Attributes) -> None:
        """Add attributes."""
        with self._lock:
            if self._made is None:
                self._noted.update(attributes)
            else:
                self._made.set_attributes(attributes)

    def note_event(self, name: str, attributes: Attributes, at_ns: int) -> None:
        """Add an event when the span is finished."""
        self._events.append((name, attributes, at_ns))

    def fail(self, kind: str, message: str) -> None:
        """Mark it as failed when it is finished."""
        self.note({"error.type": kind})
        self._status = Status(StatusCode.ERROR, message or kind)

    def finish(self, at_ns: int) -> None:
        """Make the span, if nobody has needed it until now, and end it."""
        made = self.made()
        for name, attributes, then_ns in self._events:
            made.add_event(name, attributes, then_ns)
        if self._status is not None:
            made.set_status(self._status)
        made.end(at_ns)

    def end(self, end_time: int | None = None) -> None:
        self.made().end(end_time)

    def get_span_context(self) -> SpanContext:
        return self.made().get_span_context()

    def set_attributes(self, attributes: Attributes) -> None:
        self.made().set_attributes(attributes)

    def set_attribute(self, key: str, value: Any) -> None:
        self.made().set_attribute(key, value)

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        self.made().add_event(name, attributes, timestamp)

    def add_link(self, context: SpanContext, attributes: Any = None) -> None:
        self.made().add_link(context, attributes)

    def update_name(self, name: str) -> None:
        self.made().update_name(name)

    def is_recording(self) -> bool:
        return self.made().is_recording()

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        self.made().set_status(status, description)

    def record_exception(
        self, exception: BaseException, attributes: Any = None, timestamp: int | None = None, escaped: bool = False
    ) -> None:
        self.made().record_exception(exception, attributes, timestamp, escaped)
