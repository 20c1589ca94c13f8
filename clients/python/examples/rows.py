"""Rows of a CSV file, each answered by a model, and a report at the end.

    uvicorn rows:app
    longshore-worker rows:ls
    curl -F file=@rows.csv localhost:8000/uploads     {"batch": 1, "token": "lt_..."}

With the token, its only right, a page reads how far the batch is, over restarts of everything, and
the answers in the order of the rows:

    curl -N "localhost:8000/longshore/batches/1/events?token=lt_..."
    curl "localhost:8000/longshore/batches/1/results?token=lt_..."
"""

import csv
import io
from typing import Any

from fastapi import FastAPI, UploadFile
from longshore import ChatAnswer, Longshore
from longshore.web import routes

ls = Longshore(queue="rows")
app = FastAPI(routes=[*routes(ls)])


@ls.task(queue="reports", retries=3)
def report(answers: list[ChatAnswer]) -> int:
    """Runs once, when all rows are answered."""
    print(f"{sum(len(answer.text) for answer in answers)} characters in {len(answers)} answers")
    return len(answers)


@app.post("/uploads")
async def upload(file: UploadFile) -> dict[str, Any]:
    text = (await file.read()).decode()
    rows = csv.DictReader(io.StringIO(text))
    ask = [ls.chat.options(metadata=row).s(row["prompt"], model="gpt-4o-mini") for row in rows]
    batch = await ls.abatch(ask, name=file.filename or "", then=report.s())
    return {"batch": batch.id, "token": await batch.atoken()}
