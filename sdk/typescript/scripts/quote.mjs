// Puts the files that docs/clients.md quotes into it, each between its marker and the end of its block:
//
//   npm run quote

import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(fileURLToPath(new URL(".", import.meta.url)), "../../..");

/** The document that quotes. */
export const file = resolve(root, "docs/clients.md");

/** The document with each quoted file as it is now. */
export function quote(document) {
    const block = /(<!-- (examples\/\S+) -->\n```\w+\n)(?:[\s\S]*?\n)??```\n/g;
    return document.replace(block, (_, start, path) => {
        return `${start}${readFileSync(resolve(root, path), "utf8")}\`\`\`\n`;
    });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    writeFileSync(file, quote(readFileSync(file, "utf8")));
}
