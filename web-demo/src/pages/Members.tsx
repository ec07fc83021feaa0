import { Paper, Stack, Title } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { ForAdmins } from "../ui/ForAdmins";
import { InviteForm } from "../ui/InviteForm";
import { MemberList } from "../ui/MemberList";
import { Page } from "../ui/Page";
import { PendingInvites } from "../ui/PendingInvites";
import { Seats } from "../ui/Seats";
import { useMe } from "../ui/useMe";

/** Who belongs to the organisation, and who is about to. */
export default function Members(): ReactNode {
    return (
        <Page title="Members" description="Who belongs to the organisation, and what they may do.">
            <ForAdmins>
                <Everybody />
            </ForAdmins>
        </Page>
    );
}

function Everybody(): ReactNode {
    const { organisation } = useMe();
    // A form that is done begins anew, and keeps showing the link.
    const [link, setLink] = useState<{ email: string; url: string } | null>(null);
    return (
        <>
            <Paper withBorder p="md">
                <Seats organisation={organisation} />
            </Paper>
            <Paper withBorder p="md" component="section" aria-labelledby="invite">
                <Title order={2} size="h4" id="invite" mb="sm">
                    Invite somebody
                </Title>
                <InviteForm link={link} onLink={setLink} />
            </Paper>
            <Stack gap="sm">
                <Title order={2} size="h4">
                    Members
                </Title>
                <MemberList />
            </Stack>
            <Stack gap="sm">
                <Title order={2} size="h4">
                    Pending invites
                </Title>
                <PendingInvites />
            </Stack>
        </>
    );
}
