"use strict";
// Keeps the parts of a page that are marked `data-live` fresh: where an event tells of news, or from
// time to time, the page is fetched once more and what differs is put in. What the user does with
// the page (focus, ticks, text, what is folded) stays.
(() => {
  const main = document.getElementById("main");
  const every = Number(main?.dataset.every);
  if (!every) return;
  const pulse = document.getElementById("pulse");
  const LEAST = 1000, AGAIN = 2000, PATIENCE = 10000;
  let source = null, timer = 0, last = 0, isBusy = false, isAsked = false, failures = 0;

  const tell = (text, isOff) => {
    if (pulse.textContent !== text) pulse.textContent = text;
    pulse.classList.toggle("off", isOff);
  };

  // Makes `old` what `fresh` is, and leaves alone what is the same.
  const change = (old, fresh) => {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
      old.replaceWith(fresh);
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    if ("keep" in old.dataset) return;
    const isFolding = old.nodeName === "DETAILS";
    const isTyped = /^(INPUT|SELECT|TEXTAREA|OPTION)$/.test(old.nodeName);
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !(isFolding && name === "open")) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      const isUsers = (isFolding && name === "open") || (isTyped && /^(value|checked|selected)$/.test(name));
      if (!isUsers && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    if (old.nodeName !== "TEXTAREA") changeAll(old, fresh);
  };

  const changeAll = (old, fresh) => {
    const known = new Map();
    const stays = new Set(Array.from(fresh.children, (child) => child.id));
    for (const child of [...old.children].filter((child) => child.id)) {
      // What goes leaves first: what stays need not move then, and keeps the focus.
      if (stays.has(child.id)) known.set(child.id, child); else child.remove();
    }
    let at = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const same = child.id && known.get(child.id);
      if (same) {
        known.delete(child.id);
        if (same !== at) old.insertBefore(same, at); else at = at.nextSibling;
        change(same, child);
      } else if (at && !(at.id && known.has(at.id)) && at.nodeName === child.nodeName && !child.id && !at.id) {
        const next = at.nextSibling;
        change(at, child);
        at = next;
      } else {
        old.insertBefore(child, at);
      }
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  };

  // Who chooses rows of a list wants them to stay where they are: then only what they say changes.
  const isHeld = (part) => part.querySelector(".pick :checked, .pick :focus, .pick:hover") !== null;
  const changeKnown = (part, news) => {
    for (const row of news.querySelectorAll("tr[id]")) {
      const known = document.getElementById(row.id);
      if (known) change(known, row);
    }
  };

  // A log that is read at its end is followed.
  const isAtEnd = (log) => log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
  const toEnd = (log) => { log.scrollTop = log.scrollHeight; };

  const refresh = async () => {
    isBusy = true;
    isAsked = false;
    last = Date.now();
    try {
      const signal = AbortSignal.timeout(PATIENCE);
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store", signal });
      if (answer.status === 404 || answer.ok) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        const style = (page) => page.querySelector("link[rel=stylesheet]")?.getAttribute("href");
        // Another version of the server: its parts may not fit this page.
        if (style(fresh) !== style(document) || answer.status === 404) return location.reload();
        const tails = [...document.querySelectorAll("[data-tail]")].filter(isAtEnd);
        for (const part of document.querySelectorAll("[data-live]")) {
          const news = fresh.getElementById(part.id);
          if (news) (isHeld(part) ? changeKnown : change)(part, news);
        }
        tails.forEach(toEnd);
        document.dispatchEvent(new Event("fresh"));
        if (failures > 0) {
          stop();
          listen();
        }
        failures = 0;
        tell("Live", false);
      } else {
        throw new Error(answer.status);
      }
    } catch (error) {
      failures += 1;
      if (failures > 1 || error.name === "TimeoutError") tell("Not reachable, trying again", true);
    } finally {
      isBusy = false;
      plan(failures ? AGAIN : isAsked ? LEAST : every);
    }
  };

  const plan = (ms) => {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(refresh, Math.max(ms, last + LEAST - Date.now(), 0));
  };

  const news = () => {
    if (isBusy || isAsked) { isAsked = true; return; }
    isAsked = true;
    plan(0);
  };

  const listen = () => {
    const path = main.dataset.events;
    if (!path || source || document.hidden) return;
    source = new EventSource(path);
    for (const name of ["state", "progress", "log", "failure", "batch", "job", "gone", "lost"]) {
      source.addEventListener(name, news);
    }
    // The stream broke: whether the server is there is seen by asking.
    source.addEventListener("error", news);
  };

  // A browser has few connections for a server: pages that nobody sees hold none.
  const stop = () => {
    clearTimeout(timer);
    source?.close();
    source = null;
  };

  // What was planned was dropped with the timer: it is planned anew.
  const goOn = () => {
    isAsked = false;
    listen();
    news();
  };

  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : goOn()));
  addEventListener("pagehide", stop);
  addEventListener("pageshow", (event) => { if (event.persisted) goOn(); });
  document.querySelectorAll("[data-tail]").forEach(toEnd);
  tell("Live", false);
  listen();
  plan(every);
})();
