"""`WorkLimits` of reading foreign content in a worker process, one set for each kind of content."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class WorkLimits:
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

    def with_time_for(self, size_bytes: int) -> WorkLimits:
        """These limits with SECONDS_PER_MB more for each MB of a file."""
        more = SECONDS_PER_MB * size_bytes / 1_000_000
        return replace(self, timeout_s=self.timeout_s + more, cpu_s=self.cpu_s + more)

    def holding(self, size_bytes: int) -> WorkLimits:
        """These limits for a file of this size, which is held in memory a few times."""
        more = size_bytes // 1_000_000
        return replace(
            self,
            memory_mb=self.memory_mb + 3 * more,
            timeout_s=self.timeout_s + more / 10,
            cpu_s=self.cpu_s + more / 10,
        )

    def for_sound(self, duration_s: float, output_bytes: int) -> WorkLimits:
        """These limits for a sound of at most `duration_s` and `output_bytes` of samples."""
        output_mb = output_bytes // 1_000_000 + 1
        return replace(
            self,
            timeout_s=self.timeout_s + duration_s / SLOWEST_DECODER,
            cpu_s=self.cpu_s + duration_s / SLOWEST_DECODER,
            memory_mb=self.memory_mb + 3 * output_mb,
            output_mb=self.output_mb + output_mb,
        )


SECONDS_PER_MB = 10
"""A dense PDF has about 250 pages in one MB, and a page takes some 30 ms."""

PAGE = WorkLimits("agentaudio.workers.limits.PAGE", timeout_s=15, cpu_s=4, memory_mb=400, output_mb=20)
"""An HTML page."""

DOCUMENT = WorkLimits("agentaudio.workers.limits.DOCUMENT", timeout_s=20, cpu_s=10, memory_mb=600, output_mb=50)
"""A PDF or Word file; plus SECONDS_PER_MB of time for each MB of the file."""

TOOL_FILE = WorkLimits("agentaudio.workers.limits.TOOL_FILE", timeout_s=15, cpu_s=5, memory_mb=300, output_mb=20)
"""A YAML or TOML file of tools."""

SEARCH = WorkLimits("agentaudio.workers.limits.SEARCH", timeout_s=30, cpu_s=10, memory_mb=1000, output_mb=5)
"""A query to public search engines, whose answers it parses. Its threads reserve memory that they do not use."""

SOUND = WorkLimits("agentaudio.workers.limits.SOUND", timeout_s=10, cpu_s=5, memory_mb=300, output_mb=0)
"""A sound file. The longest sound that is asked for adds one second of time for each SLOWEST_DECODER
seconds, its samples, and three times their size of memory."""

SLOWEST_DECODER = 20
"""Seconds of sound that the slowest decoder reads in one second."""

MANIFEST = WorkLimits("agentaudio.workers.limits.MANIFEST", timeout_s=20, cpu_s=10, memory_mb=400, output_mb=5)
"""The C2PA manifest of a sound file; plus three times the size of the file of memory."""
