// What the page says of a run, without a browser.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { runInNewContext } from "node:vm";

process.env.TZ = "Europe/Berlin";
const files = ["format.js", "headline.js", "chart.js"].map((name) =>
    readFileSync(new URL(`../../src/bin/towpath/server/page/${name}`, import.meta.url), "utf8"));
const of = runInNewContext(`${files.join("")}; ({ size, duration, shortened, doneText, headline, ticks, timeTicks, stretches })`, { Date });

const at = (text) => new Date(text);
const NOW = at("2026-11-28T15:04:00+01:00");

test("sizes and times are short", () => {
    assert.deepEqual([0, 1023, 1024, 1536, 1048570, 200 * 2 ** 40].map(of.size), ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "200.0 TiB"]);
    assert.deepEqual([0, 59.6, 200, 7200, 1e6].map(of.duration), ["0 s", "1 min", "3 min 20 s", "2 h", "11 d 13 h"]);
    assert.equal(of.shortened("abcdefghij", 6), "a…ghij");
    assert.equal(of.shortened("😀".repeat(10), 6), "😀…😀😀😀😀");
});

test("the end is a range, as exact as it is near", () => {
    for (const [p50, p90, text] of [
        ["2026-12-10T06:20:00+01:00", "2026-12-10T18:10:00+01:00", "Done Thu 10 Dec, between 06:00 and 19:00"],
        ["2026-12-10T06:20:00+01:00", "2026-12-11T18:10:00+01:00", "Done between Thu 10 Dec 06:00 and Fri 11 Dec 19:00"],
        ["2027-01-10T06:20:00+01:00", "2027-01-12T18:10:00+01:00", "Done between Sun 10 Jan 2027 and Tue 12 Jan 2027"],
        ["2026-11-28T15:30:10+01:00", "2026-11-28T15:41:50+01:00", "Done today, between 15:30 and 15:42"],
        ["2026-11-28T15:30:10+01:00", "2026-11-28T15:30:50+01:00", "Done today, about 15:31"],
        ["2026-11-28T20:34:00+01:00", "2026-11-29T02:11:00+01:00", "Done between today 20:30 and Sun 29 Nov 02:20"],
        ["2026-12-10T06:20:00+01:00", null, "Done about Thu 10 Dec 06:00"],
    ]) {
        assert.equal(of.doneText(at(p50), p90 && at(p90), NOW).text, text);
    }
});

test("the odds are those of a range", () => {
    const detail = (p50, p90) => of.headline({ state: "transferring", stalled: null, eta: { p50, p90 } }, NOW).detail;
    const [soon, later] = ["2026-11-28T15:30:10+01:00", "2026-11-28T16:30:10+01:00"];
    assert.match(detail(soon, later), /^In about 26 min 10 s; half of such forecasts/);
    assert.equal(detail(soon, soon), "In about 26 min 10 s.");
    assert.equal(detail(soon, null), "In about 26 min 10 s; when it ends at the latest is unknown.");
});

test("what keeps it from sending replaces the end", () => {
    const status = (fields) => ({
        state: "transferring", reason: null, stalled: null, limit: null, next_limit: null, ended: null,
        eta: { p50: null, p90: null }, files: { pending: 3 }, bytes: { pending: 4096 }, ...fields,
    });
    const ended = "2026-11-28T15:00:00+01:00";
    for (const [fields, title, detail] of [
        [{}, "Sending", "It is too early to say when it will be done."],
        [{ state: "paused", reason: "by user alice (uid 1000)" }, "Paused by user alice (uid 1000)", "4.0 KiB in 3 files pending."],
        [
            { state: "paused", reason: "by timetable", limit: { set_by: "timetable" }, next_limit: { time: "2026-11-28T18:00:00+01:00" } },
            "Paused by timetable", "Goes on 18:00. 4.0 KiB in 3 files pending.",
        ],
        [
            { stalled: { since: ended, side: "dest", operation: "create", path: "a/b" } },
            "Stalled since 15:00", "Waits for the destination: create, a/b",
        ],
        [
            { stalled: { since: ended, side: null, operation: "checkpoint the database", path: null } },
            "Stalled since 15:00", "Waits: checkpoint the database",
        ],
        [{ state: "finished", ended, files: { pending: 0 } }, "Finished 15:00", "Everything is in sync."],
        [{ state: "finished", ended }, "Finished 15:00, 3 files not in sync", "The same command tries them again."],
        [{ state: "stopped", ended, reason: "signal SIGINT" }, "Stopped 15:00 by signal SIGINT", "4.0 KiB in 3 files pending. The same command resumes it."],
        [{ state: "failed", ended, reason: "disk full" }, "Failed 15:00", "disk full; 4.0 KiB in 3 files pending."],
        [{ state: "scanning" }, "Starting", ""],
    ]) {
        const found = of.headline(status(fields), NOW);
        assert.deepEqual([found.title, found.detail], [title, detail]);
    }
});

test("lines of the chart are round, and few", () => {
    // Of another realm: compared as text.
    const text = (value) => JSON.stringify(value);
    assert.equal(text(of.ticks(21 * 2 ** 20, 4, 1024)), text([0, 10, 20].map((value) => value * 2 ** 20)));
    assert.equal(text(of.ticks(0.8, 2, 10)), text([0, 0.5]));
    assert.equal(text(of.ticks(1500, 4, 1024)), text([0, 500, 1000, 1500]));
    const from = at("2026-11-28T15:04:00+01:00").getTime() / 1000;
    assert.equal(of.timeTicks(from, from + 3600, 6).map(({ label }) => label).join(), "15:10,15:20,15:30,15:40,15:50,16:00");
    assert.equal(of.timeTicks(from, from + 6 * 86400, 7).map(({ label }) => label).join(), "29 Nov,30 Nov,1 Dec,2 Dec,3 Dec,4 Dec");
    assert.equal(of.timeTicks(from, from + 30, 6).length, 1, "a short time has its beginning");
    assert.equal(text(of.stretches([null, 1, 0, null, 5])), text([{ begin: 1, end: 3 }, { begin: 4, end: 5 }]));
});
