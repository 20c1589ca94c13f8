#!/usr/bin/env python3
"""A remote worker for Longshore: leases jobs over HTTP, runs them and reports their outcomes.

Needs Python 3.9 and no packages.

    python3 worker.py --url http://127.0.0.1:7373 --threads 4 --processes 2

If the server needs an API key, set LONGSHORE_KEY to one with the scope "work". The worker ends if
the server refuses the key.

Write a function for each kind of job and decorate it with @kind. Its return value is the job's
result; an exception fails the attempt. A function may run more than once for the same job: a worker
that loses its connection cannot know whether the job was leased to another worker in the meantime.
The server accepts only one outcome.
"""
import argparse, http.client, json, logging, math, multiprocessing, os, random, signal, socket
import sys, threading, time, traceback, urllib.parse
from concurrent.futures import ThreadPoolExecutor

KINDS, log = {}, logging.getLogger("worker")


def kind(name):
    """Registers a function for a kind of job. The function takes the payload and the lease."""
    return lambda function: KINDS.setdefault(name, function)


@kind("count-words")
def count_words(payload, lease):
    return {"words": len(payload["text"].split())}


@kind("wait")
def wait(payload, lease):
    for step in range(10):
        lease.progress(10 * step, "waiting")  # raises Stopped if the job was cancelled
        time.sleep(payload["seconds"] / 10)


class Permanent(Exception):
    """Raised by a function if no further attempt would succeed."""


class NotNow(Exception):
    """Raised by a function if its job cannot run now: it runs again later, and the attempt does not
    count. Raise it before the job has had an effect, because a job with at_most_once runs again."""

    def __init__(self, retry_in, reason="the job cannot run now"):
        super().__init__(reason)
        self.retry_in = retry_in  # seconds


class Stopped(Exception):
    """Raised by Lease.progress if the job was cancelled or its lease is lost."""


NOT_RETRYABLE = (Permanent, TypeError, ValueError, LookupError)  # a retry has the same payload


def text(value, limit):
    """Returns the text of a value that can be sent; of a long text, the start and the end.

    A text such as a file name may contain half a surrogate pair, which is sent as \\udce9.
    """
    try:
        value = str(value)
    except Exception as error:  # of the __str__ of an exception, for example
        value = f"<{type(value).__name__} without a text: {type(error).__name__}>"
    if len(value) > limit:
        value = f"{value[:limit // 2]}\n[...]\n{value[-limit // 2:]}"
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


class Lease:
    """A leased job while it runs in this worker."""

    def __init__(self, job):
        self.job, self.path = job, f"/v1/leases/{job['id']}/"
        self.token, self.latest_progress = {"lease_token": job["lease_token"]}, None
        self.is_stopped, self.is_released, self.percent = False, False, 0.0

    def progress(self, percent, message=""):
        # Checked here, because the renewal of this lease is sent together with those of others.
        if not math.isnan(percent):
            self.percent = min(100.0, max(0.0, float(percent)))
        self.latest_progress = {"percent": self.percent, "message": text(message, 1000)}
        if self.is_stopped:
            raise Stopped()

    def run(self):
        """Runs the job. Returns the action that finishes the lease, and its body."""
        try:
            result = KINDS[self.job["kind"]](self.job["payload"], self)
            json.dumps(result, allow_nan=False)
            return "complete", {"result": result}
        except Stopped:
            return "release", {}
        except NotNow as error:
            return "fail", {"error": {"code": "not_now", "message": text(error, 4000)},
                            "retry_in": error.retry_in, "counts": False}
        except BaseException as error:
            log.warning("job %s failed", self.job["id"], exc_info=True)
            return "fail", {"error": self.describe(error),
                            "retryable": not isinstance(error, NOT_RETRYABLE)}

    def describe(self, error):
        """Returns what the server keeps of an exception."""
        try:
            lines = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        except Exception:
            lines = "the traceback cannot be formatted"
        return {"code": text(type(error).__name__, 60), "message": text(error, 4000),
                "traceback": text(lines, 16000)}


