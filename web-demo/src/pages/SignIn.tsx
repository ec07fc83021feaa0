import { Alert, Anchor, Button, Text, TextInput } from "@mantine/core";
import type { ReactNode } from "react";
import { Link, useLocation, useSearch } from "wouter";
import { session } from "../hub";
import { useHubForm } from "../lib/useHubForm";
import { paths } from "../paths";
import { Entrance } from "../ui/Entrance";
import { Password } from "../ui/Password";
import { Problem } from "../ui/States";

/** Signs in to the organisation that was used last. */
export function SignIn(): ReactNode {
    const [, go] = useLocation();
    const hasEnded = useSearch().includes("ended");
    const { form, problem, isBusy, onSubmit } = useHubForm({ email: "", password: "" }, async values => {
        await session.signIn(rest => rest.login(values));
        go(paths.live, { replace: true });
    });
    return (
        <Entrance
            title="Sign in"
            intro="To the organisation that you used last. You can switch once you are in."
            other={
                <Text size="sm" ta="center">
                    New here?{" "}
                    <Anchor component={Link} href={paths.signUp} underline="always">
                        Found an organisation
                    </Anchor>
                </Text>
            }
        >
            <form onSubmit={onSubmit} noValidate className="form">
                {hasEnded && problem === null && (
                    <Alert color="gray" role="status">
                        You are signed out.
                    </Alert>
                )}
                {problem !== null && <Problem problem={problem} />}
                <TextInput label="Email" type="email" autoComplete="email" {...form.getInputProps("email")} />
                <Password
                    label="Password"
                    autoComplete="current-password"
                    {...form.getInputProps("password")}
                />
                <Button type="submit" loading={isBusy}>
                    Sign in
                </Button>
            </form>
        </Entrance>
    );
}
