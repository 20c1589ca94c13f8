// Charts tell their values where the pointer is.
(() => {
  const read = (chart, event) => {
    const svg = chart.querySelector("svg"), box = svg.getBoundingClientRect();
    const lines = [...svg.querySelectorAll("[data-values]")];
    if (!lines.length || !box.width) return;
    const values = lines.map((line) => line.dataset.values.split(";"));
    const last = values[0].length - 1;
    const at = Math.min(last, Math.max(0, Math.round(((event.clientX - box.left) / box.width) * last)));
    const hand = svg.querySelector(".hand");
    hand.setAttribute("d", `M${at} 0V100`);
    chart.querySelectorAll(".key b").forEach((told, index) => { told.textContent = values[index][at] || "–"; });
    chart.querySelector(".when").textContent = at === last ? "now" : `${Math.round((last - at) / 6)} min ago`;
  };
  const rest = (chart) => {
    chart.querySelector(".hand")?.setAttribute("d", "");
    chart.querySelector(".when").textContent = "";
    for (const told of chart.querySelectorAll(".key b")) told.textContent = told.dataset.now;
  };
  let over = null;
  document.addEventListener("pointermove", (event) => {
    const chart = event.target.closest?.(".chart .plot")?.closest(".chart") ?? null;
    if (over && over.chart !== chart) rest(over.chart);
    over = chart && { chart, event };
    if (over) read(chart, event);
  });
  document.addEventListener("fresh", () => { if (over) read(over.chart, over.event); });
})();
