import { Anchor, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { IconBolt, IconHistory, type IconProps, IconServer } from "@tabler/icons-react";
import { type ComponentType, type ReactNode, useEffect } from "react";
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
            <div className={classes.halves}>
                <main className={classes.main}>
                    <Stack gap="lg" className={classes.form ?? ""}>
                        <div>
                            <Title order={1} size="h2" mb={4}>
                                {title}
                            </Title>
                            <Text c="dimmed">{intro}</Text>
                        </div>
                        <Paper withBorder p="lg">
                            {children}
                        </Paper>
                        {other}
                    </Stack>
                </main>
                <Pitch />
            </div>
        </div>
    );
}

const POINTS: readonly [ComponentType<IconProps>, string, string][] = [
    [IconBolt, "Live", "What happens is on every member's screen at once."],
    [IconHistory, "Nothing lost", "Whoever was away gets what they missed: in order, each once."],
    [IconServer, "Yours", "One program on your own machine. No other service, no request elsewhere."],
];

/** What Roomcast is, for somebody who sees it for the first time. */
function Pitch(): ReactNode {
    return (
        <aside className={classes.pitch} aria-label="What Roomcast is">
            <div className={classes.pitchBody}>
                <p className={classes.claim}>
                    Tell everybody.
                    <br />
                    Lose nothing.
                </p>
                <ul className={classes.points}>
                    {POINTS.map(([Icon, name, text]) => (
                        <li key={name} className={classes.point}>
                            <Icon size={22} stroke={1.7} aria-hidden />
                            <div>
                                <strong>{name}</strong>
                                <br />
                                {text}
                            </div>
                        </li>
                    ))}
                </ul>
                <Sample />
            </div>
        </aside>
    );
}

/** How a stream looks after a reconnect. */
function Sample(): ReactNode {
    return (
        <div className={classes.sample} aria-hidden>
            <div className={classes.sampleRow} data-replayed>
                <b>Ana broadcast</b> <i>replayed</i>
                <span>There is cake left</span>
            </div>
            <div className={classes.sampleRow} data-replayed>
                <b>Ana broadcast</b> <i>replayed</i>
                <span>The kitchen closes at two</span>
            </div>
            <div className={classes.sampleBreak}>Away for 12 s: 2 missed, 2 replayed</div>
            <div className={classes.sampleRow}>
                <b>Ana broadcast</b>
                <span>Lunch is ready</span>
            </div>
        </div>
    );
}
