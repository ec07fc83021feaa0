import { Badge } from "@mantine/core";
import type { MessageStatus } from "@roomcast/client";
import type { ReactNode } from "react";
import { STATUSES } from "../lib/messages";

/** Where a message stands. */
export function MessageStatusBadge({ status }: { status: MessageStatus }): ReactNode {
    const { name, color } = STATUSES[status];
    return (
        <Badge variant="light" color={color} tt="none" flex="none" data-status-of-message={status}>
            {name}
        </Badge>
    );
}
