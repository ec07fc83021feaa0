import { Button } from "@mantine/core";
import { IconLogout } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { session } from "../hub";

/** Ends the session of this browser, in all of its windows. */
export function SignOut(): ReactNode {
    return (
        <Button
            variant="default"
            leftSection={<IconLogout size={18} />}
            onClick={() => void session.signOut()}
        >
            Sign out
        </Button>
    );
}
