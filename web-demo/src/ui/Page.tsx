import { Group, Stack, Text, Title } from "@mantine/core";
import { type ReactNode, useEffect, useRef } from "react";

let shown: string | null = null;

/** A page of the shell: its heading, which a screen reader is brought to when the page changes. */
export function Page(props: {
    title: string;
    description?: ReactNode;
    actions?: ReactNode;
    children: ReactNode;
}): ReactNode {
    const { title, description, actions, children } = props;
    const heading = useRef<HTMLHeadingElement>(null);
    useEffect(() => {
        document.title = `${title} · Roomcast`;
        if (shown !== null && shown !== title) {
            heading.current?.focus({ preventScroll: true });
            window.scrollTo(0, 0);
        }
        shown = title;
    }, [title]);
    return (
        <Stack gap="lg">
            <Group justify="space-between" align="flex-start" gap="sm">
                <div>
                    <Title order={1} size="h2" ref={heading} tabIndex={-1} className="page-title">
                        {title}
                    </Title>
                    {description !== undefined && (
                        <Text c="dimmed" size="sm">
                            {description}
                        </Text>
                    )}
                </div>
                {actions}
            </Group>
            {children}
        </Stack>
    );
}
