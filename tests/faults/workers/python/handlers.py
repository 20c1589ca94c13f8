"""Kinds of jobs for the tests of examples/worker.py. They record starts and effects in the history."""
import json, math, os, time

from worker import NotNow, kind, main


def record(event, lease, **fields):
    line = {"event": event, "job": lease.job["id"], "token": lease.job["lease_token"], **fields}
    # A single write, so that lines of several processes do not mix.
    file = os.open(os.environ["HISTORY"], os.O_WRONLY | os.O_APPEND)
    os.write(file, (json.dumps(line) + "\n").encode())
    os.close(file)


@kind("square")
def square(payload, lease):
    record("start", lease, worker=str(os.getpid()))
    time.sleep(payload["seconds"])
    record("effect", lease, attempt=None)
    return payload["number"] ** 2


@kind("fussy")
def fussy(payload, lease):
    if payload["number"] < 0:
        raise ValueError("negative")
    if lease.job["attempt"] == 1:
        raise OSError("once more")
    lease.progress(50, "half")
    return payload["number"]


@kind("later")
def later(payload, lease):
    record("start", lease, worker=str(os.getpid()))
    if lease.job["lease_token"] < 4:
        raise NotNow(payload["seconds"], "the printer is full")
    return lease.job["attempt"]


@kind("odd")
def odd(payload, lease):
    record("start", lease, worker=str(os.getpid()))
    if payload["is_corrected"]:
        lease.progress(math.inf, "caf\udce9.txt")
        lease.progress(math.nan, "caf\udce9.txt")
    else:  # past lease.progress, which corrects it
        lease.latest_progress = {"percent": 101, "message": "caf\udce9.txt", "loss": math.nan}
    time.sleep(payload["seconds"])
    raise ValueError("cannot read caf\udce9.txt")


if __name__ == "__main__":
    main()
