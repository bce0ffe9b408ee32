
// The chart of throughput, limit and delay: SVG that is drawn again with each answer.

const MARGIN = { left: 76, right: 2, top: 10, bottom: 22 };
const DELAY_HEIGHT = 78;
const GAP = 30;

// The least distance between lines such that no more than `most` are needed for `top`.
function tickStep(top, most, base) {
  const raw = top / most;
  let power = 1;
  while (power * base <= raw) power *= base;
  while (power > raw && base === 10) power /= base;
  return [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].map((factor) => factor * power).find((step) => step >= raw);
}

function ticks(top, most, base) {
  const step = tickStep(top, most, base);
  return Array.from({ length: Math.floor(top / step + 1e-9) + 1 }, (_, index) => index * step);
}

const TIME_STEPS = [60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 2 * 86400, 7 * 86400, 14 * 86400, 28 * 86400];

// Moments of the local time between two seconds.
function timeTicks(from, to, most) {
  const step = TIME_STEPS.find((length) => (to - from) / length <= most) ?? TIME_STEPS.at(-1);
  const zone = new Date(from * 1000).getTimezoneOffset() * 60;
  const first = Math.ceil((from - zone) / step) * step + zone;
  // A time shorter than all steps has its beginning.
  const found = first > to ? [from] : [];
  for (let at = first; at <= to; at += step) found.push(at);
  return found.map((at) => {
    const date = new Date(at * 1000);
    return { at, label: step >= 86400 ? `${date.getDate()} ${MONTHS[date.getMonth()]}` : clock(date) };
  });
}

// Stretches of steps that have values.
function stretches(values) {
  const found = [];
  values.forEach((value, index) => {
    if (value === null) return;
    const last = found.at(-1);
    if (last && last.end === index) {
      last.end += 1;
    } else {
      found.push({ begin: index, end: index + 1 });
    }
  });
  return found;
}

function greatest(values) {
  return values.reduce((most, value) => Math.max(most, value ?? 0), 0);
}

function mean(values) {
  const known = values.filter((value) => value !== null);
  return known.length > 0 ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
}

class Chart {
  constructor(holder, readout) {
    this.holder = holder;
    this.readout = readout;
    this.series = null;
    this.cursor = null;
    new ResizeObserver(() => this.draw()).observe(holder);
    holder.addEventListener("pointermove", (event) => this.pointAt(event.clientX));
    holder.addEventListener("pointerdown", (event) => this.pointAt(event.clientX));
    holder.addEventListener("pointerleave", () => this.point(null));
    holder.addEventListener("blur", () => this.point(null));
    holder.addEventListener("keydown", (event) => this.press(event));
  }

  set(series) {
    this.series = series;
    this.draw();
  }

  get steps() {
    return this.series?.bytes_per_s.length ?? 0;
  }

  draw() {
    const width = this.holder.clientWidth;
    if (!this.series || width === 0) return;
    const { series } = this;
    const hasDelay = series.delay_ms.some((value) => value !== null);
    this.holder.dataset.panels = hasDelay ? 2 : 1;
    const height = this.holder.clientHeight;
    const begin = Date.parse(series.start) / 1000;
    // A run that has just begun does not fill the width at once.
    const length = Math.max(this.steps, Math.ceil(60 / series.step_s));
    this.x = (step) => MARGIN.left + (step / length) * (width - MARGIN.left - MARGIN.right);
    this.end = begin + length * series.step_s;
    const bottom = height - MARGIN.bottom - (hasDelay ? DELAY_HEIGHT + GAP : 0);
    const drawn = svgElement("svg", { width, height, "aria-hidden": "true" });
    this.drawPaused(drawn, MARGIN.top, height - MARGIN.bottom);
    this.drawRate(drawn, MARGIN.top, bottom, width);
    if (hasDelay) this.drawDelay(drawn, bottom + GAP, height - MARGIN.bottom, width);
    this.drawTimes(drawn, begin, width, height);
    this.line = svgElement("line", { class: "cursor", y1: MARGIN.top, y2: height - MARGIN.bottom, visibility: "hidden" });
    drawn.append(this.line);
    this.holder.replaceChildren(drawn);
    this.holder.setAttribute("aria-label", this.summary());
    this.point(this.cursor);
  }

  drawRate(drawn, top, bottom, width) {
    const { bytes_per_s: rates, limit_bytes_per_s: limits } = this.series;
    const most = Math.max(greatest(rates), 1024);
    // A limit far above would press the rates flat.
    const limit = greatest(limits) <= 4 * most ? greatest(limits) : 0;
    const ceiling = Math.max(most, limit) * 1.06;
    const y = (value) => bottom - (value / ceiling) * (bottom - top);
    this.drawGrid(drawn, ticks(ceiling, 4, 1024), y, (value) => rate(value).replace(".0 ", " "), width);
    for (const stretch of stretches(rates)) {
      const line = this.steppedLine(rates, stretch, y);
      drawn.append(svgElement("path", { class: "area", d: `${line} V${bottom} H${this.x(stretch.begin)} Z` }));
      drawn.append(svgElement("path", { class: "rate", d: line }));
    }
    for (const stretch of limit > 0 ? stretches(limits) : []) {
      drawn.append(svgElement("path", { class: "limit", d: this.steppedLine(limits, stretch, y) }));
    }
  }

