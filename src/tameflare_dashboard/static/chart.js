// Requests over time, stacked.

const colour = { passed: "#3d9a63", held: "#d99a2b", refused: "#c9483c" };
const words = { passed: "allowed", held: "held", refused: "refused" };

function ink() {
  return getComputedStyle(document.body).color;
}

export function drawCharts() {
  for (const place of document.querySelectorAll("[data-chart]")) {
    const data = JSON.parse(place.dataset.chart);
    const names = ["refused", "held", "passed"];
    let below = data.times.map(() => 0);
    const stacked = names.map((name) => (below = data[name].map((value, index) => value + below[index])));
    const grid = { stroke: "rgba(127,127,127,0.18)", width: 1 };
    const axis = { stroke: ink(), grid, ticks: grid, font: "11px system-ui" };
    const options = {
      width: place.clientWidth,
      height: 210,
      padding: [8, 8, 0, 0],
      cursor: { y: false },
      scales: { y: { range: (_, __, most) => [0, Math.max(4, most * 1.1)] } },
      axes: [axis, { ...axis, size: 44 }],
      // The highest first, so that each lower one is painted over it.
      series: [
        {},
        ...names.map((name, index) => ({
          label: words[name],
          stroke: colour[name],
          fill: `${colour[name]}55`,
          width: 1.5,
          points: { show: false },
          value: (_, __, ___, at) => (at === null ? "-" : data[name][at]),
        })).reverse(),
      ],
    };
    const chart = new uPlot(options, [data.times, ...stacked.reverse()]);
    place.replaceChildren(chart.root);
    new ResizeObserver(() => chart.setSize({ width: place.clientWidth, height: options.height })).observe(place);
  }
}
