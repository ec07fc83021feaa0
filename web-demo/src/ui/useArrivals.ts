import { useLocalStorage } from "@mantine/hooks";
import { notifications } from "@mantine/notifications";
import type { Activity } from "@roomcast/client";
import { useEffect } from "react";
import { tell } from "../lib/activity";
import { useLiveStore } from "../live/LiveProvider";
import { chime } from "../live/sound";
import { useMe } from "./useMe";

/** Whether what arrives is heard. Off until somebody wants it. */
export function useSound(): [boolean, (isOn: boolean) => void] {
    const [isOn, setIsOn] = useLocalStorage({
        key: "roomcast:sound",
        defaultValue: false,
        getInitialValueInEffect: false,
    });
    return [isOn, setIsOn];
}

/** How long replays that come together are counted before they are told, in one toast. */
const TOGETHER_MS = 300;

/** Whether it is about a message that this user sends, and that has not failed. The list of messages tells that. */
function isOwnOnItsWay({ type, payload }: Activity, ownId: string): boolean {
    return type.startsWith("MESSAGE_") && type !== "MESSAGE_FAILED" && payload.createdBy === ownId;
}

/** Shows what arrives, on whichever page. */
export function useArrivals(): void {
    const store = useLiveStore();
    const [hasSound] = useSound();
    const ownId = useMe().user.id;
    useEffect(() => {
        let replayed = 0;
        let timer: ReturnType<typeof setTimeout> | undefined;
        const tellReplayed = (): void => {
            const what = replayed === 1 ? "One missed activity was" : `${replayed} missed activities were`;
            notifications.show({
                color: "teal",
                title: "Back, with nothing lost",
                message: `${what} replayed, in order.`,
            });
            replayed = 0;
        };
        const stop = store.onArrival((activity, delivery) => {
            if (delivery.replayed) {
                replayed += 1;
                clearTimeout(timer);
                timer = setTimeout(tellReplayed, TOGETHER_MS);
                return;
            }
            const { title, message } = tell(activity);
            const isMessage = message !== undefined;
            // Who has just done something sees what came of it.
            if (!isMessage && (activity.actor?.id === ownId || isOwnOnItsWay(activity, ownId))) {
                return;
            }
            // Of many at once the latest is told. All of them are in the list.
            notifications.cleanQueue();
            notifications.show({
                color: isMessage ? "indigo" : "gray",
                title: isMessage ? title : undefined,
                message: message ?? title,
                autoClose: 5_000,
            });
            if (hasSound && isMessage) {
                chime();
            }
        });
        return () => {
            stop();
            clearTimeout(timer);
        };
    }, [store, hasSound, ownId]);
}
