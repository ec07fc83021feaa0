// How the clients in examples/clients keep their tokens. They are programs, so that the function is taken out of each.
import { spawnSync } from "node:child_process";
import {
    mkdtempSync,
    readdirSync,
    readFileSync,
    rmSync,
    statSync,
    symlinkSync,
    writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const examples = resolve(import.meta.dirname, "../../../../examples/clients");

let folder: string;
let file: string;

beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "roomcast-save-"));
    file = join(folder, "tokens.json");
});

afterEach(() => rmSync(folder, { recursive: true }));

function quoted(name: string, pattern: RegExp): string {
    const [text] = pattern.exec(readFileSync(join(examples, name), "utf8")) ?? [];
    if (text === undefined) {
        throw new Error(`${name} has no save`);
    }
    return text;
}

const programs: Record<string, () => [string, string[]]> = {
    "client.mjs": () => {
        const imports = quoted("client.mjs", /^import .* from "node:fs";$/m);
        const save = quoted("client.mjs", /^function save[\s\S]*?^}$/m);
        const code = `${imports}\n${save}\nsave(process.argv[1], { accessToken: "a" });`;
        return [process.execPath, ["--input-type=module", "--eval", code, "--"]];
    },
    "client.py": () => {
        const save = quoted("client.py", /^def save[\s\S]*?(?=^\S)(?!def)/m);
        const code = `import json, os, sys\nfrom pathlib import Path\n${save}\nsave(Path(sys.argv[1]), {"accessToken": "a"})`;
        return [process.env.ROOMCAST_PYTHON ?? "python3", ["-c", code]];
    },
};

describe.each(Object.keys(programs))("what %s saves", name => {
    function save(): void {
        const [program, args] = programs[name]?.() ?? ["", []];
        const { status, stderr } = spawnSync(program, [...args, file], { encoding: "utf8" });
        expect(status, stderr).toBe(0);
        expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ accessToken: "a" });
        expect(readdirSync(folder)).not.toContain("tokens.json.new");
    }

    test("is for its owner alone, also where a crash left what others may read", () => {
        save();
        expect(statSync(file).mode & 0o777).toBe(0o600);
        writeFileSync(`${file}.new`, "{", { mode: 0o644 });
        save();
        expect(statSync(file).mode & 0o777).toBe(0o600);
    });

    test("does not go where somebody's link leads", () => {
        const elsewhere = join(folder, "elsewhere");
        writeFileSync(elsewhere, "theirs");
        symlinkSync(elsewhere, `${file}.new`);
        save();
        expect(readFileSync(elsewhere, "utf8")).toBe("theirs");
    });
});
