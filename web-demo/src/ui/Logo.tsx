import { Group, Text } from "@mantine/core";
import type { ReactNode } from "react";

/** The name and its sign. */
export function Logo(): ReactNode {
    return (
        <Group gap="xs" wrap="nowrap">
            <img src="/favicon.svg" alt="" width={28} height={28} />
            <Text fw={700} className="logo-name">
                Roomcast
            </Text>
        </Group>
    );
}
