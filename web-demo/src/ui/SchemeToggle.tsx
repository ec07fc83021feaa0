import { ActionIcon, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { IconMoon, IconSun } from "@tabler/icons-react";
import type { ReactNode } from "react";

/** Light or dark; as the system has it until somebody chooses. */
export function SchemeToggle(): ReactNode {
    // Turning transitions off meanwhile would put a style into the page.
    const { setColorScheme } = useMantineColorScheme({ keepTransitions: true });
    const isDark = useComputedColorScheme("light") === "dark";
    const label = isDark ? "Light colours" : "Dark colours";
    const Icon = isDark ? IconSun : IconMoon;
    return (
        <ActionIcon
            variant="subtle"
            size="lg"
            aria-label={label}
            title={label}
            onClick={() => setColorScheme(isDark ? "light" : "dark")}
        >
            <Icon size={20} stroke={1.7} />
        </ActionIcon>
    );
}
