// The page at `/`, of a real run, in Chromium.
//
//     npm ci --prefix tests/page && npm test --prefix tests/page
//
// TOWPATH is the program, CHROMIUM the browser.

import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { BIDI, Bench, MARKUP, freePort, hasText, launch, open } from "./bench.js";

const SLOW = ["--bwlimit", "256K"];
const TOKEN = "0123456789abcdef0123456789abcdef";

let browser;
let bench;

before(async () => {
    browser = await launch();
    bench = new Bench();
    bench.fill();
    await bench.start(await freePort(), ...SLOW);
});

after(async () => {
    await bench?.remove();
    await browser?.close();
});

async function openLive(context) {
    const opened = await open(browser, bench.url, context);
    await hasText(opened.page, "#connection", "live");
    await hasText(opened.page, "#current", "films/");
    await hasText(opened.page, "#errors", "failing/");
    return opened;
}

for (const [width, height] of [[390, 844], [1280, 900]]) {
    for (const colorScheme of ["light", "dark"]) {
        test(`it is readable at ${width} pixels, ${colorScheme}`, async () => {
            const { page, problems, close } = await openLive({ viewport: { width, height }, colorScheme });
            await page.locator("#chart path.rate").first().waitFor();
            const widths = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
            assert.ok(widths[0] <= widths[1], `it scrolls sideways: ${widths}`);
            assert.deepEqual(await page.evaluate(faint), [], "too little contrast");
            const isDark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor !== "rgb(255, 255, 255)");
            assert.equal(isDark, colorScheme === "dark");
            assert.deepEqual(problems, []);
            await close();
        });
    }
}

// Texts with a contrast of less than 4.5 to the page. Runs in the page.
function faint() {
    const colorOf = (text) => text.match(/[\d.]+/g).slice(0, 3).map((value) => value / 255);
    const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    const luminance = (text) => colorOf(text).map(linear).reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
    const back = luminance(getComputedStyle(document.body).backgroundColor);
    const contrast = (text) => {
        const [low, high] = [luminance(text), back].sort((one, other) => one - other);
        return (high + 0.05) / (low + 0.05);
    };
    const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    const shown = [...document.body.querySelectorAll("*")].filter((element) => hasText(element) && element.checkVisibility());
    const colored = (element) => (element instanceof SVGElement ? getComputedStyle(element).fill : getComputedStyle(element).color);
    return shown.filter((element) => contrast(colored(element)) < 4.5).map((element) => `${element.tagName} ${element.textContent}`);
}

test("names are text, and none shows as another one", async () => {
    const { page, problems, close } = await openLive();
    for (const table of ["#current", "#errors"]) {
        const text = await page.locator(table).innerText();
        assert.ok(text.includes(MARKUP), text);
        assert.ok(text.includes("photo-\\u{202e}gpj.exe") && !text.includes("\u202e"), text);
        const isolated = await page.locator(`${table} bdi`).first().evaluate((name) => getComputedStyle(name).unicodeBidi);
        assert.match(isolated, /isolate/);
    }
    assert.equal(await page.locator("img, script:not(body > script), iframe").count(), 0);
    assert.match(await page.title(), /Towpath$/);
    assert.deepEqual(problems, []);
    // The policy would stop even a bug.
    const stopped = await page.evaluate(() => {
        try {
            document.body.innerHTML = "<img src=x>";
            return "";
        } catch (error) {
            return error.name;
        }
    });
    assert.equal(stopped, "TypeError");
    assert.ok(BIDI.includes("\u202e"));
    await close();
});

test("it shows the figures of the run", async () => {
    const { page, close } = await openLive();
    assert.match(await page.locator("#headline").innerText(), /^(Done |Sending)/);
    assert.match(await page.locator("#in-sync").innerText(), /% in sync: .* of 64\.0 MiB, 50 of 53 files/);
    assert.equal(await page.locator("#limit").innerText(), "256.0 KiB/s");
    assert.equal(await page.locator("#failed").innerText(), "1");
    await hasText(page, "#causes", "The limit");
    assert.equal(await page.locator("#runs tr").count(), 1);
    bench.ctl("pause");
    await hasText(page, "#headline", "Paused by user");
    bench.ctl("limit", "300K", "--for", "2h");
    bench.ctl("resume");
    await hasText(page, "#limit", "300.0 KiB/s");
    await hasText(page, "#limit-source", "set while it runs, until");
    bench.ctl("limit", "--reset");
    await hasText(page, "#limit", "256.0 KiB/s");
    await close();
});

