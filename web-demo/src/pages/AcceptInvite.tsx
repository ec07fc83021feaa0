import { Anchor, Button, Text, TextInput } from "@mantine/core";
import { type ReactNode, useEffect, useState } from "react";
import { Link, useLocation } from "wouter";
import { session } from "../hub";
import { hideToken, tokenOf } from "../lib/inviteLink";
import { useHubForm } from "../lib/useHubForm";
import { paths } from "../paths";
import { useSession } from "../session/SessionProvider";
import { Entrance } from "../ui/Entrance";
import { Password } from "../ui/Password";
import { Problem } from "../ui/States";

/** Joins an organisation with an invite. */
export function AcceptInvite(): ReactNode {
    const [, go] = useLocation();
    const current = useSession();
    const [given] = useState(() => location.hash.slice(1));
    // Not while rendering, which may be done twice: the second time would find no token.
    useEffect(() => hideToken(window), []);
    const first = { token: given, name: "", password: "" };
    const { form, problem, isBusy, onSubmit } = useHubForm(first, async ({ token, ...rest }) => {
        // A copy of the whole link serves as well.
        await session.signIn(hub => hub.acceptInvite({ ...rest, token: tokenOf(token) }));
        go(paths.live, { replace: true });
    });
    return (
        <Entrance
            title="Accept an invite"
            intro="You were invited to an organisation. Say who you are, and you are in."
            other={
                <Text size="sm" ta="center">
                    {current.status === "in" ? (
                        <>
                            You are signed in as {current.user.name}, and will be signed out here.{" "}
                            <Anchor component={Link} href={paths.live} underline="always">
                                Go back
                            </Anchor>
                        </>
                    ) : (
                        <Anchor component={Link} href={paths.signIn} underline="always">
                            Sign in instead
                        </Anchor>
                    )}
                </Text>
            }
        >
            <form onSubmit={onSubmit} noValidate className="form">
                {problem !== null && <Problem problem={problem} />}
                {given === "" && (
                    <TextInput
                        label="Invite"
                        description="The link that you were sent"
                        {...form.getInputProps("token")}
                    />
                )}
                <TextInput label="Your name" autoComplete="name" {...form.getInputProps("name")} />
                <Password
                    label="Password"
                    description="A new one; where your email has an account already, that one's"
                    autoComplete="new-password"
                    {...form.getInputProps("password")}
                />
                <Button type="submit" loading={isBusy}>
                    Join
                </Button>
            </form>
        </Entrance>
    );
}
