import { Button, CloseButton, Group, Paper, Text, ThemeIcon, Title } from "@mantine/core";
import { IconCheck } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { STEPS, type Step, type Tour } from "../live/tour";
import classes from "./Guide.module.css";

/** What to try, in four steps that tick themselves off. */
export function Guide({ tour, isAdmin }: { tour: Tour; isAdmin: boolean }): ReactNode {
    if (tour.isHidden) {
        return (
            <Button variant="subtle" size="compact-sm" onClick={tour.show} className={classes.again ?? ""}>
                Show me around
            </Button>
        );
    }
    const steps = STEPS.map(step => ({ step, ...texts(step, isAdmin) }));
    return (
        <Paper withBorder p="md" component="section" aria-labelledby="guide">
            <Group justify="space-between" mb="sm" wrap="nowrap">
                <Title order={2} size="h4" id="guide">
                    {tour.next === null
                        ? "That is Roomcast: nothing lost, nothing twice"
                        : "Roomcast in two minutes"}
                </Title>
                <CloseButton aria-label="Hide the guide" onClick={tour.hide} />
            </Group>
            <ol className={classes.steps}>
                {steps.map(({ step, title, text, action }, index) => {
                    const isDone = tour.done.has(step);
                    const isNext = tour.next === step;
                    return (
                        <li
                            key={step}
                            className={classes.step}
                            data-step={step}
                            data-done={isDone || undefined}
                            aria-current={isNext ? "step" : undefined}
                        >
                            <ThemeIcon
                                size={26}
                                radius="xl"
                                color={isDone ? "teal" : isNext ? "indigo" : "gray"}
                                variant={isDone || isNext ? "filled" : "light"}
                                aria-hidden
                            >
                                {isDone ? (
                                    <IconCheck size={16} />
                                ) : (
                                    <span className={classes.number}>{index + 1}</span>
                                )}
                            </ThemeIcon>
                            <div>
                                <Text size="sm" fw={600}>
                                    {title}
                                    {isDone && <span className="visually-hidden"> (done)</span>}
                                </Text>
                                <Text size="sm" c="dimmed">
                                    {text}
                                </Text>
                                {action}
                            </div>
                        </li>
                    );
                })}
            </ol>
        </Paper>
    );
}

function texts(step: Step, isAdmin: boolean): { title: string; text: string; action?: ReactNode } {
    switch (step) {
        case "window":
            return {
                title: "Open a second window",
                text: "Put the two side by side. Both are connected on their own.",
                action: (
                    <Button
                        component="a"
                        href={location.pathname}
                        target="_blank"
                        variant="light"
                        size="compact-sm"
                        mt={6}
                    >
                        Open one
                    </Button>
                ),
            };
        case "broadcast":
            return {
                title: "Broadcast",
                text: isAdmin
                    ? "Say something below. It is stored first, then arrives in both windows."
                    : "Admins can. What they say is stored first, then arrives in both windows.",
            };
        case "drop":
            return {
                title: "Drop the connection",
                text: "Of this window. Then broadcast from the other one: nothing arrives here.",
            };
        case "replay":
            return {
                title: "Reconnect",
                text: "What you missed comes first, in order, each once, marked as replayed.",
            };
    }
}
