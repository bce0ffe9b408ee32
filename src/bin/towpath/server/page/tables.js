
// Lists: causes, files in flight, errors, runs.

const LONGEST_PATH = 160;

function capitalized(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function fillCauses(causes) {
  const list = byId("causes");
  const shown = causes.filter(({ percent }) => percent >= 5);
  show("limited-none", shown.length === 0);
  const key = JSON.stringify(shown);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(...shown.map(({ text, percent, advice }) => {
    const name = capitalized(text);
    const entry = element("li", {}, element("p", {}, element("span", {}, name), `${percent} %`));
    entry.append(progressBar(percent / 100, `${name}: ${percent} %`));
    if (advice) entry.append(element("span", { className: "advice" }, ...nodesOf(capitalized(advice.replaceAll("`", "")))));
    return entry;
  }));
}

function fillCurrent(status, now) {
  const files = status.current;
  show("current-none", files.length === 0);
  show("current-scroll", files.length > 0);
  setRows("current", files.map((file) => {
    const part = file.size > 0 ? Math.min(1, file.written / file.size) : 1;
    const left = file.eta ? duration(secondsBetween(now, new Date(file.eta))) : "–";
    return [
      foreignCell([shortened(file.path, LONGEST_PATH)], file.path),
      numberCell(size(file.size)),
      progressCell(part),
      numberCell(file.rate_bytes_per_s === null ? "–" : rate(file.rate_bytes_per_s)),
      numberCell(duration(file.age_s)),
      numberCell(left),
    ];
  }));
  const all = files.length + status.more_current;
  setText("current-count", all > 0 ? count(all, "file", "files") : "");
  const more = status.more_current;
  setText("current-more", more > 0 ? `and ${count(more, "other", "others")}` : "");
}

const SIDES = { source: "source", dest: "destination" };

function fillErrors(errors) {
  show("errors-none", errors.length === 0);
  show("errors-scroll", errors.length > 0);
  setRows("errors", errors.map((of) => [
    numberCell(number(of.count)),
    textCell(of.kind.replaceAll("-", " ")),
    textCell(SIDES[of.side] ?? "–"),
    foreignCell([shortened(of.path, LONGEST_PATH), shortened(of.error, 2 * LONGEST_PATH)], of.path),
  ]));
}

function orDash(value, text) {
  return value === null || value === undefined ? "–" : text(value);
}

function fillRuns(runs, now) {
  setRows("runs", runs.map((run) => {
    const began = new Date(run.start);
    const end = run.end ? new Date(run.end) : run.outcome === "running" ? now : null;
    const reason = run.error ?? (run.stopped_by ? `by ${run.stopped_by}` : "");
    const isBad = run.outcome === "failed" || run.outcome === "killed";
    const outcome = foreignCell([run.outcome, ...(reason ? [shortened(reason, LONGEST_PATH)] : [])], reason);
    const deleted = (run.deleted.files ?? 0) + (run.deleted.dirs ?? 0);
    return [
      numberCell(String(run.number)),
      textCell(moment(began, now)),
      numberCell(orDash(end, (end) => duration(secondsBetween(began, end)))),
      { ...outcome, className: isBad ? "text bad" : "text" },
      numberCell(orDash(run.sent.bytes, size)),
      numberCell(orDash(run.sent.files, number)),
      numberCell(run.deleted.files === null ? "–" : number(deleted)),
      numberCell(orDash(run.failed, number)),
    ];
  }));
}