class Worker:
    def __init__(self, args):
        self.args, self.leases, self.parent = args, set(), multiprocessing.parent_process()
        # A plain flag, because a signal handler must not take a lock that its thread may hold.
        self.ended, self.is_stopping = threading.Condition(), False
        self.local, self.headers = threading.local(), {"Content-Type": "application/json"}
        if args.key:
            self.headers["Authorization"] = f"Bearer {args.key}"

    def call(self, path, body, timeout=15, is_poll=False):
        """Calls the server over one persistent connection per thread.

        Returns status, body and Retry-After. A missing or invalid response counts as a 503.
        A poll for leases is not sent once the worker stops. The process ends if the server refuses
        the key, because it would refuse all further calls as well.
        """
        if not hasattr(self.local, "connection"):
            url, client = urllib.parse.urlsplit(self.args.url), http.client
            kind = client.HTTPSConnection if url.scheme == "https" else client.HTTPConnection
            self.local.connection = kind(url.netloc, timeout=timeout)
        connection = self.local.connection
        try:
            if connection.sock is None:
                connection.connect()
            if is_poll and self.is_stopping:  # from here on, stop() can interrupt the call
                return 503, {"detail": "the worker stops"}, 0
            connection.sock.settimeout(timeout)
            connection.request("POST", path, json.dumps(body), self.headers)
            response = connection.getresponse()
            content = response.read()
            if response.status in (401, 403):
                self.end_refused(response.status, content)
            retry_after = response.headers.get("Retry-After", "0")
            retry_after = float(retry_after) if retry_after.isdecimal() else 1.0  # else a date
            return response.status, json.loads(content), retry_after
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            return 503, {"detail": f"no response: {error!r}"}, 0

    def end_refused(self, status, content):
        """Ends the process. Its leases expire and their jobs run again, as it cannot report on them."""
        try:
            why = json.loads(content)["detail"]
        except (ValueError, LookupError, TypeError):  # the answer of a proxy, for example
            why = "no reason given"
        log.error("the server refuses this worker, status %d: %s; set LONGSHORE_KEY to a valid key "
                  "with the scope work and start the worker again", status, why)
        os._exit(1)  # ends the process even if threads are still running

    def pause(self, failures, retry_after):
        """Returns the seconds to wait: an exponential backoff with jitter, added to Retry-After."""
        return retry_after + random.uniform(0.05, min(10, 0.2 * 2 ** min(failures, 10)))

    def work(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.stop)
        pool, failures = ThreadPoolExecutor(self.args.threads), 0
        threading.Thread(target=self.renew, daemon=True).start()
        threading.Thread(target=self.watch, daemon=True).start()
        call = {"kinds": sorted(KINDS), "lease": f"{self.args.lease}s", "wait": "20s"}
        call["worker"] = f"{socket.gethostname()}-{os.getpid()}"
        while not self.is_stopping and (self.parent is None or self.parent.is_alive()):
            with self.ended:
                self.ended.wait_for(lambda: len(self.leases) < self.args.threads, timeout=1)
                free = self.args.threads - len(self.leases)
            if free == 0:
                continue
            status, body, retry_after = self.call(
                "/v1/leases", {**call, "limit": free}, timeout=40, is_poll=True)
            for lease in map(Lease, body.get("jobs", [])):
                if self.is_stopping:
                    self.finish(lease, "release", {"begun": False})
                else:
                    with self.ended:
                        self.leases.add(lease)
                        self.ended.notify_all()  # the watch starts with the first lease
                    pool.submit(self.attempt, lease)
            failures = 0 if status == 200 else failures + 1
            if failures and not self.is_stopping:
                log.warning("no leases: %s %s", status, body.get("detail"))
                end = time.monotonic() + self.pause(failures, retry_after)
                while not self.is_stopping and time.monotonic() < end:
                    time.sleep(0.1)
        self.drain()

    def attempt(self, lease):
        self.finish(lease, *lease.run())
        with self.ended:
            self.leases.discard(lease)
            self.ended.notify_all()

    def finish(self, lease, action, body):
        """Finishes a lease, and retries until the server responds.

        This is safe, because a repeated call with the same token and body has no further effect.
        """
        failures, is_refused = 0, False
        while not lease.is_released:
            status, response, retry_after = self.call(lease.path + action, {**lease.token, **body})
            if status >= 500 or status in (408, 429):
                failures += 1
                time.sleep(self.pause(failures, retry_after))
                continue
            if status != 200:  # 409: the lease expired, so another worker may run the job
                log.warning("job %s, %s: %s", lease.job["id"], action, response.get("detail"))
            elif action == "complete" and response.get("state") == "failed":
                log.warning("job %s failed: its result cannot be stored", lease.job["id"])
            if status in (200, 404, 409) or is_refused:
                return
            if action == "fail":  # an older server, for example, which knows no traceback
                error = {name: body["error"][name] for name in ("code", "message")}
            else:  # the body is too large, for example
                error = {"code": "refused", "message": response.get("detail", "")}
                body = {"retryable": False}
            action, body, is_refused = "fail", {**body, "error": error}, True

    def renew(self):
        """Renews all leases every third of their duration, or every tenth while renewal fails."""
        is_renewed = True
        while True:
            time.sleep(self.args.lease / (3 if is_renewed else 10))
            with self.ended:
                leases = list(self.leases)
            try:
                is_renewed = not leases or self.renew_all(leases)
            except Exception:  # this thread must go on, or all leases expire
                is_renewed = False
                log.exception("cannot renew %d leases", len(leases))

    def renew_all(self, leases):
        """Renews leases. Returns whether the server has answered."""
        actions = [{"id": lease.job["id"], "action": "renew", "lease": f"{self.args.lease}s",
                    "progress": lease.latest_progress, **lease.token} for lease in leases]
        status, body, _ = self.call("/v1/leases/finish", actions)
        if status == 200:
            answers = body["answers"]
        elif status >= 500 or status in (408, 429):
            return False
        else:  # the list was refused as a whole, so each lease is renewed without its progress
            log.warning("renewals: %s %s", status, body.get("detail"))
            answers = [self.renew_alone(lease) for lease in leases]
        for lease, answer in zip(leases, answers):
            if answer["status"] in (404, 409) or answer.get("cancel"):
                lease.is_stopped = True
            elif answer["status"] != 200:  # the others were renewed
                log.warning("job %s, renew: %s", lease.job["id"], answer.get("detail"))
                lease.is_stopped |= bool(self.renew_alone(lease).get("cancel"))
        return True

    def renew_alone(self, lease):
        """Renews one lease and reports no progress. Returns the answer with its status."""
        body = {"lease": f"{self.args.lease}s", **lease.token}
        status, answer, _ = self.call(lease.path + "renew", body)
        return {**answer, "status": status}

    def watch(self):
        """Stops jobs as soon as they are cancelled or their leases are lost.

        A lease that starts while a request waits is in the next request, so each waits only a second.
        """
        failures = 0
        while True:
            with self.ended:
                self.ended.wait_for(self.watched)
                leases = self.watched()
            body = {"leases": [{"id": lease.job["id"], **lease.token} for lease in leases], "wait": "1s"}
            status, answer, retry_after = self.call("/v1/leases/watch", body)
            if status == 404:
                return log.info("the server is older: cancels arrive with the renewals of leases")
            stopped = {(entry["id"], entry["lease_token"]) for entry in answer.get("leases", [])}
            for lease in leases:
                lease.is_stopped |= (lease.job["id"], lease.job["lease_token"]) in stopped
            failures = 0 if status == 200 else failures + 1
            if failures:
                time.sleep(self.pause(failures, retry_after))

    def watched(self):
        """Returns the leases to watch, at most as many as a request may have."""
        return [lease for lease in self.leases if not lease.is_stopped][:1000]

    def stop(self, *_):
        self.is_stopping = True
        connection = getattr(self.local, "connection", None)
        if connection and connection.sock:  # this thread may wait for leases
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the server has already closed it

    def drain(self):
        """Waits until jobs end, for at most --grace seconds, and releases the others."""
        with self.ended:
            self.ended.wait_for(lambda: not self.leases, timeout=self.args.grace)
            unfinished = list(self.leases)
        for lease in unfinished:
            lease.is_released = True
            self.call(lease.path + "release", lease.token)
        os._exit(0)  # ends the process even if threads are still running


