import { ApiError, ConnectionError } from "@roomcast/client";

/** What went wrong, for people. */
export interface Explained {
    title: string;
    detail: string;
    /** What to quote to whoever runs the hub. */
    requestId?: string;
}

/** Codes that speak of one field. */
const FIELD_OF: Readonly<Record<string, string>> = {
    email_taken: "email",
    already_member: "email",
    wrong_password: "currentPassword",
};

/** What went wrong, in words. */
export function explain(error: unknown): Explained {
    if (error instanceof ApiError) {
        const detail = error.detail === "" ? "The hub gave no reason." : error.detail;
        const isFault = error.status >= 500 && error.requestId !== null;
        return { title: error.title, detail, ...(isFault ? { requestId: error.requestId ?? "" } : {}) };
    }
    if (error instanceof ConnectionError) {
        return { title: "The hub cannot be reached", detail: "Check that it runs, and try again." };
    }
    return { title: "Something went wrong", detail: error instanceof Error ? error.message : String(error) };
}

/**
 * Which messages belong to which fields of a form. What is left, about a field that the form has not or about
 * nothing in particular, is `rest`.
 */
export function fieldErrors(
    error: unknown,
    fields: readonly string[],
): { byField: Record<string, string>; rest: Explained | null } {
    if (!(error instanceof ApiError)) {
        return { byField: {}, rest: explain(error) };
    }
    const byField: Record<string, string> = {};
    const others: string[] = [];
    for (const { field, message } of error.errors) {
        // `data.x` is a part of the field `data`.
        const name = fields.find(known => field === known || field.startsWith(`${known}.`));
        if (name === undefined) {
            others.push(`${field}: ${message}`);
        } else {
            byField[name] = capitalised(message);
        }
    }
    const field = FIELD_OF[error.code];
    if (field !== undefined && fields.includes(field)) {
        byField[field] = error.detail;
    }
    const isTold = Object.keys(byField).length > 0;
    if (isTold && others.length === 0) {
        return { byField, rest: null };
    }
    const said = explain(error);
    return { byField, rest: others.length > 0 ? { ...said, detail: others.join(" ") } : said };
}

function capitalised(text: string): string {
    return text.charAt(0).toUpperCase() + text.slice(1);
}
