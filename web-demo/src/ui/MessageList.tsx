import { Button, Paper, Text, ThemeIcon, UnstyledButton } from "@mantine/core";
import type { Channel, Message, MessageStatus, Page } from "@roomcast/client";
import {
    IconDeviceMobile,
    IconDeviceMobileMessage,
    IconMail,
    type IconProps,
    IconSend,
    IconWebhook,
} from "@tabler/icons-react";
import { type InfiniteData, useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { type ComponentType, type ReactNode, useEffect, useState } from "react";
import { rest } from "../hub";
import { afterNews, CHANNELS, creditsText } from "../lib/messages";
import { timeOf } from "../lib/time";
import { useLiveStore } from "../live/LiveProvider";
import { MessageDrawer } from "./MessageDrawer";
import classes from "./MessageList.module.css";
import { MessageStatusBadge } from "./MessageStatusBadge";
import { Empty, Failed, Loading } from "./States";

const ICONS: Readonly<Record<string, ComponentType<IconProps>>> = {
    sms: IconDeviceMobileMessage,
    email: IconMail,
    push: IconDeviceMobile,
    webhook: IconWebhook,
};

/** The messages, newest first, each where it stands now. */
export function MessageList(props: { status: MessageStatus | null; channel: string | null }): ReactNode {
    const { status, channel } = props;
    const [shown, setShown] = useState<string | null>(null);
    const [isOpen, setIsOpen] = useState(false);
    const filter = {
        ...(status === null ? {} : { status }),
        ...(channel === null ? {} : { channel: channel as Channel }),
    };
    const messages = useInfiniteQuery({
        queryKey: ["messages", filter],
        queryFn: ({ pageParam, signal }) => {
            const cursor = pageParam === null ? {} : { cursor: pageParam };
            return rest.listMessages({ ...filter, ...cursor, limit: 50 }, { signal });
        },
        initialPageParam: null as string | null,
        getNextPageParam: page => page.nextCursor,
    });
    useNews();
    if (messages.isPending) {
        return <Loading label="Reading the messages" />;
    }
    const read = messages.data?.pages.flatMap(page => page.items) ?? [];
    // What has been told since may fit the filter no longer.
    const items = read.filter(message => status === null || message.status === status);
    return (
        <>
            {messages.isError && <Failed error={messages.error} onRetry={() => void messages.refetch()} />}
            {items.length > 0 && (
                <Paper withBorder>
                    <ul className={classes.list} aria-label="Messages, newest first">
                        {items.map(message => (
                            <Line
                                key={message.id}
                                message={message}
                                onOpen={() => {
                                    setShown(message.id);
                                    setIsOpen(true);
                                }}
                            />
                        ))}
                    </ul>
                </Paper>
            )}
            {items.length === 0 && !messages.isError && (
                <Empty
                    icon={IconSend}
                    title={status === null && channel === null ? "No message yet" : "Nothing here"}
                >
                    What you send is listed here, and says by itself when it has left.
                </Empty>
            )}
            {messages.hasNextPage && (
                <Button
                    variant="default"
                    loading={messages.isFetchingNextPage}
                    onClick={() => void messages.fetchNextPage()}
                >
                    More
                </Button>
            )}
            <MessageDrawer id={shown} isOpen={isOpen} onClose={() => setIsOpen(false)} />
        </>
    );
}

function Line({ message, onOpen }: { message: Message; onOpen: () => void }): ReactNode {
    const { to, channel, body, createdAt, status, price } = message;
    const Icon = ICONS[channel] ?? IconSend;
    return (
        <li className={classes.item} data-message={message.id}>
            <UnstyledButton className={classes.line ?? ""} onClick={onOpen}>
                <ThemeIcon variant="light" radius="xl" size={34} aria-hidden>
                    <Icon size={18} stroke={1.8} />
                </ThemeIcon>
                <div className={classes.body}>
                    <Text size="sm" fw={600} truncate>
                        {to}
                    </Text>
                    <Text size="sm" truncate>
                        {body}
                    </Text>
                    <Text size="xs" c="dimmed">
                        {CHANNELS[channel]?.name ?? channel} · {timeOf(createdAt)} · {creditsText(price)}
                    </Text>
                </div>
                <MessageStatusBadge status={status} />
            </UnstyledButton>
        </li>
    );
}

/** How long what was told is gathered before the hub is asked what else has changed. */
const TOGETHER_MS = 500;

/** Follows what the log says of messages: what is listed changes at once, the rest is read. */
function useNews(): void {
    const store = useLiveStore();
    const queries = useQueryClient();
    useEffect(() => {
        const old = new Set<string>();
        let timer: ReturnType<typeof setTimeout> | undefined;
        const readAgain = (): void => {
            timer = undefined;
            for (const key of old) {
                void queries.invalidateQueries({ queryKey: [key] });
            }
            old.clear();
        };
        const stop = store.onArrival(({ type, payload }) => {
            const isOfMessage = type.startsWith("MESSAGE_");
            if (!isOfMessage && !type.startsWith("CREDITS_")) {
                return;
            }
            old.add("credits");
            if (isOfMessage) {
                old.add("messages").add("message");
                const told = payload as { messageId: string; status: string };
                queries.setQueriesData<InfiniteData<Page<Message>>>({ queryKey: ["messages"] }, data =>
                    mapItems(data, message => afterNews(message, told)),
                );
            }
            timer ??= setTimeout(readAgain, TOGETHER_MS);
        });
        return () => {
            stop();
            clearTimeout(timer);
        };
    }, [store, queries]);
}

function mapItems<T>(
    data: InfiniteData<Page<T>> | undefined,
    change: (item: T) => T,
): InfiniteData<Page<T>> | undefined {
    return data && { ...data, pages: data.pages.map(page => ({ ...page, items: page.items.map(change) })) };
}
