// Takes docs/page.png: the page of a real run of some minutes. docs/page-picture.sh starts it, with /mnt to itself.
//
//     node picture.js PICTURE [SECONDS]

import { linkSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Bench, freePort, hasText, launch, open } from "./bench.js";

const [picture, seconds = "240"] = process.argv.slice(2);
const MIB = 1 << 20;
const OPTIONS = ["--lanes", "6", "--hard-links", "copy"];

const bench = new Bench();
bench.source = "/mnt/old";
bench.dest = "/mnt/new";
bench.folder = "/mnt";

// Many names of few files, as only what is sent takes space.
function addFiles(folder, extension, number, bytes) {
    const [dir, store] = [join(bench.source, folder), join("/mnt", `store-${bytes}`)];
    mkdirSync(dir, { recursive: true });
    writeFileSync(store, Buffer.alloc(bytes, "towpath"));
    for (let index = 1; index <= number; index += 1) linkSync(store, join(dir, `${String(index).padStart(5, "0")}.${extension}`));
}

addFiles("archive/2024", "tar", 260, 96 * MIB);
addFiles("films/masters", "mov", 90, 48 * MIB);
addFiles("mail", "eml", 4000, 24 * 1024);
addFiles("photos/2025/raw", "dng", 600, 8 * MIB);
mkdirSync(join(bench.dest, "archive/2024/00005.tar/unpacked"), { recursive: true });

const browser = await launch();
try {
    const port = await freePort();
    // Two runs before: one is stopped.
    for (const stop of [12, 8]) {
        await bench.start(port, "--bwlimit", "5M", ...OPTIONS);
        await sleep(stop * 1000);
        bench.ctl("stop");
        await bench.ended;
    }
    await bench.start(port, "--bwlimit", "4M", ...OPTIONS);
    const { page } = await open(browser, bench.url, { viewport: { width: 1280, height: 860 }, deviceScaleFactor: 1 });
    await hasText(page, "#connection", "live");
    await sleep(Number(seconds) * 250);
    bench.ctl("limit", "2M");
    await sleep(Number(seconds) * 250);
    bench.ctl("limit", "--reset");
    await sleep(Number(seconds) * 500);
    // Without the paths below.
    const { y } = await page.locator("#footer").boundingBox();
    await page.screenshot({ path: picture, fullPage: true, clip: { x: 0, y: 0, width: 1280, height: Math.round(y) - 4 } });
    for (const [name, width, colorScheme] of [["390-light", 390, "light"], ["390-dark", 390, "dark"], ["1280-light", 1280, "light"], ["1280-dark", 1280, "dark"]]) {
        if (!process.env.ALL) continue;
        const other = await open(browser, bench.url, { viewport: { width, height: 900 }, colorScheme, deviceScaleFactor: width === 390 ? 2 : 1 });
        await hasText(other.page, "#connection", "live");
        await other.page.locator("#chart path.rate").first().waitFor();
        await other.page.screenshot({ path: picture.replace(/\.png$/, `-${name}.png`), fullPage: true });
        await other.close();
    }
} finally {
    await browser.close();
    await bench.kill("SIGTERM");
}
