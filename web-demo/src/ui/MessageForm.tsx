import { Alert, Button, Group, Paper, SegmentedControl, Text, Textarea, TextInput } from "@mantine/core";
import type { Channel } from "@roomcast/client";
import { IconSend } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { rest } from "../hub";
import { CHANNELS, creditsText } from "../lib/messages";
import { useHubForm } from "../lib/useHubForm";
import classes from "./MessageForm.module.css";
import { Problem } from "./States";

/** Sends a message to somebody outside. */
export function MessageForm(): ReactNode {
    const queries = useQueryClient();
    const [channel, setChannel] = useState<Channel>("sms");
    const gateways = useQuery({
        queryKey: ["gateways"],
        queryFn: ({ signal }) => rest.listGateways({ signal }),
        refetchInterval: 30_000,
    });
    const { form, problem, isBusy, onSubmit } = useHubForm({ to: "", body: "" }, async values => {
        await rest.sendMessage({ ...values, channel });
        form.reset();
        await Promise.all(["messages", "credits"].map(key => queries.invalidateQueries({ queryKey: [key] })));
    });
    const words = CHANNELS[channel];
    const gateway = gateways.data?.items.find(item => item.channel === channel);
    return (
        <Paper withBorder p="md" component="section" aria-label="Send a message">
            <form onSubmit={onSubmit} noValidate className="form">
                {problem !== null && <Problem problem={problem} />}
                <SegmentedControl
                    aria-label="Channel"
                    fullWidth
                    classNames={{ label: classes.channel ?? "" }}
                    data={Object.entries(CHANNELS).map(([value, { name }]) => ({ value, label: name }))}
                    value={channel}
                    onChange={value => {
                        setChannel(value as Channel);
                        form.clearErrors();
                    }}
                />
                <TextInput
                    label={words?.recipient}
                    placeholder={words?.example}
                    autoComplete="off"
                    {...form.getInputProps("to")}
                />
                <Textarea label="Text" autosize minRows={2} maxRows={10} {...form.getInputProps("body")} />
                <Group justify="space-between">
                    <Button type="submit" loading={isBusy} leftSection={<IconSend size={18} />}>
                        Send
                    </Button>
                    {gateway !== undefined && (
                        <Text size="sm" c="dimmed">
                            {creditsText(gateway.price)}
                            {gateway.simulated
                                ? ", and only simulated: nothing leaves the hub"
                                : ` through ${gateway.gateway}`}
                        </Text>
                    )}
                </Group>
                {gateway !== undefined && gateway.breaker !== "closed" && (
                    <Alert color="orange" title="Nothing gets through now">
                        The last messages on this channel could not be handed over. More are kept, and tried
                        later.
                    </Alert>
                )}
            </form>
        </Paper>
    );
}
