import { Button, Group, TextInput } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";
import { type ReactNode, useRef, useState } from "react";

/** Text to be copied: with the button, or by hand where the browser does not let a page do that. */
export function CopyField({ label, value }: { label: string; value: string }): ReactNode {
    const field = useRef<HTMLInputElement>(null);
    const [copied, setCopied] = useState<string | null>(null);
    const isCopied = copied === value;
    const copy = async (): Promise<void> => {
        field.current?.select();
        // Only pages that came over TLS, or from this machine, have a clipboard.
        const done = await navigator.clipboard?.writeText(value).then(
            () => true,
            () => false,
        );
        setCopied(done === true ? value : null);
    };
    return (
        <Group gap="xs" wrap="nowrap">
            <TextInput
                ref={field}
                aria-label={label}
                value={value}
                readOnly
                flex={1}
                onFocus={event => event.currentTarget.select()}
            />
            <Button
                variant="default"
                flex="none"
                leftSection={isCopied ? <IconCheck size={18} /> : <IconCopy size={18} />}
                onClick={() => void copy()}
            >
                {isCopied ? "Copied" : "Copy"}
            </Button>
        </Group>
    );
}
