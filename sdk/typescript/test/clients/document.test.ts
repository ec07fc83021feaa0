import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { file, quote } from "../../scripts/quote.mjs";
import { reactionTo } from "../../src/index.js";

const document = readFileSync(file, "utf8");
const examples = resolve(import.meta.dirname, "../../../../examples/clients");

test("the document quotes each client as it is (else: npm run quote)", () => {
    expect(document).toBe(quote(document));
    const quoted = [...document.matchAll(/<!-- examples\/clients\/(\S+) -->/g)].map(([, name]) => name);
    const clients = readdirSync(examples).filter(name => /^client\./i.test(name));
    expect(quoted.sort()).toEqual(clients.sort());
});

test("its table of close codes is the one that the SDK goes by", () => {
    const rows = [...document.matchAll(/^\| ([\d, ]+) \| .* \| (.*) \|$/gm)].flatMap(([, codes, what]) =>
        (codes ?? "").split(", ").map(code => ({ code: Number(code), what: what ?? "" })),
    );
    const words = {
        "at-once": /^at once/,
        "back-off": /^back off/,
        "refresh-token": /^refresh/,
        never: /^do not/,
    };
    expect(rows.length).toBe(15);
    for (const { code, what } of rows) {
        expect(what, `${code}`).toMatch(words[reactionTo(code)]);
    }
});
