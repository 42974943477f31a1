"""`Limits` of reading foreign content in a worker process, one set for each kind of content."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request to a worker process may use.

    name: of the setting, for error messages
    timeout_s: wall-clock time, without the time that the request waits for a free process
    cpu_s: processor time
    memory_mb: memory beyond what the process had at the start of the request, in MB (10**6 bytes);
        enforced on Linux
    output_mb: size of the answer, in MB
    """

    name: str
    timeout_s: float
    cpu_s: float
    memory_mb: int
    output_mb: int

    def with_time_for(self, size_bytes: int) -> Limits:
        """These limits with SECONDS_PER_MB more for each MB of a file."""
        more = SECONDS_PER_MB * size_bytes / 1_000_000
        return replace(self, timeout_s=self.timeout_s + more, cpu_s=self.cpu_s + more)


SECONDS_PER_MB = 10
"""A dense PDF has about 250 pages in one MB, and a page takes some 30 ms."""

PAGE = Limits("agentaudio.workers.limits.PAGE", timeout_s=15, cpu_s=4, memory_mb=400, output_mb=20)
"""An HTML page."""

DOCUMENT = Limits("agentaudio.workers.limits.DOCUMENT", timeout_s=20, cpu_s=10, memory_mb=600, output_mb=50)
"""A PDF or Word file; plus SECONDS_PER_MB of time for each MB of the file."""
