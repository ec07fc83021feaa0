// The types of the REST routes, from the hub's own OpenAPI document:
//
//   npm run generate        writes src/rest/openapi.ts (with target/debug/roomcast, or ROOMCAST_PROGRAM)

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import openapiTS, { astToString } from "openapi-typescript";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = resolve(here, "../../..");

/** The hub's program: built by cargo before. */
export const program =
    process.env.ROOMCAST_PROGRAM ??
    join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), "debug/roomcast");

/** Where the types are kept. */
export const file = resolve(here, "../src/rest/openapi.ts");

/** The document of the program. */
export function readDocument() {
    return JSON.parse(execFileSync(program, ["openapi"], { encoding: "utf8", maxBuffer: 1 << 26 }));
}

/** The types of a document. */
export async function generate(document) {
    const ast = await openapiTS(document, { exportType: true, emptyObjectsUnknown: true });
    return `// Made by \`npm run generate\` from \`roomcast openapi\`: not to be edited.\n\n${astToString(ast)}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    writeFileSync(file, await generate(readDocument()));
}
