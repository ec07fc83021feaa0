/** The token of an invite link, which stands behind the `#`, so that no server sees it. */
export function tokenOf(link: string): string {
    return link.slice(link.lastIndexOf("#") + 1).trim();
}

/**
 * Takes the token out of the address bar. There it would be seen on shared screens, and kept in the history and what is
 * synchronised of it.
 */
export function hideToken({ location, history }: Pick<Window, "location" | "history">): void {
    if (location.hash !== "") {
        history.replaceState(history.state, "", location.pathname + location.search);
    }
}
