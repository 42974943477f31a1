"""Servers of databases for the tests of stores, which the tests start and stop."""

from __future__ import annotations

import importlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Protocol

from agentaudio.storage.store import Store

POSTGRES = next(
    (path for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True) if (path / "initdb").exists()),
    None,
)
REDIS = shutil.which("redis-server")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class Server(Protocol):
    url: str
    maker: str
    """Module and name of the store."""

    def start(self) -> None: ...

    def stop(self) -> None:
        """As in a power cut."""

    def empty(self) -> None: ...

    def counts(self) -> tuple[int, int]:
        """Things of sessions and turns that are kept, and sounds."""

    def outdate(self) -> None:
        """Make what is there of a future format."""


def store_of(server: Server, **options: Any) -> Store:
    module, name = server.maker.split(":")
    made: Store = getattr(importlib.import_module(module), name)(server.url, **options)
    return made


class PostgresServer:
    """A PostgreSQL server in a folder, on a free port of this machine."""

    maker = "agentaudio.storage.postgres_store:PostgresStore"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(folder, "postgres")
        self._run("initdb", "-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "--no-sync")

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        self._run(
            "pg_ctl", "-D", str(self.folder / "data"), "-o", options, "-l", str(self.folder / "log"), "-w", "start"
        )

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")

    def empty(self) -> None:
        self._ask("DROP SCHEMA IF EXISTS agentaudio CASCADE")

    def counts(self) -> tuple[int, int]:
        rows, sounds = (
            self._ask("SELECT sum(n) FROM (SELECT count(*) n FROM agentaudio.sessions UNION ALL "
                      "SELECT count(*) FROM agentaudio.turns UNION ALL SELECT count(*) FROM agentaudio.sounds) c"),
            self._ask("SELECT count(*) FROM agentaudio.sound_files"),
        )  # fmt: skip
        return int(rows), int(sounds)

    def outdate(self) -> None:
        self._ask("UPDATE agentaudio.about SET format = 2")

    def _ask(self, sql: str) -> Any:
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as db:
            found = db.execute(sql)
            row = found.fetchone() if found.description else None
            return None if row is None else row[0]

    def _run(self, program: str, *arguments: str) -> None:
        assert POSTGRES is not None
        command = [str(POSTGRES / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")


class RedisServer:
    """A Redis server in a folder, on a free port of this machine, which writes each change to its log at once."""

    maker = "agentaudio.storage.redis_store:RedisStore"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert REDIS is not None
        self._process = subprocess.Popen(
            [REDIS, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--appendonly", "yes",
             "--appendfsync", "always", "--save", ""],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        until = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() < until, "Redis does not start"
                time.sleep(0.02)

    def stop(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def empty(self) -> None:
        with self._client() as db:
            db.flushdb()

    def counts(self) -> tuple[int, int]:
        with self._client() as db:
            names = [name.decode().split(":")[1] for name in db.keys("agentaudio:*")]
        rows = [name for name in names if name not in ("format", "rows", "voices", "hold", "sound")]
        return len(rows), names.count("sound")

    def outdate(self) -> None:
        with self._client() as db:
            db.set("agentaudio:format", 2)

    def _client(self) -> Any:
        import redis

        return redis.Redis.from_url(self.url)
