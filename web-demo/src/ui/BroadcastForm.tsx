import { Button, Group, JsonInput, Text, Textarea, TextInput } from "@mantine/core";
import type { CreateBroadcast } from "@roomcast/client";
import { IconSend } from "@tabler/icons-react";
import { type ReactNode, useState } from "react";
import { rest } from "../hub";
import { useHubForm } from "../lib/useHubForm";
import { Problem } from "./States";

/** The longest message that the hub takes, in characters. */
const MOST = 4096;

/** Says something to everybody. Short: a line alone. */
export function BroadcastForm({ isShort = false }: { isShort?: boolean }): ReactNode {
    const [sent, setSent] = useState<number | null>(null);
    const { form, problem, isBusy, onSubmit } = useHubForm(
        { message: "", data: "" },
        async ({ message, data }) => {
            setSent(null);
            const { seq } = await rest.createBroadcast(bodyOf(message, data));
            form.reset();
            setSent(seq);
        },
        ({ data }) => ({ data: isObject(data) ? null : "A JSON object, or nothing" }),
    );
    const length = [...form.values.message].length;
    const button = (
        <Button type="submit" loading={isBusy} leftSection={<IconSend size={18} />}>
            Broadcast
        </Button>
    );
    return (
        <form onSubmit={onSubmit} noValidate className="form">
            {problem !== null && <Problem problem={problem} />}
            {isShort ? (
                <Group align="flex-start" gap="sm">
                    <TextInput
                        aria-label="Message to everybody"
                        placeholder="Say something to everybody"
                        autoComplete="off"
                        className="grow"
                        {...form.getInputProps("message")}
                    />
                    {button}
                </Group>
            ) : (
                <>
                    <Textarea
                        label="Message"
                        description={`${length} of ${MOST} characters`}
                        autosize
                        minRows={3}
                        maxRows={12}
                        {...form.getInputProps("message")}
                    />
                    <JsonInput
                        label="Data for applications (optional)"
                        description="A JSON object that goes along with the message, up to 16 KiB"
                        placeholder='{"room": "kitchen"}'
                        autosize
                        minRows={2}
                        maxRows={12}
                        {...form.getInputProps("data")}
                    />
                    <Group justify="space-between">
                        {button}
                        <Text size="sm" c="dimmed" role="status">
                            {sent === null ? "" : `Stored as #${sent}, and on its way to everybody.`}
                        </Text>
                    </Group>
                </>
            )}
        </form>
    );
}

function bodyOf(message: string, data: string): CreateBroadcast {
    return data.trim() === "" ? { message } : { message, data: JSON.parse(data) };
}

function isObject(text: string): boolean {
    if (text.trim() === "") {
        return true;
    }
    try {
        const value: unknown = JSON.parse(text);
        return typeof value === "object" && value !== null && !Array.isArray(value);
    } catch {
        return false;
    }
}
