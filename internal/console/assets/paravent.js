// What the console does in the browser beyond htmx: the overview's chart, data
// that leave the screen when their grant ends, and focus for keyboards and
// readers. Every main flow works without it.
"use strict";
(() => {
  // Nobody watches a hidden page: what asks again by itself, waits.
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && event.detail.requestConfig.verb === "get") event.preventDefault();
  });

  // On a narrow screen the pages' names scroll sideways: the one we are on is seen.
  const nav = document.querySelector(".top nav");
  const here = nav?.querySelector("[aria-current]");
  if (here && nav.scrollWidth > nav.clientWidth) {
    nav.scrollLeft = here.getBoundingClientRect().left - nav.getBoundingClientRect().left - (nav.clientWidth - here.offsetWidth) / 2;
  }

  // An answer that somebody asked for is where reading goes on.
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "answer" || event.detail.requestConfig.verb === "get") return;
    event.detail.target.focus({ preventScroll: true });
    event.detail.target.scrollIntoView({ block: "start", behavior: "smooth" });
    watchGrants();
  });

  // Shown data leave the page when the grant has ended.
  const watchGrants = () => {
    for (const result of document.querySelectorAll(".result[data-until]")) {
      const left = Date.parse(result.dataset.until) - Date.now();
      if (Number.isNaN(left) || left > 2 ** 31 - 1) continue;
      setTimeout(() => {
        const note = document.createElement("div");
        note.className = "empty";
        note.textContent = "The grant has ended, so the data left this page. Look again if the task still needs them.";
        result.replaceWith(note);
      }, Math.max(left, 0));
    }
  };

  // The chart: bars on top of each other, one for each minute.
  const drawChart = (box) => {
    const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const stack = (f) => {
      const x = f.shown.map((_, i) => f.from + 60 * i);
      const refused = f.shown.map((n, i) => n + f.refused[i]);
      const all = refused.map((n, i) => n + f.other[i]);
      return [x, all, refused, f.shown];
    };
    let chart = null, data = null;
    const make = () => {
      if (chart) chart.destroy();
      const bars = uPlot.paths.bars({ size: [0.72, 40], radius: 0.15 });
      const series = (name) => ({ fill: colour(name), width: 0, paths: bars, points: { show: false } });
      const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
      chart = new uPlot({
        width: box.clientWidth, height: 240, legend: { show: false }, cursor: { show: false }, padding: [8, 16, 0, 0],
        scales: { x: { time: true, range: (_, low, high) => [low - 30, high + 30] }, y: { range: (_, low, high) => [0, Math.max(4, Math.ceil(high * 1.1))] } },
        series: [{}, series("--other"), series("--refused"), series("--shown")],
        axes: [
          { ...axis, grid: { show: false }, values: (_, ticks) => ticks.map((t) => clock(t)) },
          { ...axis, size: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] },
        ],
      }, data, box);
    };
    let zone = 0;
    const clock = (seconds) => new Date((seconds + zone) * 1000).toISOString().slice(11, 16);
    const ask = async () => {
      try {
        if (document.hidden) return;
        const answer = await fetch(box.dataset.source, { headers: { Accept: "application/json" }, redirect: "manual" });
        if (answer.type === "opaqueredirect") return location.reload();
        if (!answer.ok) throw new Error("no figures");
        const f = await answer.json();
        for (const [name, text] of Object.entries(f.tiles)) {
          const tile = document.querySelector(`[data-figure="${name}"]`);
          if (tile && tile.textContent !== text) tile.textContent = text;
        }
        zone = f.zone;
        data = stack(f);
        chart ? chart.setData(data) : make();
        box.classList.remove("stale");
      } catch {
        box.classList.add("stale"); // what stands there is old; it is asked for again
      } finally {
        setTimeout(ask, 2000);
      }
    };
    new ResizeObserver(() => chart && chart.setSize({ width: box.clientWidth, height: 240 })).observe(box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => data && make());
    ask();
  };

  watchGrants();
  const box = document.getElementById("chart");
  if (box) drawChart(box);
})();
