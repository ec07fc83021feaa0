import type { Browser, BrowserContextOptions } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { launch, Person } from "./browser";
import { Hub, pageIsBuilt } from "./hub";

/** What the tests of a file share: a hub and a browser. */
export interface Stage {
    readonly hub: Hub;
    /** Opens somebody's browser. At the end of the test nothing must have gone wrong in it. */
    person(options?: BrowserContextOptions): Promise<Person>;
}

/** Sets the stage for a file. */
export function stage(settings: Record<string, string> = {}): Stage {
    let hub: Hub | null = null;
    let browser: Browser | null = null;
    let people: Person[] = [];

    beforeAll(async () => {
        expect(await pageIsBuilt(), "the page is to be built first: scripts/page").toBe(true);
        [hub, browser] = await Promise.all([Hub.start(settings), launch()]);
    });
    afterEach(async () => {
        const before = people;
        people = [];
        for (const person of before) {
            await person.context.close();
        }
        expect(before.flatMap(person => person.faults)).toEqual([]);
    });
    afterAll(async () => {
        await browser?.close();
        await hub?.stop();
    });
    return {
        get hub(): Hub {
            if (hub === null) {
                throw new Error("The hub runs while there are tests");
            }
            return hub;
        },
        async person(options) {
            if (browser === null) {
                throw new Error("The browser is open while there are tests");
            }
            const person = await Person.open(browser, this.hub.url, options);
            people.push(person);
            return person;
        },
    };
}
