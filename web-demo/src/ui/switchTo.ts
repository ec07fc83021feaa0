import { notifications } from "@mantine/notifications";
import { rest, session } from "../hub";
import { explain } from "../lib/problem";

/** Signs in to another organisation of the account, in every window of this browser. */
export async function switchTo(organisationId: string): Promise<void> {
    try {
        await session.keep(await rest.switchOrganisation(organisationId));
    } catch (error) {
        const { title, detail } = explain(error);
        notifications.show({ color: "red", title, message: detail });
    }
}
