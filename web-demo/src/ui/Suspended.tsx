import { Button, Group, Paper, Stack, Text, ThemeIcon, Title } from "@mantine/core";
import { IconLock, IconRefresh } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useLive, useLiveStore } from "../live/LiveProvider";
import { SignOut } from "./SignOut";
import { useMe } from "./useMe";

/** Instead of every page of an organisation that the platform has suspended. */
export function Suspended(): ReactNode {
    const store = useLiveStore();
    const queries = useQueryClient();
    const { organisation } = useMe();
    const isUnread = useLive(state => state.error !== null);
    const again = (): void => {
        if (isUnread) {
            void store.start();
        } else {
            store.reconnect();
        }
        void queries.invalidateQueries();
    };
    return (
        <Paper withBorder p="xl" maw="34rem" mx="auto" mt="xl" role="alert">
            <Stack gap="md">
                <ThemeIcon variant="light" color="red" size={48} radius="xl" aria-hidden>
                    <IconLock size={24} />
                </ThemeIcon>
                <div>
                    <Title order={1} size="h3">
                        {organisation.name} is suspended
                    </Title>
                    <Text c="dimmed">
                        Nobody can use it until whoever runs this platform resumes it. Nothing is deleted:
                        what was stored is there again then.
                    </Text>
                </div>
                <Group gap="sm">
                    <Button leftSection={<IconRefresh size={18} />} onClick={again}>
                        Try again
                    </Button>
                    <SignOut />
                </Group>
            </Stack>
        </Paper>
    );
}
