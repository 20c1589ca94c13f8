// Lists whose entries are chosen, buttons that ask once more, and JSON that is checked as it is typed.
(() => {
  const chosen = document.getElementById("chosen");
  const boxes = () => [...chosen.querySelectorAll("input[name=id]")];
  const count = () => {
    const all = boxes(), ticked = all.filter((box) => box.checked).length;
    const [whole] = chosen.querySelectorAll("[data-all] input");
    chosen.querySelector("[data-all]").hidden = all.length === 0;
    whole.checked = ticked > 0 && ticked === all.length;
    whole.indeterminate = ticked > 0 && ticked < all.length;
    chosen.querySelector("[data-chosen]").textContent = ticked ? `${ticked} chosen` : "";
    for (const button of chosen.querySelectorAll("button[name=deed]")) button.disabled = ticked === 0;
  };
  if (chosen) {
    chosen.addEventListener("change", (event) => {
      if (event.target.closest("[data-all]")) for (const box of boxes()) box.checked = event.target.checked;
      count();
    });
    document.addEventListener("fresh", count);
    addEventListener("pageshow", count);
    count();
  }

  // A page that is come back to may submit the same once more.
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const field of document.querySelectorAll("input[name=once]")) field.value += `-${Date.now()}`;
  });

  // What was done is told once: a reload of the page does not say it again.
  const here = new URL(location.href);
  if (here.searchParams.has("did")) {
    for (const name of ["did", "done", "refused"]) here.searchParams.delete(name);
    history.replaceState(history.state, "", here);
  }

  // The first press asks, the second one acts.
  let asking = null;
  const calm = () => {
    if (!asking) return;
    clearTimeout(asking.timer);
    asking.button.textContent = asking.text;
    asking.button.classList.remove("sure");
    delete asking.button.dataset.keep;
    asking = null;
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-sure]");
    if (asking && asking.button === button) return;
    calm();
    if (!button) return;
    event.preventDefault();
    asking = { button, text: button.textContent, timer: setTimeout(calm, 5000) };
    button.textContent = button.dataset.sure;
    button.classList.add("sure");
    button.dataset.keep = "";
  });

  // What the browser says of a JSON text, at its field.
  const check = (field) => {
    const told = document.getElementById(field.id + "-wrong");
    let wrong = "";
    if (field.value.trim()) {
      try { JSON.parse(field.value); } catch (error) { wrong = error.message; }
    }
    field.setAttribute("aria-invalid", String(wrong !== ""));
    told.textContent = wrong;
    return !wrong;
  };
  for (const field of document.querySelectorAll("textarea[data-json]")) {
    let timer = 0;
    field.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => check(field), 400);
    });
    field.form.addEventListener("submit", (event) => {
      if (check(field)) return;
      event.preventDefault();
      field.focus();
    });
  }
  // Who chooses another kind keeps what is the same for every kind.
  document.querySelector("form[data-carry]")?.addEventListener("formdata", (event) => {
    for (const field of document.querySelectorAll("[data-carried] [name]")) {
      const isSet = field.type === "checkbox" ? field.checked : field.value !== "";
      if (isSet) event.formData.append(field.name, field.value);
    }
  });
})();
