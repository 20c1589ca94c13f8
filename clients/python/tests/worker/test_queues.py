"""Which queues a worker takes jobs from."""

import logging

import pytest

from longshore import Longshore
from longshore.testing import Server
from longshore.worker import Worker


def test_applications_with_queues_of_their_own_do_not_run_each_others_jobs(
    longshore_server: Server,
) -> None:
    shop = Longshore(longshore_server.url, queue="shop.default")
    blog = Longshore(longshore_server.url, queue="blog.default")
    shop_task = shop.task(name="same", queue="shop.mail")(lambda: "shop")
    shop.task(name="other")(lambda: "other")
    blog_task = blog.task(name="same")(lambda: "blog")
    in_shop, in_blog = shop_task.submit(), blog_task.submit()
    assert Worker(shop).run_until_idle() == 1
    assert Worker(blog).run_until_idle() == 1
    assert (in_shop.result(), in_blog.result()) == ("shop", "blog")


def test_a_worker_says_what_it_runs_and_from_which_queues(
    longshore_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    app = Longshore(longshore_server.url, queue="shop.default")
    app.task(name="mail", queue="shop.mail")(lambda: None)
    with caplog.at_level(logging.INFO, "longshore.worker"):
        Worker(app, name="one").run_until_idle()
    assert (
        f"worker one of {longshore_server.url} runs mail; threads: 8, coroutines: 100,"
        " processes: 0; queues: shop.default, shop.mail" in caplog.text
    )