def key(value):
    """Checks that a text can be sent as a key. The server knows whether it is one."""
    value = value.strip()
    if not (value.isascii() and value.isprintable() and " " not in value):
        # The parser would repeat the text in its message.
        sys.exit("the key must be the text that 'longshore key create' printed")
    return value


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", default="http://127.0.0.1:7373")
    parser.add_argument("--key", type=key, default=os.environ.get("LONGSHORE_KEY", ""),
                        help="API key to send; default: the variable LONGSHORE_KEY. Prefer the"
                        " variable, because other users can see the arguments of a process")
    parser.add_argument("--threads", type=int, default=4, help="maximum jobs at once per process")
    parser.add_argument("--processes", type=int, default=1, help="number of worker processes")
    parser.add_argument("--lease", type=int, default=30, help="duration of a lease in seconds")
    parser.add_argument("--grace", type=int, default=20, help="seconds to finish jobs after a stop")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    args = parser.parse_args()
    if args.processes == 1:
        Worker(args).work()
    # Each child is a separate worker. This process passes signals on to the children, and they stop
    # when it ends.
    children = [multiprocessing.Process(target=work, args=(args,)) for _ in range(args.processes)]
    for child in children:
        child.start()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: [child.terminate() for child in children])
    for child in children:
        child.join()
    sys.exit(int(any(child.exitcode == 1 for child in children)))  # 1 if the key was refused


def work(args):
    Worker(args).work()


if __name__ == "__main__":
    main()
