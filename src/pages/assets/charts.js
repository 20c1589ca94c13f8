// Shows the values of a chart at the position of the pointer.
(() => {
  const showValues = (chart, event) => {
    const svg = chart.querySelector("svg"), box = svg.getBoundingClientRect();
    const lines = [...svg.querySelectorAll("[data-values]")];
    if (!lines.length || !box.width) return;
    const values = lines.map((line) => line.dataset.values.split(";"));
    const last = values[0].length - 1;
    const at = Math.min(last, Math.max(0, Math.round(((event.clientX - box.left) / box.width) * last)));
    const pointerLine = svg.querySelector(".pointer-line");
    pointerLine.setAttribute("d", `M${at} 0V100`);
    chart.querySelectorAll(".legend b").forEach((label, index) => { label.textContent = values[index][at] || "–"; });
    chart.querySelector(".pointer-time").textContent = at === last ? "now" : `${Math.round((last - at) / 6)} min ago`;
  };
  const reset = (chart) => {
    chart.querySelector(".pointer-line")?.setAttribute("d", "");
    chart.querySelector(".pointer-time").textContent = "";
    for (const label of chart.querySelectorAll(".legend b")) label.textContent = label.dataset.latest;
  };
  let hovered = null;
  document.addEventListener("pointermove", (event) => {
    const chart = event.target.closest?.(".chart .plot")?.closest(".chart") ?? null;
    if (hovered && hovered.chart !== chart) reset(hovered.chart);
    hovered = chart && { chart, event };
    if (hovered) showValues(chart, event);
  });
  document.addEventListener("refreshed", () => { if (hovered) showValues(hovered.chart, hovered.event); });
})();
