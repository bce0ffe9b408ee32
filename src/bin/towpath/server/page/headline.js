
// What the run does, in one sentence.

// The steps to which a forecast is rounded: it is as exact as it is near.
function roundTo(left) {
  if (left > 2 * 86400) return 3600;
  if (left > 4 * 3600) return 600;
  return 60;
}

function rounded(date, step, round) {
  const zone = date.getTimezoneOffset() * 60;
  const seconds = date.getTime() / 1000 - zone;
  return new Date((round(seconds / step) * step + zone) * 1000);
}

// The forecast as a sentence, and whether it is a range: `Done Thu 12 Dec, between 06:00 and 19:00`.
function doneText(p50, p90, now) {
  const step = roundTo(secondsBetween(now, p50));
  const from = rounded(p50, step, Math.floor);
  if (!p90) return { text: `Done about ${moment(from, now)}`, isRange: false };
  const to = rounded(p90, step, Math.ceil);
  const nameOf = (date) => (isSameDay(date, now) ? "today" : day(date, now));
  if (isSameDay(from, to)) {
    const isExact = to - from <= step * 1000;
    const times = isExact ? `about ${clock(to)}` : `between ${clock(from)} and ${clock(to)}`;
    return { text: `Done ${nameOf(from)}, ${times}`, isRange: !isExact };
  }
  const isFar = secondsBetween(now, from) > 21 * 86400;
  const nameWithTime = (date) => (isFar ? day(date, now) : `${nameOf(date)} ${clock(date)}`);
  return { text: `Done between ${nameWithTime(from)} and ${nameWithTime(to)}`, isRange: true };
}

function stalledDetail(stalled) {
  const side = { source: "the source", dest: "the destination" }[stalled.side];
  const what = [side, stalled.operation].filter(Boolean).join(": ");
  const path = stalled.path ? `, ${shortened(stalled.path, 120)}` : "";
  if (!what) return `Nothing moves${path}`;
  return side ? `Waits for ${what}${path}` : `Waits: ${what}${path}`;
}

function pendingText(status) {
  const { bytes, files } = status;
  if (bytes.pending === null || files.pending === null) return "Its scan is not complete.";
  if (files.pending === 0) return "Nothing is pending.";
  return `${size(bytes.pending)} in ${count(files.pending, "file", "files")} pending.`;
}

function endedHeadline(status, now) {
  const at = status.ended ? ` ${moment(new Date(status.ended), now)}` : "";
  const reason = status.reason ?? "";
  const left = pendingText(status);
  if (status.state === "failed") {
    return { title: `Failed${at}`, detail: [reason, left].filter(Boolean).join("; "), tone: "bad" };
  }
  if (status.state === "stopped") {
    const by = reason ? ` by ${reason.replace(/^by /, "")}` : "";
    return { title: `Stopped${at}${by}`, detail: `${left} The same command resumes it.`, tone: "held" };
  }
  const failed = status.files.pending || 0;
  if (failed === 0 && !reason) return { title: `Finished${at}`, detail: "Everything is in sync.", tone: "good" };
  const but = failed > 0 ? `, ${count(failed, "file", "files")} not in sync` : "";
  return { title: `Finished${at}${but}`, detail: reason || "The same command tries them again.", tone: "held" };
}

function sendingHeadline(status, now) {
  const { p50, p90 } = status.eta;
  if (!p50) return { title: "Sending", detail: "It is too early to say when it will be done." };
  const [first, last] = [new Date(p50), p90 ? new Date(p90) : null];
  const { text, isRange } = doneText(first, last, now);
  const left = `In about ${duration(secondsBetween(now, first))}`;
  const odds = "half of such forecasts come true by the first time, nine in ten by the second";
  const latest = last ? "" : "; when it ends at the latest is unknown";
  return { title: text, detail: `${left}${isRange ? `; ${odds}` : latest}.` };
}

function headline(status, now) {
  if (status.stalled) {
    const since = moment(new Date(status.stalled.since), now);
    return { title: `Stalled since ${since}`, detail: stalledDetail(status.stalled), tone: "bad" };
  }
  switch (status.state) {
    case "paused": {
      const by = status.reason ? ` ${status.reason}` : "";
      const next = status.next_limit;
      const goesOn = status.limit?.set_by === "timetable" && status.reason === "by timetable" && next;
      const until = goesOn ? `Goes on ${moment(new Date(next.time), now)}. ` : "";
      return { title: `Paused${by}`, detail: `${until}${pendingText(status)}`, tone: "held" };
    }
    case "scanning": {
      const { source, dest } = status.scan ?? {};
      if (!source) return { title: "Starting", detail: "" };
      const found = (side) => `${count(side.files, "file", "files")} (${size(side.bytes)})`;
      return { title: "Scanning", detail: `Found ${found(source)} in the source, ${found(dest)} in the destination.` };
    }
    case "transferring":
      return sendingHeadline(status, now);
    case "mirroring":
      return { title: "Deleting extra files from the destination", detail: pendingText(status) };
    case "finalizing":
      return { title: "Finishing", detail: "Sets the times and attributes of directories." };
    default:
      return endedHeadline(status, now);
  }
}
