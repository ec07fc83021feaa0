import type { Organisation } from "@roomcast/client";

/** The plans that this page knows. A hub may have others. */
export const PLANS = [
    { code: "FREE", label: "Free: 3 members" },
    { code: "PRO", label: "Pro: 10 members" },
    { code: "ENTERPRISE", label: "Enterprise: as many as you like" },
] as const;

/** How full an organisation is. */
export interface Seats {
    used: number;
    /** null: no limit. */
    limit: number | null;
    /** Of a hundred; 0 where there is no limit. */
    percent: number;
    isFull: boolean;
    text: string;
}

/** How full an organisation is. */
export function seatsOf({ memberCount, memberLimit }: Organisation): Seats {
    const used = memberCount;
    const limit = memberLimit ?? null;
    if (limit === null) {
        return { used, limit, percent: 0, isFull: false, text: `${used} members, without a limit` };
    }
    const percent = limit === 0 ? 100 : Math.min(100, Math.round((used / limit) * 100));
    return { used, limit, percent, isFull: used >= limit, text: `${used} of ${limit} seats used` };
}

/** What a choice of plans offers: those that are known, and the present one. */
export function choicesWith(plan: string): { value: string; label: string }[] {
    const known = PLANS.map(({ code, label }) => ({ value: code, label }));
    return known.some(({ value }) => value === plan) ? known : [...known, { value: plan, label: plan }];
}
