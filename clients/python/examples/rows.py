"""Rows of a CSV file, each answered by a model, and a report at the end.

    uvicorn rows:app
    longshore-worker rows:ls
    curl -F file=@rows.csv localhost:8000/uploads     {"batch": 1}
    curl -N localhost:8000/uploads/1/events           how far it is, over restarts of everything
    curl localhost:8000/uploads/1/results             the answers in the order of the rows
"""

import csv
import io
from typing import Any

from fastapi import FastAPI, Request, UploadFile
from longshore import ChatAnswer, Longshore
from longshore.web import event_response

ls, app = Longshore(queue="rows"), FastAPI()


@ls.task(queue="reports", retries=3)
def report(answers: list[ChatAnswer]) -> int:
    """Runs once, when all rows are answered."""
    print(f"{len(answers)} rows are answered")
    return len(answers)


@app.post("/uploads")
async def upload(file: UploadFile) -> dict[str, int]:
    text = (await file.read()).decode()
    rows = csv.DictReader(io.StringIO(text))
    ask = [ls.chat.options(metadata=row).s(row["prompt"], model="gpt-4o-mini") for row in rows]
    batch = await ls.abatch(ask, name=file.filename or "", then=report.s())
    return {"batch": batch.id}


@app.get("/uploads/{id}/events")
async def events(id: int, request: Request) -> Any:
    # Who may see which upload is the application's own rule.
    return event_response(await ls.aget_batch(id), request)


@app.get("/uploads/{id}/results")
async def results(id: int) -> list[str]:
    batch = await ls.aget_batch(id)
    return [answer.text async for answer in batch.aresults()]
