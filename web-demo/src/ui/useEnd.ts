import { type RefObject, useEffect, useRef } from "react";

/** Calls back when the end of a list comes near the window. The element stands behind the list. */
export function useEnd(onEnd: () => void, isOn: boolean): RefObject<HTMLDivElement | null> {
    const end = useRef<HTMLDivElement>(null);
    useEffect(() => {
        const element = end.current;
        if (!isOn || element === null) {
            return undefined;
        }
        const observer = new IntersectionObserver(
            entries => {
                if (entries.some(({ isIntersecting }) => isIntersecting)) {
                    onEnd();
                }
            },
            { rootMargin: "600px" },
        );
        observer.observe(element);
        return () => observer.disconnect();
    }, [onEnd, isOn]);
    return end;
}