  drawDelay(drawn, top, bottom, width) {
    const delays = this.series.delay_ms;
    const ceiling = Math.max(greatest(delays), 0.1) * 1.1;
    const y = (value) => bottom - (value / ceiling) * (bottom - top);
    this.drawGrid(drawn, ticks(ceiling, 2, 10), y, (value) => `${Number(value.toPrecision(3))} ms`, width);
    drawn.append(svgElement("text", { class: "panel", x: MARGIN.left, y: top - 8 }, "Delay of other users of the link"));
    for (const stretch of stretches(delays)) {
      drawn.append(svgElement("path", { class: "delay", d: this.steppedLine(delays, stretch, y) }));
    }
  }

  drawGrid(drawn, values, y, label, width) {
    for (const value of values) {
      const at = Math.round(y(value)) + 0.5;
      drawn.append(svgElement("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: at, y2: at }));
      drawn.append(svgElement("text", { x: MARGIN.left - 10, y: at + 4, "text-anchor": "end" }, value === 0 ? "0" : label(value)));
    }
  }

  drawTimes(drawn, begin, width, height) {
    for (const { at, label } of timeTicks(begin, this.end, Math.floor((width - MARGIN.left) / 56))) {
      const x = this.x((at - begin) / this.series.step_s);
      const isLast = x > width - 24;
      const anchor = isLast ? "end" : x < MARGIN.left + 20 ? "start" : "middle";
      drawn.append(svgElement("text", { x: isLast ? width - MARGIN.right : x, y: height - 5, "text-anchor": anchor }, label));
    }
  }

  drawPaused(drawn, top, bottom) {
    const paused = this.series.paused_percent.map((percent) => (percent >= 50 ? percent : null));
    for (const { begin, end } of stretches(paused)) {
      const [x, width] = [this.x(begin), this.x(end) - this.x(begin)];
      drawn.append(svgElement("rect", { class: "paused", x, y: top, width, height: bottom - top }));
    }
  }

  // Each value holds for its step.
  steppedLine(values, { begin, end }, y) {
    let line = "";
    for (let step = begin; step < end; step += 1) {
      const at = y(values[step]).toFixed(1);
      line += line ? `V${at}` : `M${this.x(step).toFixed(1)} ${at}`;
      line += `H${this.x(step + 1).toFixed(1)}`;
    }
    return line;
  }

  pointAt(clientX) {
    if (!this.x) return;
    const left = clientX - this.holder.getBoundingClientRect().left;
    const width = this.x(1) - this.x(0);
    const step = Math.floor((left - MARGIN.left) / width);
    this.point(step >= 0 && step < this.steps ? step : null);
  }

  press(event) {
    const last = this.steps - 1;
    const now = this.cursor ?? last + 1;
    const moves = { ArrowLeft: now - 1, ArrowRight: now + 1, PageUp: now - 30, PageDown: now + 30, Home: 0, End: last, Escape: null };
    if (last < 0 || !(event.key in moves) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const next = moves[event.key];
    this.readout.setAttribute("aria-live", "polite");
    this.point(next === null ? null : Math.min(Math.max(next, 0), last));
  }

  // Says what was at a step.
  point(step) {
    this.cursor = step !== null && step < this.steps ? step : null;
    if (!this.line) return;
    if (this.cursor === null) {
      this.line.setAttribute("visibility", "hidden");
      this.readout.textContent = this.summary();
      return;
    }
    const x = this.x(step + 0.5);
    for (const [name, value] of [["x1", x], ["x2", x], ["visibility", "visible"]]) this.line.setAttribute(name, value);
    this.readout.textContent = this.textAt(step);
  }

  textAt(step) {
    const { series } = this;
    const begin = new Date(Date.parse(series.start) + step * series.step_s * 1000);
    const time = series.step_s < 60 ? clockWithSeconds(begin) : clock(begin);
    const parts = [`${isSameDay(begin, new Date()) ? "" : `${day(begin, new Date())} `}${time}, ${duration(series.step_s)}`];
    const [bytes, limit] = [series.bytes_per_s[step], series.limit_bytes_per_s[step]];
    const [delay, paused] = [series.delay_ms[step], series.paused_percent[step]];
    parts.push(bytes === null ? "nothing is known" : rate(bytes));
    if (limit !== null) parts.push(`limit ${rate(limit)}`);
    if (delay !== null) parts.push(`delay ${delay} ms`);
    if (paused > 0) parts.push(`${paused} % paused`);
    return parts.join(" · ");
  }

  summary() {
    const average = mean(this.series?.bytes_per_s ?? []);
    if (average === null) return "Nothing was measured yet.";
    const delay = mean(this.series.delay_ms);
    const others = delay === null ? "" : `; other users were delayed by ${Number(delay.toPrecision(2))} ms on average`;
    return `${rate(average)} on average, ${rate(greatest(this.series.bytes_per_s))} at most${others}`;
  }
}
