import type { Channel, Credits, Message, MessageStatus } from "@roomcast/client";

/** What a person needs to know of a channel. */
export interface ChannelWords {
    name: string;
    inSentence: string;
    /** What its recipients are. */
    recipient: string;
    example: string;
}

/** The channels that this page knows. */
export const CHANNELS: Readonly<Record<string, ChannelWords>> = {
    sms: { name: "SMS", inSentence: "an SMS", recipient: "Phone number", example: "+441632960961" },
    email: {
        name: "Email",
        inSentence: "an email",
        recipient: "Email address",
        example: "cy@globex.example",
    },
    push: { name: "Push", inSentence: "a push message", recipient: "Device token", example: "device-7f3a" },
    webhook: {
        name: "Webhook",
        inSentence: "a webhook",
        recipient: "URL",
        example: "https://globex.example/hook",
    },
} satisfies Record<Channel, ChannelWords>;

/** A status in words, and its colour. */
export const STATUSES: Readonly<Record<MessageStatus, { name: string; color: string }>> = {
    QUEUED: { name: "queued", color: "gray" },
    SENDING: { name: "sending", color: "indigo" },
    SENT: { name: "sent", color: "green" },
    FAILED: { name: "failed", color: "red" },
    CANCELLED: { name: "cancelled", color: "orange" },
};

/** So many credits, in words. */
export function creditsText(count: number): string {
    return count === 1 ? "1 credit" : `${count} credits`;
}

/** How the credits stand, in words. */
export function creditsOf({ balance, reserved, initial, lowAt }: Credits): {
    text: string;
    percent: number;
    isLow: boolean;
} {
    const left = `${creditsText(balance)} left`;
    const text = reserved === 0 ? left : `${left}, ${reserved} put aside`;
    const percent = Math.min(100, (balance / Math.max(1, initial)) * 100);
    return { text, percent, isLow: balance <= lowAt };
}

/** The order in which a message goes through its states: what is told late takes nothing back. */
const ORDER: readonly MessageStatus[] = ["QUEUED", "SENDING", "SENT", "FAILED", "CANCELLED"];

/** A message after an activity has told where it stands. */
export function afterNews(message: Message, told: { messageId: string; status: string }): Message {
    const status = ORDER.find(known => known === told.status);
    const isNews =
        message.id === told.messageId &&
        status !== undefined &&
        ORDER.indexOf(status) > ORDER.indexOf(message.status);
    return isNews ? { ...message, status } : message;
}
