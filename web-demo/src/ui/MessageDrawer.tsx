import { Alert, Button, Drawer, Stack, Text, ThemeIcon, Title } from "@mantine/core";
import type { MessageAttempt, MessageWithAttempts } from "@roomcast/client";
import { IconCheck, IconClock, IconDots, IconQuestionMark, IconX } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { rest } from "../hub";
import { CHANNELS, creditsText } from "../lib/messages";
import { explain } from "../lib/problem";
import { spanOf, timeOf } from "../lib/time";
import classes from "./MessageDrawer.module.css";
import { MessageStatusBadge } from "./MessageStatusBadge";
import { Failed, Loading, Problem } from "./States";

/** One message with its attempts. */
export function MessageDrawer(props: { id: string | null; isOpen: boolean; onClose: () => void }): ReactNode {
    const { id, isOpen, onClose } = props;
    const message = useQuery({
        queryKey: ["message", id],
        queryFn: ({ signal }) => rest.getMessage(id ?? "", { signal }),
        enabled: id !== null && isOpen,
        // No activity tells of an attempt that is not the last.
        refetchInterval: ({ state }) =>
            state.data?.status === "QUEUED" || state.data?.status === "SENDING" ? 2_000 : false,
    });
    return (
        <Drawer opened={isOpen} onClose={onClose} position="right" title="Message">
            {message.isLoading && <Loading label="Reading the message" />}
            {message.isError && <Failed error={message.error} onRetry={() => void message.refetch()} />}
            {message.data !== undefined && <Detail message={message.data} />}
        </Drawer>
    );
}

function Detail({ message }: { message: MessageWithAttempts }): ReactNode {
    const queries = useQueryClient();
    const cancel = useMutation({
        mutationFn: () => rest.cancelMessage(message.id),
        onSettled: () =>
            Promise.all(
                ["message", "messages", "credits"].map(key => queries.invalidateQueries({ queryKey: [key] })),
            ),
    });
    const { to, channel, body, status, price, createdAt, attempts } = message;
    return (
        <Stack>
            <div>
                <Text size="sm" c="dimmed">
                    {CHANNELS[channel]?.name ?? channel} to
                </Text>
                <Text fw={600} className="wrap">
                    {to}
                </Text>
                <Text size="xs" c="dimmed">
                    {timeOf(createdAt)} · {creditsText(price)}
                </Text>
            </div>
            <Text className="wrap">{body}</Text>
            <div>
                <MessageStatusBadge status={status} />
            </div>
            {cancel.isError && <Problem problem={explain(cancel.error)} />}
            {status === "QUEUED" && (
                <Button
                    variant="default"
                    color="red"
                    loading={cancel.isPending}
                    onClick={() => cancel.mutate()}
                >
                    Cancel the message
                </Button>
            )}
            <Title order={3} size="h5">
                Attempts
            </Title>
            {attempts.length === 0 ? (
                <Text size="sm" c="dimmed">
                    None yet.
                </Text>
            ) : (
                <ol className={classes.attempts}>
                    {attempts.map(attempt => (
                        <Attempt key={attempt.number} attempt={attempt} />
                    ))}
                </ol>
            )}
            {attempts.some(({ outcome }) => outcome === "UNKNOWN") && (
                <Alert color="orange">
                    Nobody said how an attempt ended: the message may have left all the same.
                </Alert>
            )}
        </Stack>
    );
}

function Attempt({ attempt }: { attempt: MessageAttempt }): ReactNode {
    const { gateway, startedAt, endedAt, detail, outcome } = attempt;
    const { title, icon: Icon, color } = outcome === null ? UNDER_WAY : OUTCOMES[outcome];
    const took = endedAt === null ? "" : `, in ${spanOf(Date.parse(endedAt) - Date.parse(startedAt))}`;
    return (
        <li className={classes.attempt}>
            <ThemeIcon variant="light" color={color} radius="xl" size={28} aria-hidden>
                <Icon size={16} />
            </ThemeIcon>
            <div>
                <Text size="sm" fw={600}>
                    {title}
                </Text>
                {detail !== null && (
                    <Text size="sm" className="wrap">
                        {detail}
                    </Text>
                )}
                <Text size="xs" c="dimmed">
                    Through {gateway} at {timeOf(startedAt)}
                    {took}
                </Text>
            </div>
        </li>
    );
}

const UNDER_WAY = { title: "Under way", icon: IconDots, color: "indigo" };

const OUTCOMES: Readonly<Record<NonNullable<MessageAttempt["outcome"]>, typeof UNDER_WAY>> = {
    SENT: { title: "Sent", icon: IconCheck, color: "green" },
    REJECTED: { title: "Refused for good", icon: IconX, color: "red" },
    UNAVAILABLE: { title: "Could not be taken then", icon: IconClock, color: "orange" },
    UNKNOWN: { title: "Not known", icon: IconQuestionMark, color: "orange" },
};
