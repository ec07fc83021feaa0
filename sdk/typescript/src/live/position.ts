import type { KeyValueStorage } from "../storage.js";

/** Where a member stands in an organisation's log. */
export interface Position {
    /** Which life of the log. */
    epoch: string;
    /** Everything up to here was taken by the application. */
    seq: number;
    organisationId: string;
    userId: string;
}

/** Keeps the position in a storage of the caller's. Writes are never two at once, and only the latest is written. */
export class PositionStore {
    readonly #storage: KeyValueStorage | undefined;
    readonly #key: string;
    readonly #onError: (error: unknown) => void;
    #pending: Position | null = null;
    #writing: Promise<void> | null = null;

    constructor(storage: KeyValueStorage | undefined, key: string, onError: (error: unknown) => void) {
        this.#storage = storage;
        this.#key = key;
        this.#onError = onError;
    }

    async load(): Promise<Position | null> {
        try {
            return parse((await this.#storage?.getItem(this.#key)) ?? null);
        } catch (error) {
            this.#onError(error);
            return null;
        }
    }

    save(position: Position): void {
        if (this.#storage === undefined) {
            return;
        }
        this.#pending = position;
        if (this.#writing === null) {
            this.#write(this.#storage);
        }
    }

    /** Resolves once everything that was saved is written. */
    async flush(): Promise<void> {
        while (this.#writing !== null) {
            await this.#writing;
        }
    }

    /** Writes what is pending. A storage that answers at once is written to at once. */
    #write(storage: KeyValueStorage): void {
        while (this.#pending !== null) {
            const text = JSON.stringify(this.#pending);
            this.#pending = null;
            try {
                const done = storage.setItem(this.#key, text);
                if (done instanceof Promise) {
                    this.#writing = done
                        .then(() => undefined, this.#onError)
                        .then(() => {
                            this.#writing = null;
                            this.#write(storage);
                        });
                    return;
                }
            } catch (error) {
                this.#onError(error);
            }
        }
    }
}

function parse(text: string | null): Position | null {
    if (text === null) {
        return null;
    }
    try {
        const value = JSON.parse(text) as Partial<Position> | null;
        const { epoch, seq, organisationId, userId } = value ?? {};
        const isWhole =
            typeof epoch === "string" && typeof organisationId === "string" && typeof userId === "string";
        return isWhole && Number.isSafeInteger(seq) && (seq as number) >= 0
            ? { epoch, seq: seq as number, organisationId, userId }
            : null;
    } catch {
        return null;
    }
}
