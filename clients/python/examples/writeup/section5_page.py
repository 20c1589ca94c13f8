"""A FastHTML page: 'Start Task' shows a progress bar, 'Get a Joke' the answer of a model."""
import time

from fasthtml.common import *
from longshore import Longshore, Worker, current
from longshore.web import JobView, routes

ls = Longshore(queue="page")
app, rt = fast_app(lifespan=Worker(ls).lifespan(), routes=routes(ls))

@ls.task
def long_running(n: int) -> str:
    for i in range(30):
        time.sleep(0.1)
        current().progress(3 * i, f"step {i}")
    return f"Task {n} is done."

def button(name, url): return Button(name, hx_post=url, hx_target="#out")
@rt("/")
def get():
    return Titled("Jobs", button("Start Task", "/t"), button("Get a Joke", "/j"), Div(id="out"))
@rt("/t")
def post(): return [JobView(long_running.submit(n)) for n in (1, 2)]
@rt("/j")
def post(): return JobView(ls.chat.submit("Tell me a short joke", model="mock"))
