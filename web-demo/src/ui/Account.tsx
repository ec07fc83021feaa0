import { Avatar, Menu, Text, UnstyledButton } from "@mantine/core";
import { IconBuilding, IconChevronDown, IconLogout, IconSwitchHorizontal } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { Link } from "wouter";
import { rest, session } from "../hub";
import { paths } from "../paths";
import classes from "./Account.module.css";
import { switchTo } from "./switchTo";
import { useMe } from "./useMe";

/** Who is signed in and where; the way to another organisation, and out. */
export function Account(): ReactNode {
    const { user, organisation } = useMe();
    const [isOpen, setIsOpen] = useState(false);
    const organisations = useQuery({
        queryKey: ["organisations"],
        queryFn: ({ signal }) => rest.listOrganisations({ limit: 200 }, { signal }),
        enabled: isOpen,
    });
    const others = organisations.data?.items.filter(other => other.organisation.id !== organisation.id) ?? [];
    return (
        <Menu opened={isOpen} onChange={setIsOpen} width="16rem" position="bottom-end">
            <Menu.Target>
                <UnstyledButton className={classes.button ?? ""} title="Account">
                    <Avatar name={user.name} color="indigo" size={32} aria-hidden />
                    <span className={classes.names}>
                        <Text component="span" size="sm" fw={600} truncate className="block">
                            {user.name}
                        </Text>
                        <Text component="span" size="xs" c="dimmed" truncate className="block">
                            {organisation.name}
                        </Text>
                    </span>
                    <IconChevronDown size={16} aria-hidden />
                </UnstyledButton>
            </Menu.Target>
            <Menu.Dropdown>
                <Menu.Label>{user.email}</Menu.Label>
                {others.map(({ organisation: other }) => (
                    <Menu.Item
                        key={other.id}
                        leftSection={<IconSwitchHorizontal size={16} />}
                        onClick={() => void switchTo(other.id)}
                    >
                        Switch to {other.name}
                    </Menu.Item>
                ))}
                <Menu.Item
                    component={Link}
                    href={paths.organisation}
                    leftSection={<IconBuilding size={16} />}
                >
                    Organisations
                </Menu.Item>
                <Menu.Divider />
                <Menu.Item leftSection={<IconLogout size={16} />} onClick={() => void session.signOut()}>
                    Sign out
                </Menu.Item>
            </Menu.Dropdown>
        </Menu>
    );
}
