"""Reports to the server: outcomes, and renewals with progress and log lines.

One call at a time carries all that is due, so the reports of a lease arrive in their order. An
outcome is sent until it is answered; a repeated one has no further effect. Renewals are made anew.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from longshore.codec import dumps
from longshore.errors import LongshoreError
from longshore.worker.server import LONGEST_REPORT_PAUSE, Answer, Server, pause
from longshore.worker.settings import Settings

from .lease import Lease
from .report import Entry, Report, encode, entries_of

_MAX_OUTCOMES = 500
_MAX_BYTES = 4 * 1024 * 1024
_NOTES_PAUSE = 0.5
#: Of the failures after the first one, so many are logged as one.
_LOGGED_FAILURES = 20

log = logging.getLogger("longshore.worker")


class Reports:
    """Sends the reports of all leases of a worker."""

    def __init__(
        self,
        server: Server,
        settings: Settings,
        leases: Mapping[tuple[int, int], Lease],
        end: Callable[[LongshoreError], None],
    ) -> None:
        self._server = server
        self._settings = settings
        self._leases = leases
        self._end = end
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._outcomes: deque[Report] = deque()
        self._unanswered = 0
        self._noted: set[tuple[int, int]] = set()
        self._notes_at = 0.0
        self._renew_at = time.monotonic() + settings.renew_pause
        self._failures = 0
        self._most = _MAX_OUTCOMES

    @property
    def unanswered(self) -> int:
        """Number of outcomes that the server has not answered."""
        return self._unanswered

    def add(self, report: Report) -> None:
        """Take an outcome."""
        self._unanswered += 1
        self._outcomes.append(report)
        self._wake.set()

    def note(self, lease: Lease) -> None:
        """Take notice of new progress or lines. Called from any thread."""
        if lease.key not in self._noted:
            self._noted.add(lease.key)
            with suppress(RuntimeError):  # the worker has ended, and the task goes on in its thread
                self._loop.call_soon_threadsafe(self._wake.set)

    async def run(self) -> None:
        """Send what is due, until cancelled."""
        while True:
            await self._until_due()
            now = time.monotonic()
            renewals = self._due_renewals(now)
            outcomes = self._due_outcomes(now)
            if self._most < _MAX_OUTCOMES and renewals:
                # An outcome that the server cannot take must not keep leases from being renewed.
                await self._send(renewals)
                renewals = []
            if outcomes or renewals:
                await self._send([*outcomes, *renewals])

    async def renew(self, leases: list[Lease]) -> list[Lease]:
        """Renew leases by a call of their own. Return those that are still held."""
        sent_at = time.monotonic()
        content = [self._renewal(lease).content for lease in leases]
        answer = await self._post(content)
        entries = entries_of(answer, len(leases))
        if entries is None:
            return []
        for lease, entry in zip(leases, entries, strict=True):
            self._renewed(lease, entry, sent_at)
        return [lease for lease in leases if lease.stop_reason() is None]

    async def _until_due(self) -> None:
        while True:
            self._wake.clear()
            now = time.monotonic()
            due_at = self._renew_at
            if self._noted:
                due_at = min(due_at, self._notes_at)
            due_at = min([due_at, *(report.not_before for report in self._outcomes)])
            if due_at <= now:
                return
            try:
                await asyncio.wait_for(self._wake.wait(), due_at - now)
            except asyncio.TimeoutError:
                return

    def _due_outcomes(self, now: float) -> list[Report]:
        due: list[Report] = []
        later: list[Report] = []
        size = 0
        while self._outcomes and len(due) < self._most and size < _MAX_BYTES:
            report = self._outcomes.popleft()
            if report.not_before > now:
                later.append(report)
                continue
            size += len(report.content)
            due.append(report)
        self._outcomes.extend(later)
        return due

    def _due_renewals(self, now: float) -> list[Report]:
        """Return the renewals that are due.

        All leases are renewed every third of their length, and those with news twice a second.
        """
        leases: list[Lease] = []
        if now >= self._renew_at:
            leases = list(self._leases.values())
            self._renew_at = now + self._settings.renew_pause
            self._noted.clear()
        elif self._noted and now >= self._notes_at:
            noted = [self._noted.pop() for _ in range(len(self._noted))]
            leases = [self._leases[key] for key in noted if key in self._leases]
            self._notes_at = now + _NOTES_PAUSE
        return [self._renewal(lease) for lease in leases if not lease.is_reported]

    def _renewal(self, lease: Lease) -> Report:
        note = lease.notes.take()
        fields: dict[str, Any] = {"lease": self._settings.lease}
        if note is not None and note.progress is not None:
            fields["progress"] = note.progress
        content = encode(lease, "renew", dumps(fields), note.log if note else "")
        return Report(lease, content, note=note, is_outcome=False)

    async def _post(self, reports: list[bytes]) -> Answer:
        content = b"[" + b",".join(reports) + b"]"
        return await self._server.post("/v1/leases/finish", content, self._settings.call_timeout)

    async def _send(self, reports: list[Report]) -> None:
        sent_at = time.monotonic()
        try:
            answer = await self._post([report.content for report in reports])
        except BaseException:  # above all if this is cancelled
            self._put_back(reports)
            raise
        entries = entries_of(answer, len(reports))
        if entries is not None:
            self._failures, self._most = 0, _MAX_OUTCOMES
            for report, entry in zip(reports, entries, strict=True):
                self._answered(report, entry, sent_at)
        elif answer.is_forbidden:
            self._put_back(reports)
            self._end(answer.refusal())
            await asyncio.sleep(1)
        elif answer.is_temporary or answer.status == 200:
            await self._try_again(reports, answer)
        elif len(reports) > 1:
            await self._send_halves(reports)
        else:
            self._refused(reports[0], answer)

    async def _send_halves(self, reports: list[Report]) -> None:
        middle = len(reports) // 2
        try:
            await self._send(reports[:middle])
        except BaseException:
            self._put_back(reports[middle:])
            raise
        await self._send(reports[middle:])

    async def _try_again(self, reports: list[Report], answer: Answer) -> None:
        """Put reports back and wait.

        If the server answers that it failed, fewer are sent at once from then on, until the report
        that it cannot take is alone and waits alone.
        """
        self._failures += 1
        # A proxy before a server that is away answers with 502 or 504.
        is_away = answer.status in (0, 429, 502, 503, 504, 507)
        if is_away:
            seconds = pause(self._failures, answer.retry_after, LONGEST_REPORT_PAUSE)
        else:
            seconds = pause(self._failures, answer.retry_after)
        # Renewals are as urgent as outcomes: both are late if the server was away for long.
        renew_in = seconds if is_away else self._settings.lease / 10
        self._renew_at = min(self._renew_at, time.monotonic() + renew_in)
        if self._failures == 1 or self._failures % _LOGGED_FAILURES == 0:
            log.warning(
                "%d reports are sent again in %.1f s: %s", len(reports), seconds, answer.reason()
            )
        outcomes = [report for report in reports if report.is_outcome]
        if is_away:
            self._put_back(reports)
            await asyncio.sleep(seconds)
            return
        self._most = max(1, len(outcomes) // 2)
        if len(reports) == len(outcomes) == 1:
            outcomes[0].not_before = time.monotonic() + seconds
            seconds = 0.05
        self._put_back(reports)
        await asyncio.sleep(seconds)

    def _put_back(self, reports: list[Report]) -> None:
        for report in reversed(reports):
            if report.is_outcome:
                self._outcomes.appendleft(report)
            elif report.note is not None:
                report.lease.notes.put_back(report.note)
                self._noted.add(report.lease.key)

    def _answered(self, report: Report, entry: Entry, sent_at: float) -> None:
        lease = report.lease
        if not report.is_outcome:
            self._renewed(lease, entry, sent_at)
        elif entry.status == 200:
            self._unanswered -= 1
            _log_outcome(report, entry)
        elif entry.status in (404, 409):
            self._unanswered -= 1
            log.warning("%s %s, but its lease was lost before: not accepted", lease, report.summary)
        else:
            problem = {"type": "urn:longshore:problem:report", "detail": entry.detail}
            self._refused(report, Answer(entry.status, dumps(problem)))

    def _renewed(self, lease: Lease, entry: Entry, sent_at: float) -> None:
        if entry.status == 200:
            lease.renewed(sent_at)
            if entry.cancel:
                lease.stop("cancelled")
        elif entry.status in (404, 409):
            lease.stop("lost")
        else:
            log.warning("%s: its lease could not be renewed: %s", lease, entry.detail)

    def _refused(self, report: Report, answer: Answer) -> None:
        """Replace an outcome that the server refuses by a failure that says so.

        The outcome may be too large, for example. A job without an outcome would run again.
        """
        log.error("%s: the server refuses a report: %s", report.lease, answer.reason())
        if not report.is_outcome:
            return
        if report.is_replaced:
            self._unanswered -= 1
            return
        code = "result_too_large" if answer.status == 413 else "refused"
        error = {"code": code, "message": f"the server refused the outcome: {answer.reason()}"}
        fields = dumps({"error": error, "retryable": False})
        report.content = encode(report.lease, "fail", fields)
        report.summary, report.is_replaced = f"failed: {error['message']}", True
        self._outcomes.append(report)
        self._wake.set()


def _log_outcome(report: Report, entry: Entry) -> None:
    if report.summary.startswith("completed") and entry.state == "failed":
        log.warning("%s failed: its result cannot be stored", report.lease)
    elif report.summary.startswith("failed"):
        again = "; it is tried again" if entry.state == "retrying" else ""
        log.warning("%s %s%s", report.lease, report.summary, again)
    else:
        log.info("%s %s", report.lease, report.summary)
