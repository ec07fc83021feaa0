import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const HUB = process.env.HUB ?? "http://127.0.0.1:3000";

/** What does not shrink stays as it is. */
const COMPRESSED = new Set([".html", ".js", ".css", ".svg", ".webmanifest"]);

/** Leaves each file's compressed forms beside it, as src/web.rs serves them. */
function compressed(): Plugin {
    let folder = "";
    return {
        name: "compressed",
        apply: "build",
        configResolved(config) {
            folder = config.build.outDir;
        },
        async closeBundle() {
            const files = await readdir(folder, { recursive: true });
            const texts = files.filter(file => COMPRESSED.has(extname(file)));
            await Promise.all(texts.map(file => compress(join(folder, file))));
        },
    };
}

async function compress(file: string): Promise<void> {
    const bytes = await readFile(file);
    const params = {
        [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    };
    const forms = {
        br: await promisify(brotliCompress)(bytes, { params }),
        gz: await promisify(gzip)(bytes, { level: 9 }),
    };
    for (const [ending, form] of Object.entries(forms)) {
        if (form.length < bytes.length) {
            await writeFile(`${file}.${ending}`, form);
        }
    }
}

/** Empties the folder but for the file that keeps it in git: the hub's build looks into it, built or not. */
function emptied(): Plugin {
    return {
        name: "emptied",
        apply: "build",
        async buildStart() {
            for (const entry of await readdir("dist").catch(() => [])) {
                if (!entry.startsWith(".")) {
                    await rm(join("dist", entry), { recursive: true });
                }
            }
        },
    };
}

export default defineConfig({
    plugins: [react(), emptied(), compressed()],
    build: {
        // The charts are loaded when they are needed.
        chunkSizeWarningLimit: 700,
        target: "es2022",
        emptyOutDir: false,
        // Everything is a file of its own: nothing may stand inside the page.
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
    },
    server: {
        proxy: {
            "/api": HUB,
            "/docs": HUB,
            "/ws": { target: HUB, ws: true },
        },
    },
});
