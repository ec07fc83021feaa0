export declare const file: string;
export declare function quote(document: string): string;