test("long names, large numbers and many rows fit", async () => {
    const { page, close } = await openLive({ viewport: { width: 390, height: 844 } });
    const answer = await page.evaluate(async () => (await fetch("/v1/status")).json());
    const path = `films/${"w".repeat(2000)}/${"two words ".repeat(200)}`;
    const [now, later] = [Date.now(), Date.now() + 400 * 86400e3].map((time) => new Date(time).toISOString());
    Object.assign(answer, {
        source: `/mnt/${"o".repeat(300)}`,
        reason: "x".repeat(500),
        files: { total: 12e9, synced: 1e9, pending: 11e9, failed: 1e9 },
        bytes: { total: 3e19, synced: 1e18, pending: 2.9e19, failed: null },
        stalled: { side: "dest", operation: "create", path, since: now },
        current: Array.from({ length: 64 }, () => ({ path, size: 1e15, written: 1e14, rate_bytes_per_s: 1e9, age_s: 1e6, eta: later })),
        more_current: 1000,
        errors: Array.from({ length: 20 }, () => ({ kind: "permission-denied", side: "source", count: 1e9, path, error: `open ${path}` })),
        runs: Array.from({ length: 20 }, () => ({ ...answer.runs[0], outcome: "failed", error: path })),
    });
    await page.route("**/v1/events*", (route) => route.fulfill({ contentType: "text/event-stream", body: `event: status\ndata: ${JSON.stringify(answer)}\n\n` }));
    await page.reload();
    await hasText(page, "#headline", "Stalled since");
    assert.equal(await page.locator("#current tr").count(), 64);
    await hasText(page, "#current-more", "and 1,000 others");
    const widths = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    assert.ok(widths[0] <= widths[1], `it scrolls sideways: ${widths}`);
    const scrolls = await page.locator("#current-scroll").evaluate((table) => table.scrollWidth > table.clientWidth);
    assert.ok(scrolls, "the table scrolls in itself");
    // The stream has ended without an `end`.
    await hasText(page, "#connection", "connection lost since");
    await close();
});

test("the keyboard reaches everything, in order", async () => {
    const { page, close } = await openLive();
    const reached = [];
    for (let presses = 0; presses < 5; presses += 1) {
        await page.keyboard.press("Tab");
        const focused = await page.evaluate(() => {
            const { id, name, parentElement } = document.activeElement;
            const marked = name ? parentElement.querySelector("span") : document.activeElement;
            return { what: id || name, outline: getComputedStyle(marked).outlineStyle };
        });
        assert.equal(focused.outline, "solid", `${focused.what} shows that it has the focus`);
        reached.push(focused.what);
    }
    assert.deepEqual(reached, ["window", "chart", "current-scroll", "errors-scroll", "runs-scroll"]);
    await page.locator("input[value='1h']").focus();
    const asked = page.waitForRequest((request) => request.url().endsWith("/v1/history?window=1d"));
    await page.keyboard.press("ArrowRight");
    await asked;
    await page.locator("#chart").focus();
    await page.keyboard.press("End");
    await hasText(page, "#readout", / · limit 2\d\d\.\d KiB\/s/);
    await page.keyboard.press("Escape");
    await hasText(page, "#readout", "on average");
    await close();
});

test("nothing moves for who asks for that, and without scripts there is a note", async () => {
    const still = await openLive({ reducedMotion: "reduce" });
    const moving = await still.page.evaluate(() =>
        [...document.querySelectorAll("*")].filter((element) => {
            const style = getComputedStyle(element);
            return style.animationName !== "none" || parseFloat(style.transitionDuration) > 0;
        }).length);
    assert.equal(moving, 0);
    await still.close();
    const plain = await open(browser, bench.url, { javaScriptEnabled: false });
    await hasText(plain.page, ".note", "needs JavaScript");
    await plain.close();
});

test("it says when the connection is lost, and connects again", async () => {
    const lost = new Bench();
    lost.fill();
    const port = await freePort();
    const { page, problems, close } = await open(browser, await lost.start(port, ...SLOW));
    await hasText(page, "#connection", "live");
    await lost.kill();
    await hasText(page, "#connection", /connection lost since \d\d:\d\d:\d\d/);
    assert.notEqual(await page.locator("#headline").innerText(), "", "the last figures stay");
    await lost.start(port, ...SLOW);
    await hasText(page, "#connection", "live");
    await hasText(page, "#runs tr:nth-child(2)", "killed");
    // Known only once it sends.
    await hasText(page, "#current", "films/");
    lost.ctl("stop");
    await hasText(page, "#connection", "the run has ended");
    await hasText(page, "#headline", /^Stopped \d\d:\d\d by user/);
    await hasText(page, "#detail", "The same command resumes it.");
    assert.deepEqual(problems, []);
    await close();
    await lost.remove();
});

test("where others can connect, it asks for the token and keeps it out of the address", async () => {
    const guarded = new Bench();
    guarded.fill();
    const file = join(guarded.folder, "token");
    writeFileSync(file, TOKEN);
    chmodSync(file, 0o600);
    const port = await freePort();
    const url = await guarded.start(port, ...SLOW, "--listen", `0.0.0.0:${port}`, "--listen-token-file", file);
    const asked = await open(browser, url);
    await hasText(asked.page, "#access", "This run asks for its token");
    assert.equal(await asked.page.evaluate(() => document.activeElement.id), "token");
    await asked.page.keyboard.type("wrong");
    await asked.page.keyboard.press("Enter");
    await hasText(asked.page, "#access-reason", "The token was not accepted.");
    await asked.page.keyboard.type(TOKEN);
    await asked.page.keyboard.press("Enter");
    await hasText(asked.page, "#connection", "live");
    await asked.page.reload();
    await hasText(asked.page, "#connection", "live");
    await asked.page.locator("#chart path.rate").first().waitFor();
    assert.equal(await asked.page.locator("#access").isVisible(), false);
    const linked = await open(browser, `${url}#token=${TOKEN}`);
    await hasText(linked.page, "#connection", "live");
    assert.equal(linked.page.url(), url);
    assert.deepEqual([...asked.problems, ...linked.problems], []);
    await asked.close();
    await linked.close();
    await guarded.remove();
});
