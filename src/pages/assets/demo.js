// The panels of the demo page: each makes the requests that stand beside it and follows its jobs.
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
  const BEAT = 2000, TRIES = 20;
  const at = (time) => Date.parse(time);
  const isFinal = ({ finished_at }) => Boolean(finished_at);
  const mustBeCompleted = ({ id, state, error }) => {
    if (state !== "completed") throw new Error(`job ${id} ${state}: ${error?.message || ""}`);
  };

  const ask = async (method, path, body) => {
    const headers = body ? { "content-type": "application/json" } : {};
    const fail = (text, isPassing) => { throw Object.assign(new Error(text), { isPassing }); };
    const lost = () => fail("the server cannot be reached", true);
    const answer = await fetch(path, { method, body, headers }).catch(lost);
    const said = await answer.json().catch(lost);
    if (!answer.ok) fail(said.detail || `the server answered ${answer.status}`, answer.status === 503);
    return said;
  };
  // A server that is started anew is waited for.
  const get = async (path) => {
    for (let left = TRIES; ; left -= 1) {
      try {
        return await ask("GET", path);
      } catch (error) {
        if (!error.isPassing || left === 0) throw error;
      }
      await pause(BEAT);
    }
  };
  const jobsOf = async (batch) => (await get(`/v1/jobs?batch=${batch.id}&limit=50`)).jobs.reverse();

  const hear = (path, listeners) => {
    const source = new EventSource(path);
    for (const [name, listener] of Object.entries(listeners)) {
      source.addEventListener(name, (event) => listener(event.data && JSON.parse(event.data)));
    }
    return source;
  };

  // Hears events until one is the last. A stream that breaks is taken up again by the browser; one that
  // is refused, as by a server that is just being started, is asked for again.
  const hearUntil = (path, isLast, listeners = {}) => new Promise((resolve, reject) => {
    const [[name, test]] = Object.entries(isLast);
    let left = TRIES;
    const begin = () => {
      const source = hear(path, {
        ...listeners,
        [name]: (data) => {
          left = TRIES;
          if (!test(data)) return;
          source.close();
          resolve(data);
        },
        error: () => {
          if (source.readyState !== EventSource.CLOSED) return;
          if (left === 0) return reject(new Error("the server sends no events"));
          left -= 1;
          setTimeout(begin, BEAT);
        },
      });
    };
    begin();
  });

  // Submits a batch and follows its jobs until all have ended. What events may have missed is asked
  // for at the begin, and now and then: jobs may be deleted, and the queue may be paused.
  const followBatch = async (queue, submit, show, tell) => {
    const jobs = new Map();
    let batch = null, isLooking = false, isPaused = false, isOver = false, end, fail;
    const ended = new Promise((resolve, reject) => { end = resolve; fail = reject; });
    const take = (job) => {
      const known = jobs.get(job.id);
      const isOld = known && (isFinal(known) || (known.started_at && !job.started_at));
      if (!batch || job.batch !== batch.id || isOld) return;
      jobs.set(job.id, job);
      const all = [...jobs.values()].sort((one, other) => one.id - other.id);
      show(all);
      if (all.length === batch.total && all.every(isFinal)) end(all);
    };
    const look = async () => {
      const now = await get(`/v1/batches/${batch.id}`);
      const left = await jobsOf(batch);
      left.forEach(take);
      if (isFinal(now)) {
        if (left.length) end(left); else fail(new Error("its jobs have been deleted"));
      }
      const { paused } = await get(`/v1/queues/${queue}`);
      if (paused !== isPaused && !isOver) tell(paused ? `The queue ${queue} is paused; its jobs wait until it is resumed.` : "The queue goes on.");
      isPaused = paused;
    };
    const load = async () => {
      if (!batch || isLooking) return;
      isLooking = true;
      await look().catch(fail);
      isLooking = false;
    };
    const source = hear(`/v1/events?queue=${queue}`, { open: load, job: take, lost: load });
    const beat = setInterval(load, BEAT);
    try {
      batch = await submit();
      await load();
      (await ended).forEach(mustBeCompleted);
      return await ended;
    } finally {
      isOver = true;
      clearInterval(beat);
      source.close();
    }
  };

  // Two sleeps, each followed by its own events.
  const start = async ({ call, out, tell, follow }) => {
    const began = performance.now();
    const jobs = await jobsOf(await call("start"));
    follow("What the first of them tells", `/v1/jobs/${jobs[0].id}/events`);
    tell(`${jobs.length} jobs have started.`);
    await Promise.all(jobs.map((job) => {
      const progress = bar(`Progress of job ${job.id}`, 100);
      const note = make("span", { class: "num" }, job.state);
      out.append(make("div", { class: "line" }, link(job), progress, note));
      const last = hearUntil(`/v1/jobs/${job.id}/events`, { state: isFinal }, {
        progress: ({ percent, message }) => {
          progress.value = percent;
          note.textContent = message || `${Math.round(percent)} %`;
        },
      });
      return last.then((job) => {
        if (job.state === "completed") progress.value = 100;
        note.textContent = `${job.state}, ${seconds(at(job.finished_at) - at(job.created_at))}`;
      });
    }));
    tell(`Both have ended, ${seconds(performance.now() - began)} after the press of the button.`);
  };

  const joke = async ({ call, out, tell, follow }) => {
    const job = await call("joke");
    follow("What the job tells, and its result", `/v1/jobs/${job.id}/events`);
    tell(`Job ${job.id} asks the model.`);
    const last = await hearUntil(`/v1/jobs/${job.id}/events`, { state: isFinal });
    mustBeCompleted(last);
    const text = last.result?.choices?.[0]?.message?.content;
    if (!text) throw new Error(`job ${job.id} has no answer that could be read`);
    out.append(make("blockquote", { class: "joke" }, text), make("p", {}, link(job)));
    tell(`The answer came after ${seconds(at(last.finished_at) - at(last.created_at))}.`);
  };

  // How many ran at once at most, by the times that the server wrote down.
  const peak = (jobs) => {
    const steps = jobs.flatMap((job) => [[at(job.started_at), 1], [at(job.finished_at), -1]]);
    steps.sort((one, other) => one[0] - other[0] || one[1] - other[1]);
    let running = 0;
    return Math.max(...steps.map(([, step]) => (running += step)));
  };

  const semaphore = async ({ call, out, tell, follow, form }) => {
    const slots = Array.from({ length: Number(form.dataset.slots) }, (_, place) => {
      return { place, job: null, box: make("li") };
    });
    const done = bar("Jobs that are done", 1), count = make("span", { class: "num" });
    out.append(
      make("ol", { class: "slots", "aria-label": "Slots" }, ...slots.map((slot) => slot.box)),
      make("div", { class: "line" }, make("span", {}, "Done"), done, count),
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
      for (const { place, job, box } of slots) {
        const text = job === null ? `${place + 1}: free` : `Job ${job}`;
        if (box.textContent !== text) box.textContent = text;
        box.classList.toggle("taken", job !== null);
      }
      done.max = jobs.length;
      done.value = jobs.filter(isFinal).length;
      const waiting = jobs.length - done.value - running.length;
      count.textContent = `${done.value} of ${jobs.length}, ${waiting} wait`;
    };
    show([]);
    await call("limit");
    follow("What happens in that queue", "/v1/events?queue=demo-five");
    tell("The jobs go through the queue.");
    const jobs = await followBatch("demo-five", () => call("semaphore"), show, tell);
    const took = Math.max(...jobs.map((job) => at(job.finished_at))) - Math.min(...jobs.map((job) => at(job.created_at)));
    tell(`${jobs.length} jobs took ${seconds(took)}. By their times, at most ${peak(jobs)} ran at once.`);
  };

  // The same questions both ways, at the same time.
  const race = async ({ call, calls, out, tell, follow }) => {
    const jobs = JSON.parse(calls("questions").body).jobs;
    const began = performance.now();
    const racers = ["One by one", "Together"].map((name) => {
      const racer = { bar: bar(name, jobs.length), time: make("span", { class: "num" }), took: null };
      out.append(make("div", { class: "line race" }, make("span", {}, name), racer.bar, racer.time));
      return racer;
    });
    const show = () => {
      for (const { bar: { value, max }, time, took } of racers) {
        time.textContent = `${value} of ${max}, ${seconds(took ?? performance.now() - began)}`;
      }
    };
    const set = (racer, value) => {
      racer.bar.value = value;
      if (value === jobs.length) racer.took = performance.now() - began;
      show();
    };
    const oneByOne = async (racer) => {
      for (const [place, job] of jobs.entries()) {
        let now = await ask("POST", calls("one").path, JSON.stringify(job));
        while (!isFinal(now)) now = await get(`/v1/jobs/${now.id}?wait=60s`);
        mustBeCompleted(now);
        set(racer, place + 1);
      }
    };
    const together = async (racer) => {
      const { id } = await call("questions");
      follow("How far the batch is", `/v1/batches/${id}/events`);
      const isDone = (batch) => {
        set(racer, batch.counts.completed);
        return isFinal(batch);
      };
      await hearUntil(`/v1/batches/${id}/events`, { batch: isDone });
      if (racer.took === null) throw new Error(`not every job of batch ${id} was completed`);
    };
    tell("Ten questions are asked, both ways at the same time.");
    const clock = setInterval(show, 100);
    try {
      await Promise.all([oneByOne(racers[0]), together(racers[1])]);
    } finally {
      clearInterval(clock);
    }
    const [slow, fast] = racers.map((racer) => racer.took);
    tell(`One by one ${seconds(slow)}, together ${seconds(fast)}: ${(slow / fast).toFixed(1)} times as fast.`);
  };

  // When each job of a lane ran, as bars on one scale for all lanes.
  const SVG = "http://www.w3.org/2000/svg";
  const draw = (trial, longest) => {
    const { jobs, svg } = trial;
    if (!jobs.length) return;
    const zero = Math.min(...jobs.map((job) => at(job.created_at)));
    const now = trial.took === null ? performance.now() - trial.began : trial.took;
    const told = [];
    svg.replaceChildren(...jobs.filter((job) => job.started_at).map((job, row) => {
      const rect = document.createElementNS(SVG, "rect");
      const from = at(job.started_at) - zero, to = isFinal(job) ? at(job.finished_at) - zero : now;
      const box = { x: (1000 * from) / longest, y: 4 + 16 * row, width: Math.max((1000 * (to - from)) / longest, 2), height: 12 };
      for (const [name, value] of Object.entries(box)) rect.setAttribute(name, value);
      rect.setAttribute("class", job.state);
      told.push(`job ${job.id} from ${span(from)} to ${span(to)}`);
      return rect;
    }));
    svg.setAttribute("aria-label", `${trial.lane}: ${told.join(", ")}`);
    trial.time.textContent = seconds(now);
  };

  const lanes = async ({ call, out, tell, follow, words }) => {
    const trials = words.split(" ").map((lane) => {
      const svg = document.createElementNS(SVG, "svg");
      const attributes = { class: "spans", viewBox: "0 0 1000 68", preserveAspectRatio: "none", role: "img", "aria-label": lane };
      for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, value);
      const time = make("span", { class: "num" }, "waits");
      out.append(make("div", { class: "line" }, make("b", {}, lane), svg, time));
      return { lane, svg, time, jobs: [], began: 0, took: null, echo: 0 };
    });
    const show = () => {
      const length = (trial) => trial.took ?? (trial.began && performance.now() - trial.began);
      const longest = Math.max(1000, ...trials.map(length));
      trials.forEach((trial) => draw(trial, longest));
    };
    const echo = async (trial) => {
      await pause(150);
      const { id } = await get(`/v1/batches/${(await call("echoes")).id}?wait=60s`);
      const jobs = await jobsOf({ id });
      trial.echo = Math.max(...jobs.map((job) => at(job.finished_at) - at(job.created_at)));
    };
    follow("What happens in their queue", "/v1/events?queue=demo-work");
    const clock = setInterval(show, 100);
    try {
      for (const trial of trials) {
        tell(`Four jobs count primes in the lane ${trial.lane}.`);
        trial.began = performance.now();
        const work = followBatch("demo-work", () => call(trial.lane), (jobs) => { trial.jobs = jobs; }, tell);
        const [jobs] = await Promise.all([work, echo(trial)]);
        const created = Math.min(...jobs.map((job) => at(job.created_at)));
        trial.took = Math.max(...jobs.map((job) => at(job.finished_at))) - created;
        show();
      }
    } finally {
      clearInterval(clock);
    }
    show();
    const each = (what) => trials.map((trial) => `${trial.lane} ${what(trial)}`).join(", ");
    tell(`Four jobs took: ${each(({ took }) => seconds(took))}. An echo beside them took up to: ${each(({ echo }) => span(echo))}.`);
  };

  const panels = { start, joke, semaphore, race, lanes };
  const running = new Set();
  page.addEventListener("submit", async (event) => {
    const form = event.target, run = panels[form.dataset.panel];
    if (!run) return;
    event.preventDefault();
    const buttons = [...form.querySelectorAll("button")];
    if (buttons.some((button) => button.ariaDisabled)) return;
    const card = form.closest(".card"), out = card.querySelector(".out");
    const outcome = card.querySelector(".outcome");
    const calls = (name) => card.querySelector(`[data-call="${name}"]`).dataset;
    const call = (name) => ask(calls(name).method, calls(name).path, calls(name).body);
    const tell = (text, isBad = false) => {
      outcome.textContent = text;
      outcome.classList.toggle("bad", isBad);
    };
    const follow = (about, path) => {
      const id = `heard-${form.dataset.panel}`;
      for (const old of card.querySelectorAll(`[data-of="${id}"]`)) old.remove();
      const button = make("button", { type: "button", class: "small", "data-copy": id, "aria-describedby": `${id}-about` }, "Copy");
      const line = make("code", { id }, `curl -sN '${location.origin}${path}'`);
      card.querySelector(".calls").append(
        make("p", { id: `${id}-about`, "data-of": id }, make("span", {}, about), button),
        make("pre", { "data-of": id, tabindex: 0, role: "region", "aria-labelledby": `${id}-about` }, line),
      );
    };
    buttons.forEach((button) => { button.ariaDisabled = "true"; });
    out.replaceChildren();
    if (run === lanes && running.size) {
      tell("Waits for the other panels, to have the machine for itself.");
      await Promise.allSettled([...running]);
    }
    const work = run({ form, out, tell, call, calls, follow, words: event.submitter?.value });
    running.add(work);
    try {
      await work;
    } catch (error) {
      tell(`It did not work: ${error.message}`, true);
    } finally {
      running.delete(work);
      buttons.forEach((button) => { button.ariaDisabled = null; });
    }
  });

  const copy = async (button) => {
    const text = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(text);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  };
  page.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
  });
  for (const element of page.querySelectorAll("[data-scripted]")) element.hidden = false;
})();
