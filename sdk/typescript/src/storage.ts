/** Where text is kept: `localStorage`, `sessionStorage`, React Native's `AsyncStorage`, or anything alike. */
export interface KeyValueStorage {
    getItem(key: string): string | null | Promise<string | null>;
    setItem(key: string, value: string): void | Promise<void>;
    removeItem(key: string): void | Promise<void>;
}
