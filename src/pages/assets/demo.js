// The panels of the demo page. Each sends the requests that it shows and follows its jobs by events.
(() => {
  const page = document.querySelector("[data-demo]");
  if (!page || !window.EventSource) return;

  const make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  const bar = (label, max) => make("progress", { "aria-label": label, max, value: 0 });
  const link = (job) => make("a", { href: `/jobs/${job.id}` }, `Job ${job.id}`);
  const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;
  const span = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : seconds(ms));
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const POLL_MS = 2000, MAX_RETRIES = 20;
  const millis = (time) => Date.parse(time);
  const isFinal = ({ finished_at }) => Boolean(finished_at);
  const mustBeCompleted = ({ id, state, error }) => {
    if (state !== "completed") throw new Error(`job ${id} ${state}: ${error?.message || ""}`);
  };

  const request = async (method, path, body) => {
    const headers = body ? { "content-type": "application/json" } : {};
    const fail = (text, isTransient) => { throw Object.assign(new Error(text), { isTransient }); };
    const unreachable = () => fail("the server cannot be reached", true);
    const response = await fetch(path, { method, body, headers }).catch(unreachable);
    const value = await response.json().catch(unreachable);
    if (!response.ok) fail(value.detail || `the server returned status ${response.status}`, response.status === 503);
    return value;
  };
  // Retries while the server restarts.
  const get = async (path) => {
    for (let left = MAX_RETRIES; ; left -= 1) {
      try {
        return await request("GET", path);
      } catch (error) {
        if (!error.isTransient || left === 0) throw error;
      }
      await pause(POLL_MS);
    }
  };
  const jobsInBatch = async (batch) => (await get(`/v1/jobs?batch=${batch.id}&limit=50`)).jobs.reverse();

  const subscribe = (path, listeners) => {
    const source = new EventSource(path);
    for (const [name, listener] of Object.entries(listeners)) {
      source.addEventListener(name, (event) => listener(event.data && JSON.parse(event.data)));
    }
    return source;
  };

  // Resolves with the first event that passes the test in `isLast`. The browser reconnects a stream that
  // breaks. A stream that is refused, for example while the server starts, is opened again here.
  const subscribeUntil = (path, isLast, listeners = {}) => new Promise((resolve, reject) => {
    const [[name, test]] = Object.entries(isLast);
    let left = MAX_RETRIES;
    const open = () => {
      const source = subscribe(path, {
        ...listeners,
        [name]: (data) => {
          left = MAX_RETRIES;
          if (!test(data)) return;
          source.close();
          resolve(data);
        },
        error: () => {
          if (source.readyState !== EventSource.CLOSED) return;
          if (left === 0) return reject(new Error("the server sends no events"));
          left -= 1;
          setTimeout(open, POLL_MS);
        },
      });
    };
    open();
  });

  // Submits a batch and follows its jobs until all are finished. The jobs are also read at the start and
  // every POLL_MS, because events may be missed, jobs may be deleted and the queue may be paused.
  const followBatch = async (queue, submit, show, setStatus) => {
    const jobs = new Map();
    let batch = null, isLoading = false, isPaused = false, isDone = false, end, fail;
    const ended = new Promise((resolve, reject) => { end = resolve; fail = reject; });
    const update = (job) => {
      const known = jobs.get(job.id);
      const isOutdated = known && (isFinal(known) || (known.started_at && !job.started_at));
      if (!batch || job.batch !== batch.id || isOutdated) return;
      jobs.set(job.id, job);
      const all = [...jobs.values()].sort((one, other) => one.id - other.id);
      show(all);
      if (all.length === batch.total && all.every(isFinal)) end(all);
    };
    const poll = async () => {
      const now = await get(`/v1/batches/${batch.id}`);
      const left = await jobsInBatch(batch);
      left.forEach(update);
      if (isFinal(now)) {
        if (left.length) end(left); else fail(new Error("the jobs of the batch have been deleted"));
      }
      const { paused } = await get(`/v1/queues/${queue}`);
      if (paused !== isPaused && !isDone) setStatus(paused ? `Queue ${queue} is paused; its jobs wait until it is resumed.` : `Queue ${queue} has been resumed.`);
      isPaused = paused;
    };
    const load = async () => {
      if (!batch || isLoading) return;
      isLoading = true;
      await poll().catch(fail);
      isLoading = false;
    };
    const source = subscribe(`/v1/events?queue=${queue}`, { open: load, job: update, lost: load });
    const timer = setInterval(load, POLL_MS);
    try {
      batch = await submit();
      await load();
      (await ended).forEach(mustBeCompleted);
      return await ended;
    } finally {
      isDone = true;
      clearInterval(timer);
      source.close();
    }
  };

  // Two sleep jobs, each followed by its own event stream.
  const start = async ({ call, output, setStatus, follow }) => {
    const startedAt = performance.now();
    const jobs = await jobsInBatch(await call("start"));
    follow("Progress and log of the first job", `/v1/jobs/${jobs[0].id}/events`);
    setStatus(`${jobs.length} jobs submitted.`);
    await Promise.all(jobs.map((job) => {
      const progress = bar(`Progress of job ${job.id}`, 100);
      const note = make("span", { class: "num" }, job.state);
      output.append(make("div", { class: "demo-row" }, link(job), progress, note));
      const last = subscribeUntil(`/v1/jobs/${job.id}/events`, { state: isFinal }, {
        progress: ({ percent, message }) => {
          progress.value = percent;
          note.textContent = message || `${Math.round(percent)} %`;
        },
      });
      return last.then((job) => {
        if (job.state === "completed") progress.value = 100;
        note.textContent = `${job.state}, ${seconds(millis(job.finished_at) - millis(job.created_at))}`;
      });
    }));
    setStatus(`Both jobs finished ${seconds(performance.now() - startedAt)} after the click.`);
  };

  const joke = async ({ call, output, setStatus, follow }) => {
    const job = await call("joke");
    follow("Progress, log and result", `/v1/jobs/${job.id}/events`);
    setStatus(`Job ${job.id} is asking the model.`);
    const last = await subscribeUntil(`/v1/jobs/${job.id}/events`, { state: isFinal });
    mustBeCompleted(last);
    const text = last.result?.choices?.[0]?.message?.content;
    if (!text) throw new Error(`the result of job ${job.id} has no message`);
    output.append(make("blockquote", { class: "joke" }, text), make("p", {}, link(job)));
    setStatus(`Answered after ${seconds(millis(last.finished_at) - millis(last.created_at))}.`);
  };

  // Returns the maximum number of jobs that ran at the same time, from the times stored by the server.
  const maxConcurrency = (jobs) => {
    const steps = jobs.flatMap((job) => [[millis(job.started_at), 1], [millis(job.finished_at), -1]]);
    steps.sort((one, other) => one[0] - other[0] || one[1] - other[1]);
    let running = 0;
    return Math.max(...steps.map(([, step]) => (running += step)));
  };

  const semaphore = async ({ call, output, setStatus, follow, form }) => {
    const slots = Array.from({ length: Number(form.dataset.slots) }, (_, index) => {
      return { index, job: null, box: make("li") };
    });
    const done = bar("Finished jobs", 1), count = make("span", { class: "num" });
    output.append(
      make("ol", { class: "slots", "aria-label": "Slots" }, ...slots.map((slot) => slot.box)),
      make("div", { class: "demo-row" }, make("span", {}, "Finished"), done, count),
    );
    const show = (jobs) => {
      const running = jobs.filter((job) => job.state === "running");
      for (const slot of slots) {
        if (!running.some((job) => job.id === slot.job)) slot.job = null;
      }
      for (const job of running.filter((job) => slots.every((slot) => slot.job !== job.id))) {
        const free = slots.find((slot) => slot.job === null);
        if (free) free.job = job.id;
      }
      for (const { index, job, box } of slots) {
        const text = job === null ? `${index + 1}: free` : `Job ${job}`;
        if (box.textContent !== text) box.textContent = text;
        box.classList.toggle("taken", job !== null);
      }
      done.max = jobs.length;
      done.value = jobs.filter(isFinal).length;
      const waiting = jobs.length - done.value - running.length;
      count.textContent = `${done.value} of ${jobs.length}, ${waiting} waiting`;
    };
    show([]);
    const { queue } = form.dataset;
    await call("limit");
    follow("Events of the queue", `/v1/events?queue=${queue}`);
    setStatus("The jobs are running.");
    const jobs = await followBatch(queue, () => call("semaphore"), show, setStatus);
    const took = Math.max(...jobs.map((job) => millis(job.finished_at))) - Math.min(...jobs.map((job) => millis(job.created_at)));
    setStatus(`${jobs.length} jobs took ${seconds(took)}. At most ${maxConcurrency(jobs)} ran at the same time.`);
  };

  // The same questions both ways, at the same time.
  const race = async ({ call, calls, output, setStatus, follow }) => {
    const jobs = JSON.parse(calls("questions").body).jobs;
    const startedAt = performance.now();
    const racers = ["One by one", "In parallel"].map((name) => {
      const racer = { bar: bar(name, jobs.length), time: make("span", { class: "num" }), took: null };
      output.append(make("div", { class: "demo-row" }, make("span", {}, name), racer.bar, racer.time));
      return racer;
    });
    const show = () => {
      for (const { bar: { value, max }, time, took } of racers) {
        time.textContent = `${value} of ${max}, ${seconds(took ?? performance.now() - startedAt)}`;
      }
    };
    const set = (racer, value) => {
      racer.bar.value = value;
      if (value === jobs.length) racer.took = performance.now() - startedAt;
      show();
    };
    const oneByOne = async (racer) => {
      for (const [index, job] of jobs.entries()) {
        let now = await request("POST", calls("one").path, JSON.stringify(job));
        while (!isFinal(now)) now = await get(`/v1/jobs/${now.id}?wait=60s`);
        mustBeCompleted(now);
        set(racer, index + 1);
      }
    };
    const inParallel = async (racer) => {
      const { id } = await call("questions");
      follow("Batch progress", `/v1/batches/${id}/events`);
      const isDone = (batch) => {
        set(racer, batch.counts.completed);
        return isFinal(batch);
      };
      await subscribeUntil(`/v1/batches/${id}/events`, { batch: isDone });
      if (racer.took === null) throw new Error(`not every job of batch ${id} completed`);
    };
    setStatus("Asking ten questions, one by one and in parallel.");
    const clock = setInterval(show, 100);
    try {
      await Promise.all([oneByOne(racers[0]), inParallel(racers[1])]);
    } finally {
      clearInterval(clock);
    }
    const [slow, fast] = racers.map((racer) => racer.took);
    setStatus(`One by one ${seconds(slow)}, in parallel ${seconds(fast)}: ${(slow / fast).toFixed(1)} times as fast.`);
  };

  // Draws when each job of a lane ran. All lanes share one time scale.
  const SVG = "http://www.w3.org/2000/svg";
  const draw = (run, longest) => {
    const { jobs, svg } = run;
    if (!jobs.length) return;
    const zero = Math.min(...jobs.map((job) => millis(job.created_at)));
    const now = run.took === null ? performance.now() - run.startedAt : run.took;
    const labels = [];
    svg.replaceChildren(...jobs.filter((job) => job.started_at).map((job, row) => {
      const rect = document.createElementNS(SVG, "rect");
      const from = millis(job.started_at) - zero, to = isFinal(job) ? millis(job.finished_at) - zero : now;
      const box = { x: (1000 * from) / longest, y: 4 + 16 * row, width: Math.max((1000 * (to - from)) / longest, 2), height: 12 };
      for (const [name, value] of Object.entries(box)) rect.setAttribute(name, value);
      rect.setAttribute("class", job.state);
      labels.push(`job ${job.id} from ${span(from)} to ${span(to)}`);
      return rect;
    }));
    svg.setAttribute("aria-label", `${run.lane}: ${labels.join(", ")}`);
    run.time.textContent = seconds(now);
  };

  const lanes = async ({ call, output, setStatus, follow, form, laneNames }) => {
    const { queue } = form.dataset;
    const runs = laneNames.split(" ").map((lane) => {
      const svg = document.createElementNS(SVG, "svg");
      const attributes = { class: "spans", viewBox: "0 0 1000 68", preserveAspectRatio: "none", role: "img", "aria-label": lane };
      for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, value);
      const time = make("span", { class: "num" }, "waiting");
      output.append(make("div", { class: "demo-row" }, make("b", {}, lane), svg, time));
      return { lane, svg, time, jobs: [], startedAt: 0, took: null, echo: 0 };
    });
    const show = () => {
      const length = (run) => run.took ?? (run.startedAt && performance.now() - run.startedAt);
      const longest = Math.max(1000, ...runs.map(length));
      runs.forEach((run) => draw(run, longest));
    };
    const echo = async (run) => {
      await pause(150);
      const { id } = await get(`/v1/batches/${(await call("echoes")).id}?wait=60s`);
      const jobs = await jobsInBatch({ id });
      run.echo = Math.max(...jobs.map((job) => millis(job.finished_at) - millis(job.created_at)));
    };
    follow("Events of the queue", `/v1/events?queue=${queue}`);
    const clock = setInterval(show, 100);
    try {
      for (const run of runs) {
        setStatus(`Four jobs are counting primes in the ${run.lane} lane.`);
        run.startedAt = performance.now();
        const work = followBatch(queue, () => call(run.lane), (jobs) => { run.jobs = jobs; }, setStatus);
        const [jobs] = await Promise.all([work, echo(run)]);
        const created = Math.min(...jobs.map((job) => millis(job.created_at)));
        run.took = Math.max(...jobs.map((job) => millis(job.finished_at))) - created;
        show();
      }
    } finally {
      clearInterval(clock);
    }
    show();
    const each = (format) => runs.map((run) => `${run.lane} ${format(run)}`).join(", ");
    setStatus(`Four jobs took: ${each(({ took }) => seconds(took))}. The slowest echo job took: ${each(({ echo }) => span(echo))}.`);
  };

  const panels = { start, joke, semaphore, race, lanes };
  const running = new Set();
  page.addEventListener("submit", async (event) => {
    const form = event.target, run = panels[form.dataset.panel];
    if (!run) return;
    event.preventDefault();
    const buttons = [...form.querySelectorAll("button")];
    if (buttons.some((button) => button.ariaDisabled)) return;
    const card = form.closest(".card"), output = card.querySelector(".panel-output");
    const status = card.querySelector(".panel-status");
    const calls = (name) => card.querySelector(`[data-call="${name}"]`).dataset;
    const call = (name) => request(calls(name).method, calls(name).path, calls(name).body);
    const setStatus = (text, isBad = false) => {
      status.textContent = text;
      status.classList.toggle("bad", isBad);
    };
    const follow = (about, path) => {
      const id = `stream-${form.dataset.panel}`;
      for (const old of card.querySelectorAll(`[data-stream="${id}"]`)) old.remove();
      const button = make("button", { type: "button", class: "small", "data-copy": id, "aria-describedby": `${id}-about` }, "Copy");
      const line = make("code", { id }, `curl -sN '${location.origin}${path}'`);
      card.querySelector(".calls").append(
        make("p", { id: `${id}-about`, "data-stream": id }, make("span", {}, about), button),
        make("pre", { "data-stream": id, tabindex: 0, role: "region", "aria-labelledby": `${id}-about` }, line),
      );
    };
    buttons.forEach((button) => { button.ariaDisabled = "true"; });
    output.replaceChildren();
    if (run === lanes && running.size) {
      setStatus("Waiting for the other panels to finish, because they would slow down this one.");
      await Promise.allSettled([...running]);
    }
    const work = run({ form, output, setStatus, call, calls, follow, laneNames: event.submitter?.value });
    running.add(work);
    try {
      await work;
    } catch (error) {
      setStatus(`Failed: ${error.message}`, true);
    } finally {
      running.delete(work);
      buttons.forEach((button) => { button.ariaDisabled = null; });
    }
  });

  for (const element of page.querySelectorAll("[data-scripted]")) element.hidden = false;
})();
