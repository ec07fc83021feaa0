/**
 * The hub's address without a slash at the end; without one the page's own. `URL` is left alone: React Native's is
 * not whole.
 */
export function baseOf(url: string | { toString(): string } | undefined): string {
    const page = (globalThis as { location?: { origin?: string } }).location?.origin;
    const base = (url ?? page ?? "").toString().replace(/^ws/, "http").replace(/\/+$/, "");
    if (!/^https?:\/\/[^/]/.test(base)) {
        throw new TypeError(
            `The hub's address has to begin with http:// or https://, not ${JSON.stringify(base)}`,
        );
    }
    return base;
}
