import { ApiError, CloseCode, type CloseReason, type Organisation } from "@roomcast/client";

/** What an organisation is to the platform; `null` where the hub does not say. */
export interface Standing {
    /** Where its rows are, in words. */
    isolation: string | null;
    isSuspended: boolean | null;
}

const ISOLATION: Readonly<Record<string, string>> = {
    shared: "In tables that organisations share, apart by row",
    schema: "In a schema of its own",
    database: "In a database of its own",
};

/** Reads what hubs with platform administrators say of an organisation. */
export function standingOf(organisation: Organisation): Standing {
    const { isolation, status } = organisation as { isolation?: unknown; status?: unknown };
    return {
        isolation: typeof isolation === "string" ? (ISOLATION[isolation] ?? isolation) : null,
        isSuspended: typeof status === "string" ? status === "suspended" : null,
    };
}

/** Whether the hub closed or refused because the organisation is suspended. */
export function isSuspension(reason: CloseReason | null, error: unknown): boolean {
    return (
        reason?.code === CloseCode.SUSPENDED ||
        (error instanceof ApiError && error.code === "organisation_suspended")
    );
}
