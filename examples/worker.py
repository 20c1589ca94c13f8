#!/usr/bin/env python3
"""A worker for Longshore: leases jobs over HTTP, runs them, finishes them. Python 3.9, no packages.

    python3 worker.py --url http://127.0.0.1:7373 --threads 4 --processes 2

Write a function for each kind of job, with @kind above it. What it returns is the job's result,
what it raises fails the attempt. It may run again for a job that it has run: a worker that was cut
off cannot know whether its job has gone to another. The server sees to it that one outcome counts.
"""
import argparse, http.client, json, logging, multiprocessing, os, random, signal, socket, threading
import time, urllib.parse
from concurrent.futures import ThreadPoolExecutor

KINDS, log = {}, logging.getLogger("worker")


def kind(name):
    """Registers a function of a payload and a lease for a kind of job."""
    return lambda function: KINDS.setdefault(name, function)


@kind("count-words")
def count_words(payload, lease):
    return {"words": len(payload["text"].split())}


@kind("wait")
def wait(payload, lease):
    for step in range(10):
        lease.progress(10 * step, "waiting")  # ends here if the job was cancelled
        time.sleep(payload["seconds"] / 10)


class Permanent(Exception):
    """For a function to raise where no further attempt would help."""


class Stopped(Exception):
    """The job was cancelled, or its lease is lost."""


NOT_RETRYABLE = (Permanent, TypeError, ValueError, LookupError)  # a wrong payload stays wrong


class Lease:
    """A job as it is run here."""

    def __init__(self, job):
        self.job, self.path = job, f"/v1/leases/{job['id']}/"
        self.token, self.told = {"lease_token": job["lease_token"]}, None
        self.is_stopped = self.is_given_up = False

    def progress(self, percent, message=""):
        self.told = {"percent": percent, "message": message}
        if self.is_stopped:
            raise Stopped()

    def run(self):
        """What to do with the lease in the end, and what to say of it."""
        try:
            result = KINDS[self.job["kind"]](self.job["payload"], self)
            json.dumps(result, allow_nan=False)
            return "complete", {"result": result}
        except Stopped:
            return "release", {}
        except BaseException as error:
            log.warning("job %s failed", self.job["id"], exc_info=True)
            told = {"code": type(error).__name__, "message": str(error)}
            return "fail", {"error": told, "retryable": not isinstance(error, NOT_RETRYABLE)}


class Worker:
    def __init__(self, args):
        self.args, self.leases, self.parent = args, set(), multiprocessing.parent_process()
        self.ended, self.stopping = threading.Condition(), threading.Event()
        self.local = threading.local()

    def call(self, path, body, timeout=15):
        """Calls the server, over a kept connection of each thread. No answer is taken for a 503."""
        if not hasattr(self.local, "connection"):
            address = urllib.parse.urlsplit(self.args.url).netloc
            self.local.connection = http.client.HTTPConnection(address, timeout=timeout)
        connection, headers = self.local.connection, {"Content-Type": "application/json"}
        try:
            if connection.sock is None:
                connection.connect()
            connection.sock.settimeout(timeout)
            connection.request("POST", path, json.dumps(body), headers)
            answer = connection.getresponse()
            retry_after = float(answer.headers.get("Retry-After", 0))
            return answer.status, json.loads(answer.read()), retry_after
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            return 503, {"detail": f"no answer: {error!r}"}, 0

    def pause(self, failures, retry_after):
        """Longer with each failure, and spread, so that not all come back at once."""
        return retry_after + random.uniform(0.05, min(10, 0.2 * 2 ** min(failures, 10)))

    def work(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.stop)
        pool, failures = ThreadPoolExecutor(self.args.threads), 0
        threading.Thread(target=self.renew, daemon=True).start()
        call = {"kinds": sorted(KINDS), "lease": f"{self.args.lease}s", "wait": "20s"}
        call["worker"] = f"{socket.gethostname()}-{os.getpid()}"
        while not self.stopping.is_set() and (self.parent is None or self.parent.is_alive()):
            with self.ended:
                self.ended.wait_for(lambda: len(self.leases) < self.args.threads, timeout=1)
                free = self.args.threads - len(self.leases)
            if free == 0:
                continue
            status, answer, retry_after = self.call("/v1/leases", {**call, "limit": free}, 40)
            for lease in map(Lease, answer.get("jobs", [])):
                if self.stopping.is_set():
                    self.finish(lease, "release", {"begun": False})
                else:
                    with self.ended:
                        self.leases.add(lease)
                    pool.submit(self.attempt, lease)
            failures = 0 if status == 200 else failures + 1
            if failures and not self.stopping.is_set():
                log.warning("no leases: %s %s", status, answer.get("detail"))
                self.stopping.wait(self.pause(failures, retry_after))
        self.drain()

    def attempt(self, lease):
        self.finish(lease, *lease.run())
        with self.ended:
            self.leases.discard(lease)
            self.ended.notify()

    def finish(self, lease, verb, told):
        """Repeats a finish until it is answered: with the same token and body it counts once."""
        failures = 0
        while not lease.is_given_up:
            status, answer, retry_after = self.call(lease.path + verb, {**lease.token, **told})
            if status >= 500 or status in (408, 429):
                failures += 1
                time.sleep(self.pause(failures, retry_after))
                continue
            if status != 200:  # 409: it took too long, and the job has gone to another
                log.warning("job %s, %s: %s", lease.job["id"], verb, answer.get("detail"))
            if status in (200, 404, 409) or verb == "fail":
                return
            error = {"code": "refused", "message": answer.get("detail", "")}  # as what is too large
            verb, told = "fail", {"error": error, "retryable": False}

    def renew(self):
        """Renews all leases when a third of their time is over; more often while that fails."""
        status = 200
        while True:
            time.sleep(self.args.lease / (3 if status == 200 else 10))
            with self.ended:
                leases = list(self.leases)
            told = [{"id": lease.job["id"], "action": "renew", "lease": f"{self.args.lease}s",
                     "progress": lease.told, **lease.token} for lease in leases]
            status, answer, _ = self.call("/v1/leases/finish", told) if told else (200, {}, 0)
            for lease, one in zip(leases, answer.get("answers", [])):
                lease.is_stopped |= one["status"] != 200 or one["cancel"]

    def stop(self, *_):
        self.stopping.set()
        connection = getattr(self.local, "connection", None)
        if connection and connection.sock:  # that of this thread, which may wait for leases
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the server was faster

    def drain(self):
        """Lets jobs end for a while, and gives the others back."""
        with self.ended:
            self.ended.wait_for(lambda: not self.leases, timeout=self.args.grace)
            left = list(self.leases)
        for lease in left:
            lease.is_given_up = True
            self.call(lease.path + "release", lease.token)
        os._exit(0)  # a thread that goes on is ended in no other way


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", default="http://127.0.0.1:7373")
    parser.add_argument("--threads", type=int, default=4, help="how many jobs at once")
    parser.add_argument("--processes", type=int, default=1, help="how many processes do so")
    parser.add_argument("--lease", type=int, default=30, help="seconds until another may take over")
    parser.add_argument("--grace", type=int, default=20, help="seconds for jobs to end at a stop")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    args = parser.parse_args()
    if args.processes == 1:
        Worker(args).work()
    # Each is a worker of its own. They stop with this one, which passes signals on to them.
    children = [multiprocessing.Process(target=work, args=(args,)) for _ in range(args.processes)]
    for child in children:
        child.start()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: [child.terminate() for child in children])
    for child in children:
        child.join()


def work(args):
    Worker(args).work()


if __name__ == "__main__":
    main()
