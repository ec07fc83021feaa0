/** How long after a WELCOME the hub may take to say who is online. */
const SETTLE_MS = 3_000;

/** Who is online. A new link begins with everybody who is, and says of nobody that they have gone meanwhile. */
export class Roster {
    readonly #emit: (type: "USER_ONLINE" | "USER_OFFLINE", userId: string) => void;
    readonly #online = new Set<string>();
    /** Of those who were online before this link, whom it has not spoken of. */
    #unheard = new Set<string>();
    #timer: ReturnType<typeof setTimeout> | undefined;

    constructor(emit: (type: "USER_ONLINE" | "USER_OFFLINE", userId: string) => void) {
        this.#emit = emit;
    }

    get online(): ReadonlySet<string> {
        return this.#online;
    }

    /** Another link has begun. */
    begin(): void {
        this.stop();
        this.#unheard = new Set(this.#online);
        if (this.#unheard.size > 0) {
            this.#timer = setTimeout(() => {
                for (const userId of this.#unheard) {
                    this.said("USER_OFFLINE", userId);
                }
            }, SETTLE_MS);
        }
    }

    /** Tells only of what is new. */
    said(type: "USER_ONLINE" | "USER_OFFLINE", userId: string): void {
        this.#unheard.delete(userId);
        const was = this.#online.has(userId);
        if (type === "USER_ONLINE" && !was) {
            this.#online.add(userId);
            this.#emit(type, userId);
        } else if (type === "USER_OFFLINE" && was) {
            this.#online.delete(userId);
            this.#emit(type, userId);
        }
    }

    /** Another member may see others. */
    forget(): void {
        this.stop();
        this.#online.clear();
        this.#unheard.clear();
    }

    stop(): void {
        clearTimeout(this.#timer);
    }
}
