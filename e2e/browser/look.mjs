// Looks at pages in a real Chromium: node look.mjs JOB, where JOB is a JSON file
// {"chromium": PATH, "modules": DIR, "shots": DIR, "scenes": [{"name", "url", "has": [TEXT...]}],
// "pictures": [{"name", "url", "width", "height", "scheme"}], "poor": URL, "door": {"url", "token", "has", "client", "forger"}}.
// Each scene is opened at two widths, light and dark, with scripts and without.
// One line for each look: "ok NAME" or "FAIL NAME: why". Exit code 1 if any failed.
import { createRequire } from "node:module";
import { readFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";

const job = JSON.parse(readFileSync(process.argv[2], "utf8"));
const require = createRequire(join(job.modules, "x.js"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
mkdirSync(job.shots, { recursive: true });

const browser = await chromium.launch({ executablePath: job.chromium, args: ["--no-sandbox", "--disable-gpu"] });
let failed = 0;

function tell(name, complaints) {
	console.log(complaints.length ? `FAIL ${name}: ${complaints.join("; ")}` : `ok ${name}`);
	if (complaints.length) failed = 1;
}

// open opens a scene and gives the page, with what went wrong on it so far.
async function open(scene, options) {
	const context = await browser.newContext({ deviceScaleFactor: 1, ...options });
	const page = await context.newPage();
	page.setDefaultTimeout(30000);
	const complaints = [];
	page.on("console", (m) => {
		if (m.type() === "error" && !/status of 4/.test(m.text())) complaints.push("console: " + m.text());
	});
	page.on("pageerror", (e) => complaints.push("script: " + e.message));
	page.on("dialog", (d) => {
		complaints.push("dialog: " + d.message());
		d.dismiss();
	});
	page.on("request", (r) => {
		const origin = new URL(r.url()).origin;
		if (origin !== new URL(scene.url).origin && origin !== scene.forger) complaints.push("fetched " + r.url());
	});
	await page.goto(scene.url, { waitUntil: "load" });
	return { context, page, complaints };
}

// shot takes a picture for people to look at. That a busy machine has none is no fault
// of the page.
async function shot(page, name) {
	await page.screenshot({ path: join(job.shots, name), fullPage: true }).catch((e) => console.error("no picture " + name + ": " + e.message.split("\n")[0]));
}

async function missing(page, scene) {
	const text = (await page.locator("body").innerText()).replace(/\s+/g, " ");
	return scene.has.filter((want) => !text.includes(want)).map((want) => `does not say "${want}"`);
}

// examine gives what there is to complain of.
async function examine(scene, width, colorScheme) {
	const { context, page, complaints } = await open(scene, { viewport: { width, height: 900 }, colorScheme });
	complaints.push(...(await missing(page, scene)));
	const seen = await page.evaluate(() => {
		const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
		const out = [];
		if (wide > 0) {
			for (const e of document.querySelectorAll("body *")) {
				const box = e.getBoundingClientRect();
				if (box.right > document.documentElement.clientWidth + 1 && box.width > 0) out.push(e.tagName + "." + e.className + " " + Math.round(box.right));
			}
		}
		return { wide, out: out.slice(0, 5), title: document.title, back: getComputedStyle(document.body).backgroundColor };
	});
	if (seen.wide > 0) complaints.push(`wider than the window by ${seen.wide}: ${seen.out.join(", ")}`);
	if (!seen.title.endsWith("mailprofiled")) complaints.push("the title is " + seen.title);
	const dark = seen.back.match(/\d+/g).slice(0, 3).every((n) => Number(n) < 64);
	if (dark !== (colorScheme === "dark")) complaints.push("the background is " + seen.back);
	await page.evaluate(axe);
	const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
	for (const v of found.violations) complaints.push(`axe ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200)).join(" | ")}`);
	await shot(page, `${scene.name}-${width}-${colorScheme}.png`);
	await context.close();
	return complaints;
}

async function look(scene, width, colorScheme) {
	tell(`${scene.name}-${width}-${colorScheme}`, await examine(scene, width, colorScheme));
}

// picture takes one for the README: what a window of that size shows.
async function picture(p) {
	const { context, page } = await open(p, { viewport: { width: p.width, height: p.height }, colorScheme: p.scheme });
	await page.screenshot({ path: join(job.shots, p.name + ".png") });
	await context.close();
}

// mind makes sure that a poor page is complained of: a look that sees nothing is none.
async function mind(url) {
	const seen = await examine({ name: "poor", url, has: ["not there"] }, 360, "dark");
	const kinds = ["does not say", "fetched", "wider than", "the title is", "the background is", "axe label", "axe color-contrast"];
	tell("poor", kinds.filter((kind) => !seen.some((c) => c.startsWith(kind))).map((kind) => "nobody complained: " + kind));
}

async function plain(scene) {
	const { context, page, complaints } = await open(scene, { viewport: { width: 1400, height: 900 }, javaScriptEnabled: false });
	complaints.push(...(await missing(page, scene)));
	tell(scene.name + "-without-scripts", complaints);
	await context.close();
}

// enter logs in as a person does, with a wrong token first, and out again.
async function enter(door) {
	const { context, page, complaints } = await open(door, { viewport: { width: 360, height: 800 }, javaScriptEnabled: false });
	await page.getByLabel("Token").fill("wrong");
	await page.getByRole("button", { name: "Look" }).click();
	if (!(await page.getByText("That is not the token.").isVisible())) complaints.push("a wrong token is not told");
	await shot(page, "door-wrong.png");
	await page.getByLabel("Token").fill(door.token);
	await page.getByRole("button", { name: "Look" }).click();
	await page.getByRole("heading", { name: "Health" }).waitFor();
	complaints.push(...(await missing(page, door)));
	await page.reload();
	if (!(await page.getByRole("heading", { name: "Health" }).isVisible())) complaints.push("a reload asks again");
	await tail(context, page, door, complaints);
	await act(page, door, complaints);
	await page.getByRole("button", { name: "Log out" }).click();
	await page.getByLabel("Token").waitFor();
	await page.goto(door.url + "act/");
	if (!(await page.getByLabel("Token").isVisible())) complaints.push("after logging out there are actions");
	await page.goto(door.url);
	if (!(await page.getByLabel("Token").isVisible())) complaints.push("after logging out the page is read");
	tell("door", complaints);
	await context.close();
}

// tail sees a verdict come in while the page is still being read.
async function tail(context, page, door, complaints) {
	await page.goto(door.url + "tail", { waitUntil: "commit" });
	await page.getByRole("heading", { name: "Verdicts as they are given" }).waitFor();
	const mail = await context.newPage();
	await mail.goto(door.forger + "/mail"); // one is sent
	await mail.close();
	await page.getByText("rdns-missing").first().waitFor();
	if (!(await page.getByText("mail.bad.example").first().isVisible())) complaints.push("a verdict without its HELO");
	await shot(page, "tail-door.png");
}

// act lets a server in, by the form; what another site sends changes nothing, though
// the browser is logged in.
async function act(page, door, complaints) {
	await page.goto(door.forger);
	await page.getByRole("button", { name: "Win" }).click();
	if (!(await page.getByText("sent by another site").isVisible())) complaints.push("another site's form: " + (await page.content()));
	await page.goto(door.url);
	await page.getByRole("link", { name: "Actions", exact: true }).click();
	await page.getByLabel("Client's address", { exact: true }).fill(door.client);
	await page.locator("#allow-reason").fill("ticket 4711");
	await page.getByRole("button", { name: "Allow" }).click();
	if (!(await page.getByRole("status").getByText("Allowed until").isVisible())) complaints.push("not allowed: " + (await page.locator("body").innerText()));
	await page.getByLabel("Client's address", { exact: true }).fill("not an address");
	await page.locator("#allow-reason").fill("x");
	await page.getByRole("button", { name: "Allow" }).click();
	if (!(await page.getByRole("alert").getByText("is no address").isVisible())) complaints.push("nonsense is not told");
	await shot(page, "act-door.png");
}

try {
	for (const scene of job.scenes) {
		for (const width of [360, 1400]) for (const scheme of ["light", "dark"]) await look(scene, width, scheme);
		await plain(scene);
	}
	for (const p of job.pictures) await picture(p);
	await mind(job.poor);
	await enter(job.door);
} catch (e) {
	tell("the browser", [e.stack]);
} finally {
	await browser.close();
}
process.exit(failed);
