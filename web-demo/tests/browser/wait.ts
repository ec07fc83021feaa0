/** Waits until something is so, up to a bound. */
export async function eventually(
    what: string,
    isSo: () => boolean | Promise<boolean>,
    withinMs = 30_000,
): Promise<void> {
    const end = Date.now() + withinMs;
    while (!(await isSo())) {
        if (Date.now() > end) {
            throw new Error(`Waited ${withinMs} ms in vain: ${what}`);
        }
        await new Promise(resolve => setTimeout(resolve, 50));
    }
}
