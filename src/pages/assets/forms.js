// Selection of list rows, buttons that ask for confirmation, and validation of JSON while it is typed.
(() => {
  const selection = document.getElementById("selection");
  const boxes = () => [...selection.querySelectorAll("input[name=id]")];
  const update = () => {
    const all = boxes(), selected = all.filter((box) => box.checked).length;
    const [selectAll] = selection.querySelectorAll("[data-select-all] input");
    selection.querySelector("[data-select-all]").hidden = all.length === 0;
    selectAll.checked = selected > 0 && selected === all.length;
    selectAll.indeterminate = selected > 0 && selected < all.length;
    selection.querySelector("[data-selected-count]").textContent = selected ? `${selected} selected` : "";
    for (const button of selection.querySelectorAll("button[name=job_action]")) button.disabled = selected === 0;
  };
  if (selection) {
    selection.addEventListener("change", (event) => {
      if (event.target.closest("[data-select-all]")) for (const box of boxes()) box.checked = event.target.checked;
      update();
    });
    document.addEventListener("refreshed", update);
    addEventListener("pageshow", update);
    update();
  }

  // A page that the user returns to may submit the same job again, so its form token changes.
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const field of document.querySelectorAll("input[name=form_token]")) field.value += `-${Date.now()}`;
  });

  // The summary of an action is shown once: its parameters are removed from the address, so that a
  // reload does not show it again.
  const here = new URL(location.href);
  if (here.searchParams.has("did")) {
    for (const name of ["did", "done", "refused"]) here.searchParams.delete(name);
    history.replaceState(history.state, "", here);
  }

  // The first click asks for confirmation, the second one submits.
  let pending = null;
  const reset = () => {
    if (!pending) return;
    clearTimeout(pending.timer);
    pending.button.textContent = pending.text;
    pending.button.classList.remove("confirm");
    delete pending.button.dataset.keep;
    pending = null;
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-confirm]");
    if (pending && pending.button === button) return;
    reset();
    if (!button) return;
    event.preventDefault();
    pending = { button, text: button.textContent, timer: setTimeout(reset, 5000) };
    button.textContent = button.dataset.confirm;
    button.classList.add("confirm");
    button.dataset.keep = "";
  });

  // Copies the text of an element, or selects it where pages have no access to the clipboard.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const text = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(text);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  for (const button of document.querySelectorAll("[data-copy][data-scripted]")) button.hidden = false;

  // Shows the browser's error message for an invalid JSON text at its field.
  const check = (field) => {
    const output = document.getElementById(field.id + "-error");
    let message = "";
    if (field.value.trim()) {
      try { JSON.parse(field.value); } catch (error) { message = error.message; }
    }
    field.setAttribute("aria-invalid", String(message !== ""));
    output.textContent = message;
    return !message;
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
  // When the user switches to another kind, the options that all kinds share are kept.
  document.querySelector("form[data-carry]")?.addEventListener("formdata", (event) => {
    for (const field of document.querySelectorAll("[data-carried] [name]")) {
      const isSet = field.type === "checkbox" ? field.checked : field.value !== "";
      if (isSet) event.formData.append(field.name, field.value);
    }
  });
})();
