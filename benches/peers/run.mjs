// Measures public servers and Roomcast with one generator, `roomcast load`: the server on the first CPU, the generator on
// the last. Called by scripts/bench-peers, which installs what it needs; PEERS picks some of them. What was found is
// kept in target/peers/results.json, so that the table at the end has what earlier calls measured, too.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { cpus, release, tmpdir } from "node:os";
import { join, resolve } from "node:path";

const { ROOMCAST: roomcast, BARE: bare, DEBS: debs, OUT: out, COMMIT: commit } = process.env;
const here = import.meta.dirname ?? resolve("benches/peers");
const SECONDS = Number(process.env.SECONDS ?? 5);
/** No run takes longer: something is wrong then. */
const LONGEST_MS = 120_000;

const byPath = (port) => ["--url", `ws://127.0.0.1:${port}/{room}`, "--publish-url", `http://127.0.0.1:${port}/{room}`];

/** Replaces words of a file of ours, and says where the result is. */
function filled(name, words, folder) {
  const text = Object.entries(words).reduce((text, [word, value]) => text.replaceAll(word, value), readFileSync(join(here, name), "utf8"));
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

const version = (program, ...args) => {
  const { stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
  return `${stdout}${stderr}`.match(/\d+\.\d+(\.\d+)?/)?.[0] ?? "?";
};
const packaged = (name) => JSON.parse(readFileSync(join(here, "node_modules", name, "package.json"))).version;

const servers = {
  bare: { name: () => "bare epoll writer, no logic", command: () => [bare, "bare"], target: byPath, says: true },
  coalescing: { name: () => "the same, coalescing", command: () => [bare, "coalescing"], target: byPath, says: true },
  roomcast: { name: () => "Roomcast, durable (SQLite)" },
  bun: {
    name: () => `Bun ${packaged("bun")} (on uWebSockets)`,
    command: (port) => [join(here, "node_modules/bun/bin/bun.exe"), join(here, "bun.js"), port],
    target: byPath,
  },
  nchan: {
    name: () => `Nchan on nginx ${version(join(debs, "usr/sbin/nginx"), "-v")}, 1 worker`,
    command: (port, folder) => [
      join(debs, "usr/sbin/nginx"), "-p", folder, "-e", "stderr",
      "-c", filled("nginx.conf", { PORT: port, MODULE: join(debs, "usr/lib/nginx/modules/ngx_nchan_module.so") }, folder),
    ],
    target: (port) => ["--url", `ws://127.0.0.1:${port}/sub/{room}`, "--publish-url", `http://127.0.0.1:${port}/pub/{room}`],
    // The worker, not the master.
    measured: (pid) => Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ")[0]),
  },
  ws: {
    name: () => `ws ${packaged("ws")} on Node ${process.versions.node}`,
    command: (port) => [process.execPath, join(here, "ws.mjs"), port],
    target: byPath,
  },
  socketio: {
    name: () => `Socket.IO ${packaged("socket.io")}`,
    command: (port) => [process.execPath, join(here, "socketio.mjs"), port],
    target: (port) => [
      "--url", `ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket&room={room}`,
      "--publish-url", `http://127.0.0.1:${port}/{room}`, "--subscribe-message", "40",
    ],
  },
  nats: {
    name: () => `nats-server ${version(join(debs, "usr/sbin/nats-server"), "--version")}`,
    command: (port, folder) => [join(debs, "usr/sbin/nats-server"), "-c", filled("nats.conf", { PORT: port }, folder)],
    target: (port) => [
      "--url", `ws://127.0.0.1:${port}/`, "--subscribe-message", 'CONNECT {"verbose":false}\r\nSUB room.{room} 1\r\n',
      "--publish-url", `ws://127.0.0.1:${port}/`,
      "--publish-message", 'CONNECT {"verbose":false}\r\nPUB room.{room} {bytes}\r\n{text}\r\n',
    ],
  },
};

/** What is run, and the columns that it gives. */
const scenarios = [
  { arguments: "idle --sockets 18000 --rooms 1000 --duration 3s", figures: ["kib/socket", "cpu/10000-sockets"] },
  { arguments: `room --sockets 10000 --rate 10 --duration ${SECONDS}s`, figures: ["delivered/cpu-s", "p50", "p99"] },
  { arguments: `room --sockets 10000 --closed --callers 16 --duration ${SECONDS}s --patience 60s`, figures: ["delivered/s"] },
  { arguments: `rooms --rooms 1000 --sockets 10000 --closed --duration ${SECONDS}s --patience 60s`, figures: ["delivered/s"] },
];

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** A port that nobody has. */
const freePort = () => new Promise((done) => {
  const probe = createServer().listen(0, "127.0.0.1", () => {
    const { port } = probe.address();
    probe.close(() => done(String(port)));
  });
});

/** Waits until somebody listens there. */
async function listening(port, server) {
  for (let tries = 0; tries < 200; tries++) {
    if (server.exitCode !== null) throw new Error(`it ended with ${server.exitCode}`);
    const open = await new Promise((done) => {
      const socket = connect(Number(port), "127.0.0.1", () => (socket.destroy(), done(true))).on("error", () => done(false));
    });
    if (open) return;
    await pause(50);
  }
  throw new Error("it does not listen");
}

/** A server until `stop`, and how to drive it. */
async function start(peer) {
  if (!peer.command) return { target: ["--spawn"], stop: () => {} };
  const folder = mkdtempSync(join(tmpdir(), "peer-"));
  let port = await freePort();
  const [program, ...args] = peer.command(port, folder);
  // The bare writer ends with its standard input.
  const server = spawn("taskset", ["-c", "0", program, ...args], { cwd: folder, stdio: ["pipe", peer.says ? "pipe" : "ignore", "ignore"] });
  const stop = async () => {
    const ended = new Promise((done) => server.on("exit", done));
    server.stdin.end();
    server.kill();
    if (server.exitCode === null && server.signalCode === null) await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    if (peer.says) port = await new Promise((done) => server.stdout.once("data", (data) => done(String(data).match(/:(\d+)\s*$/)[1])));
    await listening(port, server);
    const pid = peer.measured ? peer.measured(server.pid) : server.pid;
    return { target: ["--adapter", "plain", ...peer.target(port), "--pid", String(pid)], stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The figures of one run, as numbers; what is wrong with it where there are none. */
async function measure(peer, { arguments: what, figures }) {
  const { target, stop } = await start(peer);
  const folder = mkdtempSync(join(tmpdir(), "load-"));
  try {
    const report = join(folder, "report.json");
    execFileSync(roomcast, ["load", ...what.split(" "), ...target, "--pin", "--json", report], {
      cwd: folder, timeout: LONGEST_MS, stdio: ["ignore", "pipe", "pipe"], encoding: "utf8",
    });
    const found = JSON.parse(readFileSync(report, "utf8")).figures;
    return figures.map((figure) => found[figure] ?? null);
  } catch (error) {
    console.error(`  ${what.split(" ")[0]}: ${String(error.stderr || error.message).trim().split("\n").at(-1)}`);
    return figures.map(() => null);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await stop();
  }
}

function shown(value, digits) {
  if (value === null || value === undefined) return "–";
  if (value >= 1e4) return Number(value.toPrecision(3)).toLocaleString("en");
  return value.toFixed(value >= 100 ? 0 : digits);
}

function table(results) {
  const lines = [
    `Roomcast ${commit}, ${cpus().length} CPUs (${cpus()[0].model}), Linux ${release()}`, "",
    "| server | KiB per idle socket (18,000) | CPU s to accept 10,000 | room of 10,000, 10 msg/s: del/cpu-s, p50 / p99 ms | same room, saturated: del/s | 1,000 rooms of 10, saturated: del/s |",
    "| --- | --- | --- | --- | --- | --- |",
  ];
  for (const key of Object.keys(servers).filter((key) => results[key])) {
    const { name, found: [[memory, accept], [perCpu, p50, p99], [saturated], [rooms]] } = results[key];
    const seconds = accept === null ? null : accept / 1000;
    lines.push(`| ${name} | ${shown(memory, 2)} | ${shown(seconds, 2)} | ${shown(perCpu, 0)}, ${shown(p50, 0)} / ${shown(p99, 0)} | ${shown(saturated, 0)} | ${shown(rooms, 0)} |`);
  }
  return `${lines.join("\n")}\n`;
}

mkdirSync(out, { recursive: true });
const kept = join(out, "results.json");
let results = {};
try {
  results = JSON.parse(readFileSync(kept, "utf8"));
} catch {
  // It is the first call.
}
const wanted = process.env.PEERS?.split(" ").filter(Boolean) ?? Object.keys(servers);
for (const key of wanted) {
  const peer = servers[key];
  if (!peer) throw new Error(`there is no ${key}: PEERS is of ${Object.keys(servers).join(" ")}`);
  console.error(peer.name());
  const found = [];
  for (const scenario of scenarios) {
    found.push(await measure(peer, scenario));
    console.error(`  ${scenario.arguments.split(" ").slice(0, 5).join(" ")}: ${scenario.figures.map((figure, at) => `${figure} ${shown(found.at(-1)[at], 2)}`).join(", ")}`);
  }
  results[key] = { name: peer.name(), found };
  writeFileSync(kept, JSON.stringify(results, null, 2));
}
const text = table(results);
writeFileSync(join(out, "peers.md"), text);
process.stdout.write(text);
