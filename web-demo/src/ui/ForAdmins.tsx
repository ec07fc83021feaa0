import { IconLock } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { Empty } from "./States";
import { useMe } from "./useMe";

/** What only admins may see; the others are told so. */
export function ForAdmins({ children }: { children: ReactNode }): ReactNode {
    const { isAdmin } = useMe();
    return isAdmin ? (
        children
    ) : (
        <Empty icon={IconLock} title="For admins">
            Ask an admin of your organisation to make you one, or to do this for you.
        </Empty>
    );
}
