
// Which series the chart shows, and when it is read again.

const WINDOWS = { "1h": 5, "1d": 30, all: 60 };

class SeriesLoader {
  constructor(chart, read) {
    this.chart = chart;
    this.read = read;
    this.window = "1h";
    this.due = 0;
    this.request = 0;
    for (const input of document.querySelectorAll("input[name=window]")) {
      // A browser may restore another choice.
      input.checked = input.value === this.window;
      input.addEventListener("change", () => this.choose(input.value));
    }
  }

  choose(window) {
    this.window = window;
    this.due = 0;
    this.tick();
  }

  // Reads the series if it is old. An answer to an earlier choice is dropped.
  async tick() {
    const now = Date.now();
    if (now < this.due) return;
    this.due = now + WINDOWS[this.window] * 1000;
    this.request += 1;
    const request = this.request;
    const series = await this.read(`/v1/history?window=${this.window}`);
    if (!series || request !== this.request) return;
    this.chart.set(series);
    this.explain(series);
  }

  explain(series) {
    const entries = [["rate", "Throughput"]];
    if (series.limit_bytes_per_s.some((value) => value !== null)) entries.push(["limit", "Limit"]);
    if (series.paused_percent.some((value) => value >= 50)) entries.push(["paused", "Paused"]);
    const key = entries.join();
    const legend = byId("legend");
    if (legend.dataset.key === key) return;
    legend.dataset.key = key;
    legend.replaceChildren(...entries.map(([kind, text]) => element("span", {}, legendSign(kind), text)));
  }
}

function legendSign(kind) {
  const mark = kind === "paused"
    ? svgElement("rect", { class: "paused", width: 18, height: 10 })
    : svgElement("path", { class: kind, d: "M0 5H18" });
  const sign = svgElement("svg", { "aria-hidden": "true", viewBox: "0 0 18 10" }, mark);
  return sign;
}
