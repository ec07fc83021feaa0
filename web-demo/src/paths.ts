/** What the page shows, one path each. The hub answers these with the page: src/web.rs has the same list. */
export const paths = {
    signUp: "/sign-up",
    signIn: "/sign-in",
    invite: "/invite",
    live: "/live",
    feed: "/feed",
    members: "/members",
    organisation: "/organisation",
    broadcast: "/broadcast",
    messages: "/messages",
} as const;
