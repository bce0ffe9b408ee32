
// The figures of a status.

const SET_BY = { option: "by --bwlimit", timetable: "by the timetable", auto: "adapts to other traffic", control: "set while it runs" };

function isRunning(status) {
  return ["scanning", "transferring", "mirroring", "finalizing", "paused"].includes(status.state);
}

// The part in sync; less than 1 as long as anything is missing.
function partInSync({ bytes, files }) {
  if (bytes.total === null || files.total === null) return null;
  const [done, all] = bytes.total > 0 ? [bytes.synced, bytes.total] : [files.synced, files.total];
  if (files.synced === files.total && bytes.synced === bytes.total) return 1;
  return all > 0 ? Math.min(done / all, 0.999) : 0.999;
}

function fillInSync(status) {
  const part = partInSync(status);
  const bar = byId("progress");
  show("in-sync", part !== null);
  show("progress", part !== null);
  if (part === null) return null;
  bar.value = Math.floor(part * 1000);
  const percent = `${(Math.floor(part * 1000) / 10).toFixed(1)} %`;
  const { bytes, files } = status;
  const text = ` in sync: ${size(bytes.synced)} of ${size(bytes.total)}, ${number(files.synced)} of ${count(files.total, "file", "files")}`;
  const line = byId("in-sync");
  if (line.textContent !== percent + text) line.replaceChildren(element("strong", {}, percent), text);
  return percent;
}

function fillRates(status, now) {
  const rates = status.rate_bytes_per_s;
  const age = status.started ? secondsBetween(new Date(status.started), now) : 0;
  setText("rate", orDash(rates.now, rate));
  const means = [];
  if (age >= 600 && rates["1h"] !== null) means.push(`1 h ${rate(rates["1h"])}`);
  if (age >= 7200 && rates["24h"] !== null) means.push(`24 h ${rate(rates["24h"])}`);
  setText("rates", means.length > 0 ? means.join(" · ") : rates.now === null ? "" : "in the last minute");
}

function fillLimit(status, now) {
  const { limit, next_limit: next } = status;
  setText("limit", !limit ? "–" : limit.bytes_per_s === null ? "none" : rate(limit.bytes_per_s));
  const parts = [];
  if (limit && (limit.bytes_per_s !== null || limit.set_by !== "option")) parts.push(SET_BY[limit.set_by] ?? "");
  if (limit?.until) parts.push(`until ${moment(new Date(limit.until), now)}`);
  if (next) {
    const value = next.bytes_per_s === null ? next.value : rate(next.bytes_per_s);
    parts.push(`${value === "off" ? "none" : value} from ${moment(new Date(next.time), now)}`);
  }
  setText("limit-source", parts.filter(Boolean).join(", "));
}

function fillAmounts(status) {
  const { bytes, files } = status;
  setText("pending", orDash(bytes.pending, size));
  const soFar = status.scan ? " so far" : "";
  setText("pending-files", files.pending === null ? "" : count(files.pending, "file", "files") + soFar);
  setText("written", orDash(status.session_bytes, size));
  const sent = status.runs[0]?.sent.files ?? null;
  setText("synced-files", sent === null ? "" : `${count(sent, "file", "files")} completed`);
  const failed = files.failed ?? 0;
  setText("failed", number(failed));
  byId("failed").className = failed > 0 ? "bad" : "";
  setText("failed-hint", failed > 0 ? "see Errors" : "");
}

function fillAge(status, now) {
  const started = status.started ? new Date(status.started) : null;
  const end = status.ended ? new Date(status.ended) : now;
  setText("age-label", isRunning(status) ? "Running for" : "Ran for");
  setText("age", started ? duration(secondsBetween(started, end)) : "–");
  setText("started", started ? `since ${moment(started, now)}` : "");
}

function fillFooter(status) {
  setForeign("database", status.database);
  setForeign("log", status.log ?? "–");
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const process = status.pid === null ? "" : `, process ${status.pid}`;
  setText("program", `Towpath ${status.version ?? ""}${process}. Times are those of this browser (${zone}).`);
}

function showStatus(status) {
  const now = new Date();
  setForeign("source", status.source);
  setForeign("dest", status.dest);
  const { title, detail, tone } = headline(status, now);
  setForeign("headline", title);
  setForeign("detail", detail);
  document.querySelector(".top").dataset.tone = tone ?? "";
  const percent = fillInSync(status);
  document.title = percent ? `${percent} – Towpath` : "Towpath";
  fillRates(status, now);
  fillLimit(status, now);
  fillAmounts(status);
  fillAge(status, now);
  fillCauses(status.limited_by);
  fillCurrent(status, now);
  fillErrors(status.errors);
  fillRuns(status.runs, now);
  fillFooter(status);
  show("access", false);
  for (const id of ["run", "trees", "footer"]) show(id, true);
}
