"use strict";
// Refreshes the elements that are marked `data-live`. At each event and at a fixed interval, the page
// is fetched again and the differences are patched into the open page. The state that belongs to the
// user is kept: the focus, check boxes, typed text, and which JSON objects are expanded.
(() => {
  const main = document.getElementById("main");
  const pollMs = Number(main?.dataset.pollMs);
  if (!pollMs) return;
  const status = document.getElementById("live-status");
  const MIN_GAP_MS = 1000, RETRY_MS = 2000, TIMEOUT_MS = 10000;
  let source = null, timer = 0, last = 0, isRefreshing = false, isRequested = false, failures = 0;

  const setStatus = (text, isOff) => {
    if (status.textContent !== text) status.textContent = text;
    status.classList.toggle("off", isOff);
  };

  // Changes `old` into `fresh`. Nodes that are equal are not touched.
  const patch = (old, fresh) => {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
      old.replaceWith(fresh);
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    if ("keep" in old.dataset) return;
    const isDetails = old.nodeName === "DETAILS";
    const isInput = /^(INPUT|SELECT|TEXTAREA|OPTION)$/.test(old.nodeName);
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !(isDetails && name === "open")) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      const isUserState = (isDetails && name === "open") || (isInput && /^(value|checked|selected)$/.test(name));
      if (!isUserState && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    if (old.nodeName !== "TEXTAREA") patchChildren(old, fresh);
  };

  const patchChildren = (old, fresh) => {
    const byId = new Map();
    const freshIds = new Set(Array.from(fresh.children, (child) => child.id));
    for (const child of [...old.children].filter((child) => child.id)) {
      // Elements that no longer exist are removed first, so that the others need not move and keep the focus.
      if (freshIds.has(child.id)) byId.set(child.id, child); else child.remove();
    }
    let at = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const same = child.id && byId.get(child.id);
      if (same) {
        byId.delete(child.id);
        if (same !== at) old.insertBefore(same, at); else at = at.nextSibling;
        patch(same, child);
      } else if (at && !(at.id && byId.has(at.id)) && at.nodeName === child.nodeName && !child.id && !at.id) {
        const next = at.nextSibling;
        patch(at, child);
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

  // While the user selects rows of a list, its rows must not move: only their contents are patched.
  const isInUse = (part) => part.querySelector(".select-cell :checked, .select-cell :focus, .select-cell:hover") !== null;
  const patchRows = (part, fresh) => {
    for (const row of fresh.querySelectorAll("tr[id]")) {
      const shown = document.getElementById(row.id);
      if (shown) patch(shown, row);
    }
  };

  // A log that is scrolled to its end stays at its end.
  const isAtEnd = (log) => log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
  const toEnd = (log) => { log.scrollTop = log.scrollHeight; };

  const refresh = async () => {
    isRefreshing = true;
    isRequested = false;
    last = Date.now();
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const response = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store", signal });
      // The session has ended: the server redirects to the page to sign in.
      if (response.redirected) return location.reload();
      if (response.status === 404 || response.ok) {
        const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
        const style = (page) => page.querySelector("link[rel=stylesheet]")?.getAttribute("href");
        // After an update of the server, the open page may not match its new elements.
        if (style(fresh) !== style(document) || response.status === 404) return location.reload();
        const tails = [...document.querySelectorAll("[data-tail]")].filter(isAtEnd);
        for (const part of document.querySelectorAll("[data-live]")) {
          const freshPart = fresh.getElementById(part.id);
          if (freshPart) (isInUse(part) ? patchRows : patch)(part, freshPart);
        }
        tails.forEach(toEnd);
        document.dispatchEvent(new Event("refreshed"));
        if (failures > 0) {
          stop();
          listen();
        }
        failures = 0;
        setStatus("Live", false);
      } else {
        throw new Error(response.status);
      }
    } catch (error) {
      failures += 1;
      if (failures > 1 || error.name === "TimeoutError") setStatus("Server unreachable, retrying", true);
    } finally {
      isRefreshing = false;
      schedule(failures ? RETRY_MS : isRequested ? MIN_GAP_MS : pollMs);
    }
  };

  const schedule = (ms) => {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(refresh, Math.max(ms, last + MIN_GAP_MS - Date.now(), 0));
  };

  const requestRefresh = () => {
    if (isRefreshing || isRequested) { isRequested = true; return; }
    isRequested = true;
    schedule(0);
  };

  const listen = () => {
    const path = main.dataset.events;
    if (!path || source || document.hidden) return;
    source = new EventSource(path);
    for (const name of ["state", "progress", "log", "failure", "batch", "job", "gone", "lost"]) {
      source.addEventListener(name, requestRefresh);
    }
    // The stream broke. A refresh shows whether the server is reachable.
    source.addEventListener("error", requestRefresh);
  };

  // A browser opens only a few connections per server, so hidden pages close theirs.
  const stop = () => {
    clearTimeout(timer);
    source?.close();
    source = null;
  };

  // `stop` has cancelled the timer of a requested refresh, so the request is made again.
  const resume = () => {
    isRequested = false;
    listen();
    requestRefresh();
  };

  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : resume()));
  addEventListener("pagehide", stop);
  addEventListener("pageshow", (event) => { if (event.persisted) resume(); });
  document.querySelectorAll("[data-tail]").forEach(toEnd);
  setStatus("Live", false);
  listen();
  schedule(pollMs);
})();
