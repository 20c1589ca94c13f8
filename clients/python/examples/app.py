"""A page that starts tasks and shows them.    uvicorn app:app    (the worker is part of it)"""
import time

from fasthtml.common import *
from longshore import Longshore, Worker, current
from longshore.web import JobView, routes

ls = Longshore()
app, rt = fast_app(lifespan=Worker(ls).lifespan(), routes=routes(ls))

@ls.task
def long_running(n: int) -> str:
    for i in range(50):
        time.sleep(0.1)
        current().progress(2 * i, f"step {i}")
    return f"Task {n} is done."

@rt("/")
def get():
    return Titled("Jobs", Button("Start Task", hx_post="/start-task", hx_target="#out"),
                  Button("Get a Joke", hx_post="/get-joke", hx_target="#out"), Div(id="out"))

@rt("/start-task")
def post(): return [JobView(long_running.submit(n)) for n in (1, 2)]

@rt("/get-joke")
def post(): return JobView(ls.chat.submit("Tell me a short joke", model="gpt-4o-mini"))
