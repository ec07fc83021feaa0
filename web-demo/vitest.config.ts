import { defineConfig } from "vitest/config";

export default defineConfig({
    test: {
        projects: [
            { test: { name: "unit", include: ["src/**/*.test.ts"] } },
            {
                test: {
                    name: "browser",
                    include: ["tests/browser/**/*.test.ts"],
                    // One browser at a time is enough for two cores.
                    fileParallelism: false,
                    testTimeout: 90_000,
                    hookTimeout: 60_000,
                },
            },
            // Not tests: what scripts/screenshots and scripts/figures run, with the tests' hub and browser.
            { test: { name: "screenshots", include: ["tests/browser/screenshots.ts"], testTimeout: 90_000 } },
            { test: { name: "figures", include: ["tests/browser/figures.ts"], testTimeout: 180_000 } },
        ],
    },
});
