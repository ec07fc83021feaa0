export declare const program: string;
export declare const file: string;
export declare function readDocument(): {
    paths: Record<
        string,
        Record<string, { operationId: string; tags: string[]; parameters?: { name: string; in: string }[] }>
    >;
};
export declare function generate(document: object): Promise<string>;
