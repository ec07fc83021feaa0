import { Badge, type MantineColor, Text, ThemeIcon } from "@mantine/core";
import type { Activity } from "@roomcast/client";
import {
    IconBuilding,
    IconCreditCard,
    IconDots,
    IconLogin2,
    IconMessage,
    type IconProps,
    IconSend,
    IconUsers,
} from "@tabler/icons-react";
import { type ComponentType, memo, type ReactNode } from "react";
import { type Tone, tell } from "../lib/activity";
import { fullTimeOf, timeOf } from "../lib/time";
import type { Arrival } from "../live/timeline";
import classes from "./ActivityItem.module.css";

const TONES: Readonly<Record<Tone, [ComponentType<IconProps>, MantineColor]>> = {
    message: [IconMessage, "indigo"],
    people: [IconUsers, "teal"],
    session: [IconLogin2, "gray"],
    organisation: [IconBuilding, "grape"],
    plan: [IconCreditCard, "orange"],
    outside: [IconSend, "indigo"],
    other: [IconDots, "gray"],
};

/** One activity, as a line of a list. */
export const ActivityItem = memo(function ActivityItem(props: {
    activity: Activity;
    arrival?: Arrival;
}): ReactNode {
    const { activity, arrival = "history" } = props;
    const { title, message, tone } = tell(activity);
    const [Icon, color] = TONES[tone];
    return (
        <li className={classes.item} data-seq={activity.seq} data-type={activity.type} data-arrival={arrival}>
            <ThemeIcon variant="light" color={color} radius="xl" size={34} aria-hidden>
                <Icon size={18} stroke={1.8} />
            </ThemeIcon>
            <div className={classes.body}>
                <div className={classes.head}>
                    <Text size="sm" fw={message === undefined ? 400 : 600} component="span">
                        {title}
                    </Text>
                    {arrival === "replayed" && (
                        <Badge size="sm" variant="light" color="orange" tt="none">
                            replayed
                        </Badge>
                    )}
                </div>
                {message !== undefined && <Text className={classes.message ?? ""}>{message}</Text>}
                <Text size="xs" c="dimmed" component="div">
                    <span title="Its place in the log">#{activity.seq}</span>
                    {" · "}
                    <time dateTime={activity.createdAt} title={fullTimeOf(activity.createdAt)}>
                        {timeOf(activity.createdAt)}
                    </time>
                </Text>
            </div>
        </li>
    );
});
