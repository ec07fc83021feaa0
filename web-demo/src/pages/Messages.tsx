import { Select, Stack, Title } from "@mantine/core";
import type { MessageStatus } from "@roomcast/client";
import { type ReactNode, useState } from "react";
import { CHANNELS, STATUSES } from "../lib/messages";
import { Credits } from "../ui/Credits";
import { MessageForm } from "../ui/MessageForm";
import { MessageList } from "../ui/MessageList";
import { Page } from "../ui/Page";
import classes from "./Messages.module.css";

/** Messages to people outside, each with where it stands. */
export default function Messages(): ReactNode {
    const [status, setStatus] = useState<string | null>(null);
    const [channel, setChannel] = useState<string | null>(null);
    return (
        <Page
            title="Messages"
            description="To people outside: sent in the background, told here as it happens."
        >
            <div className={classes.top}>
                <MessageForm />
                <Credits />
            </div>
            <Stack gap="sm">
                <div className={classes.filters}>
                    <Title order={2} size="h4">
                        Messages so far
                    </Title>
                    <Select
                        aria-label="Filter by channel"
                        placeholder="Every channel"
                        data={Object.entries(CHANNELS).map(([value, { name }]) => ({ value, label: name }))}
                        value={channel}
                        onChange={setChannel}
                        clearable
                    />
                    <Select
                        aria-label="Filter by status"
                        placeholder="Every status"
                        data={Object.entries(STATUSES).map(([value, { name }]) => ({ value, label: name }))}
                        value={status}
                        onChange={setStatus}
                        clearable
                    />
                </div>
                <MessageList
                    key={`${status}/${channel}`}
                    status={status as MessageStatus | null}
                    channel={channel}
                />
            </Stack>
        </Page>
    );
}
