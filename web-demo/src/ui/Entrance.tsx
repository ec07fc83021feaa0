import { Anchor, Container, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { type ReactNode, useEffect } from "react";
import classes from "./Entrance.module.css";
import { Logo } from "./Logo";
import { SchemeToggle } from "./SchemeToggle";

/** What surrounds the forms of somebody who is not signed in yet. */
export function Entrance(props: {
    title: string;
    intro: ReactNode;
    children: ReactNode;
    /** What else there is to do. */
    other?: ReactNode;
}): ReactNode {
    const { title, intro, children, other } = props;
    useEffect(() => {
        document.title = `${title} · Roomcast`;
    }, [title]);
    return (
        <div className={classes.entrance}>
            <header className={classes.header}>
                <Logo />
                <Group gap="sm">
                    <Anchor href="/docs/" size="sm">
                        API reference
                    </Anchor>
                    <SchemeToggle />
                </Group>
            </header>
            <Container component="main" size={420} w="100%" py="xl">
                <Stack gap="lg">
                    <div>
                        <Title order={1} size="h2">
                            {title}
                        </Title>
                        <Text c="dimmed">{intro}</Text>
                    </div>
                    <Paper withBorder p="lg">
                        {children}
                    </Paper>
                    {other}
                </Stack>
            </Container>
        </div>
    );
}
