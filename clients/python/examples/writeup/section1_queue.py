"""A queue: jobs are taken in the order in which they were put in, each by one worker."""

from longshore import Longshore, Worker

ls = Longshore(queue="letters")
taken: list[str] = []


@ls.task
def letter(name: str) -> str:
    taken.append(name)
    return f"posted to {name}"


if __name__ == "__main__":
    jobs = [letter.submit(name) for name in ("Ann", "Bob", "Cleo")]
    Worker(ls, threads=1).run_until_idle()
    print(f"taken: {', '.join(taken)}; last result: {jobs[-1].result()}")
