import { Alert, Button, Center, Code, Loader, Paper, Stack, Text, ThemeIcon } from "@mantine/core";
import { IconAlertTriangle, type IconProps } from "@tabler/icons-react";
import type { ComponentType, ReactNode } from "react";
import { type Explained, explain } from "../lib/problem";

/** Something is on its way. */
export function Loading({ label = "Loading" }: { label?: string }): ReactNode {
    return (
        <Center mih="12rem" role="status" aria-label={label}>
            <Loader type="dots" />
        </Center>
    );
}

/** There is nothing yet, and why. */
export function Empty(props: {
    icon: ComponentType<IconProps>;
    title: string;
    children: ReactNode;
}): ReactNode {
    const { icon: Icon, title, children } = props;
    return (
        <Paper withBorder p="xl">
            <Stack align="center" gap="xs" ta="center">
                <ThemeIcon variant="light" size={48} radius="xl" aria-hidden>
                    <Icon size={24} />
                </ThemeIcon>
                <Text fw={600}>{title}</Text>
                <Text c="dimmed" size="sm" maw="28rem">
                    {children}
                </Text>
            </Stack>
        </Paper>
    );
}

/** What went wrong, and a way to try again. */
export function Failed({ error, onRetry }: { error: unknown; onRetry?: () => void }): ReactNode {
    return <Problem problem={explain(error)} {...(onRetry === undefined ? {} : { onRetry })} />;
}

/** A problem that belongs to no field. */
export function Problem({ problem, onRetry }: { problem: Explained; onRetry?: () => void }): ReactNode {
    return (
        <Alert color="red" role="alert" title={problem.title} icon={<IconAlertTriangle />}>
            <Stack gap="xs" align="flex-start">
                <Text size="sm">{problem.detail}</Text>
                {problem.requestId !== undefined && (
                    <Text size="sm">
                        Request <Code>{problem.requestId}</Code>
                    </Text>
                )}
                {onRetry !== undefined && (
                    <Button size="xs" color="red" onClick={onRetry}>
                        Try again
                    </Button>
                )}
            </Stack>
        </Alert>
    );
}
