/** A promise and what settles it. */
export class Deferred {
    resolve: () => void = () => undefined;
    reject: (error: Error) => void = () => undefined;
    readonly promise = new Promise<void>((resolve, reject) => {
        this.resolve = resolve;
        this.reject = reject;
    });

    constructor() {
        // Who does not wait for it learns of a refusal from `status`.
        this.promise.catch(() => undefined);
    }
}
