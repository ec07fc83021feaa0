import { Anchor, Button, Text, TextInput } from "@mantine/core";
import type { ReactNode } from "react";
import { Link, useLocation } from "wouter";
import { session } from "../hub";
import { useHubForm } from "../lib/useHubForm";
import { paths } from "../paths";
import { Entrance } from "../ui/Entrance";
import { Password } from "../ui/Password";
import { Problem } from "../ui/States";

/** Founds an organisation. */
export function SignUp(): ReactNode {
    const [, go] = useLocation();
    const first = { organisationName: "", name: "", email: "", password: "" };
    const { form, problem, isBusy, onSubmit } = useHubForm(first, async values => {
        await session.signIn(rest => rest.register(values));
        go(paths.live, { replace: true });
    });
    return (
        <Entrance
            title="Found an organisation"
            intro="Roomcast tells its members what happens, live and in order, and whoever was away gets what they missed."
            other={
                <Text size="sm" ta="center">
                    You have an account?{" "}
                    <Anchor component={Link} href={paths.signIn} underline="always">
                        Sign in
                    </Anchor>
                </Text>
            }
        >
            <form onSubmit={onSubmit} noValidate className="form">
                {problem !== null && <Problem problem={problem} />}
                <TextInput
                    label="Organisation"
                    placeholder="Acme"
                    autoComplete="organization"
                    {...form.getInputProps("organisationName")}
                />
                <TextInput
                    label="Your name"
                    placeholder="Ana"
                    autoComplete="name"
                    {...form.getInputProps("name")}
                />
                <TextInput
                    label="Email"
                    type="email"
                    placeholder="ana@acme.example"
                    autoComplete="email"
                    {...form.getInputProps("email")}
                />
                <Password
                    label="Password"
                    description="At least 8 characters"
                    autoComplete="new-password"
                    {...form.getInputProps("password")}
                />
                <Button type="submit" loading={isBusy}>
                    Sign up
                </Button>
            </form>
        </Entrance>
    );
}
