// A run of towpath between two small trees, and a browser.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const HERE = dirname(fileURLToPath(import.meta.url));
export const TOWPATH = process.env.TOWPATH ?? join(HERE, "../../target/debug/towpath");
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** What a name could inject, were it taken for markup; and one that would show as `photo-exe.jpg`. */
export const MARKUP = "<img src=x onerror=document.title='injected'>";
export const BIDI = "photo-\u202egpj.exe";

export async function launch() {
    return chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
}

export async function freePort() {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address();
    server.close();
    await once(server, "close");
    return port;
}

/** Two trees in a folder of their own, which is removed at the end. */
export class Bench {
    constructor() {
        this.folder = mkdtempSync(join(tmpdir(), "towpath-page-"));
        this.source = join(this.folder, "old");
        this.dest = join(this.folder, "new");
        this.run = null;
    }

    write(path, content) {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, content);
    }

    /** Hostile names: files that take long, and files that fail, as a folder is in their place. */
    fill() {
        for (const name of [MARKUP, BIDI]) this.write(join(this.source, "films", name), Buffer.alloc(32 << 20, "x"));
        this.write(join(this.source, "failing", MARKUP, BIDI), "data");
        this.write(join(this.dest, "failing", MARKUP, BIDI, "kept"), "data");
        for (let number = 0; number < 50; number += 1) this.write(join(this.source, "small", `${number}`), "data");
    }

    async start(port, ...options) {
        const listen = options.includes("--listen") ? [] : ["--listen", `127.0.0.1:${port}`];
        const files = ["--database", join(this.folder, "a.db"), "--log-file", join(this.folder, "a.log")];
        const args = ["sync", this.source, this.dest, ...files, ...listen, ...options];
        this.run = spawn(TOWPATH, args, { stdio: ["ignore", "pipe", "inherit"] });
        this.ended = once(this.run, "exit");
        let printed = "";
        for await (const text of this.run.stdout) {
            printed += text;
            if (/control +http/.test(printed)) break;
        }
        if (!/control +http/.test(printed)) throw new Error(`the run does not listen: ${printed}`);
        this.url = `http://127.0.0.1:${port}/`;
        return this.url;
    }

    ctl(...words) {
        const done = spawnSync(TOWPATH, ["ctl", ...words, "--database", join(this.folder, "a.db")], { encoding: "utf8" });
        if (done.status !== 0) throw new Error(`ctl ${words.join(" ")}: ${done.stderr}`);
    }

    async kill(signal = "SIGKILL") {
        this.run?.kill(signal);
        if (this.run) await this.ended;
        this.run = null;
    }

    async remove() {
        await this.kill();
        rmSync(this.folder, { recursive: true, force: true });
    }
}

/** Opens a page, and collects everything that a page must not have: errors, violations of its policy, dialogs. */
export async function open(browser, url, context = {}) {
    const made = await browser.newContext(context);
    const page = await made.newPage();
    const problems = [];
    page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
    page.on("dialog", (dialog) => problems.push(`dialog: ${dialog.message()}`));
    page.on("console", (message) => {
        // The browser reports answers such as 401, and connections that fail.
        const isNetwork = message.text().startsWith("Failed to load resource");
        if (["error", "warning"].includes(message.type()) && !isNetwork) problems.push(`console: ${message.text()}`);
    });
    page.on("request", (request) => {
        if (!request.url().startsWith(new URL(url).origin) && !request.url().startsWith("data:")) problems.push(`asks ${request.url()}`);
    });
    await page.goto(url);
    return { page, problems, close: () => made.close() };
}

/** Waits until an element has a text. */
export async function hasText(page, selector, text) {
    await page.locator(selector).filter({ hasText: text }).first().waitFor({ state: "visible", timeout: 30_000 });
}
