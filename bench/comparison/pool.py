"""The parent's side of the workers: one process for each system, and only one at work."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from comparison.worker import Job, serve

ANSWER_SECONDS = 1_800.0
END_SECONDS = 10.0


class SystemFailedError(Exception):
    """A measurement of one system failed; the others go on."""


class WorkerProcess:
    """One system's process. It is gone for good once it crashed or did not answer."""

    def __init__(self, job: Job) -> None:
        context = multiprocessing.get_context("spawn")  # A fresh process, with nothing loaded.
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, job), daemon=True)
        self._process.start()
        theirs.close()
        self.alive = True

    def call(self, method: str, **arguments: Any) -> Any:  # noqa: ANN401
        """What `Worker.method` returns. Raises SystemFailedError."""
        try:
            self._connection.send((method, arguments))
            if not self._connection.poll(ANSWER_SECONDS):
                self.kill()
                raise SystemFailedError(f"{method}: no answer within {ANSWER_SECONDS:.0f} s")
            outcome, answer = self._connection.recv()
        except (EOFError, OSError) as error:
            self.kill()
            raise SystemFailedError(
                f"{method}: the process died (exit code {self._process.exitcode})"
            ) from error
        if outcome == "error":
            raise SystemFailedError(f"{method}: {answer}")
        return answer

    def close(self) -> None:
        if self.alive:
            self._connection.send(None)
            self._process.join(END_SECONDS)
        self.kill()

    def kill(self) -> None:
        self.alive = False
        self._process.kill()
        self._process.join(END_SECONDS)
        self._connection.close()


class Pool:
    """The workers of one experiment, by the system's name. A context manager."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._workers = {job.system: WorkerProcess(job) for job in jobs}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self._workers.values():
            (worker.close if kind is None else worker.kill)()

    @property
    def systems(self) -> list[str]:
        """Those that are still there."""
        return [name for name, worker in self._workers.items() if worker.alive]

    def remove(self, system: str) -> None:
        """Ends a worker that is of no use any more."""
        self._workers[system].kill()

    def call(self, system: str, method: str, **arguments: Any) -> Any:  # noqa: ANN401
        worker = self._workers[system]
        if not worker.alive:
            raise SystemFailedError(f"{method}: the process died earlier")
        return worker.call(method, **arguments)
