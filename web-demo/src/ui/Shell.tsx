import { Anchor, NavLink } from "@mantine/core";
import {
    IconBook2,
    IconBroadcast,
    IconBuilding,
    IconList,
    IconSend,
    IconSpeakerphone,
    IconUsers,
} from "@tabler/icons-react";
import type { ReactNode } from "react";
import { Link, useRoute } from "wouter";
import { isSuspension, standingOf } from "../lib/standing";
import { useLive } from "../live/LiveProvider";
import { paths } from "../paths";
import { Account } from "./Account";
import { ConnectionBadge } from "./ConnectionBadge";
import { Logo } from "./Logo";
import { SchemeToggle } from "./SchemeToggle";
import classes from "./Shell.module.css";
import { Suspended } from "./Suspended";
import { useArrivals } from "./useArrivals";
import { useFreshness, useMe } from "./useMe";

const PLACES = [
    { path: paths.live, label: "Live", icon: IconBroadcast, isForAdmins: false },
    { path: paths.feed, label: "Feed", icon: IconList, isForAdmins: false },
    { path: paths.broadcast, label: "Broadcast", icon: IconSpeakerphone, isForAdmins: true },
    { path: paths.messages, label: "Messages", icon: IconSend, isForAdmins: false },
    { path: paths.members, label: "Members", icon: IconUsers, isForAdmins: true },
    { path: paths.organisation, label: "Organisation", icon: IconBuilding, isForAdmins: false },
] as const;

/** What surrounds every page of somebody who is signed in. */
export function Shell({ children }: { children: ReactNode }): ReactNode {
    const { isAdmin, organisation } = useMe();
    const reason = useLive(state => state.reason);
    const error = useLive(state => state.error);
    const isSuspended = isSuspension(reason, error) || standingOf(organisation).isSuspended === true;
    useFreshness();
    useArrivals();
    return (
        <div className={classes.shell}>
            <Anchor href="#content" className={classes.skip}>
                Skip to the content
            </Anchor>
            <header className={classes.header}>
                <Link href={paths.live} className={classes.brand ?? ""} aria-label="Roomcast, live">
                    <Logo />
                </Link>
                <ConnectionBadge />
                <div className={classes.tools}>
                    <SchemeToggle />
                    <Account />
                </div>
            </header>
            <nav className={classes.nav} aria-label="Pages">
                {PLACES.filter(place => isAdmin || !place.isForAdmins).map(place => (
                    <Place key={place.path} {...place} />
                ))}
                <NavLink
                    href="/docs/"
                    label="API reference"
                    leftSection={<IconBook2 size={20} stroke={1.7} aria-hidden />}
                    classNames={{ root: classes.docs ?? "" }}
                />
            </nav>
            <main id="content" className={classes.main} tabIndex={-1}>
                {isSuspended ? <Suspended /> : children}
            </main>
        </div>
    );
}

function Place({ path, label, icon: Icon }: (typeof PLACES)[number]): ReactNode {
    const [isHere] = useRoute(path);
    return (
        <NavLink
            component={Link}
            href={path}
            label={label}
            active={isHere}
            aria-current={isHere ? "page" : undefined}
            leftSection={<Icon size={20} stroke={1.7} aria-hidden />}
            classNames={{
                root: classes.place ?? "",
                section: classes.placeIcon ?? "",
                label: classes.placeLabel ?? "",
            }}
        />
    );
}
