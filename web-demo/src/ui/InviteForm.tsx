import { Alert, Button, Group, Select, Stack, Text, TextInput } from "@mantine/core";
import { IconMailPlus } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { rest } from "../hub";
import { useHubForm } from "../lib/useHubForm";
import { paths } from "../paths";
import { CopyField } from "./CopyField";
import { Problem } from "./States";

interface InviteLink {
    email: string;
    url: string;
}

/** Makes an invite, and hands over its link: the hub sends no mail, and tells the token this once. */
export function InviteForm(props: {
    link: InviteLink | null;
    onLink: (link: InviteLink | null) => void;
}): ReactNode {
    const { link, onLink } = props;
    const queries = useQueryClient();
    const { form, problem, isBusy, onSubmit } = useHubForm({ email: "", role: "MEMBER" }, async values => {
        onLink(null);
        const { email, inviteToken } = await rest.inviteUser(values);
        onLink({ email, url: inviteLink(inviteToken) });
        form.reset();
        await queries.invalidateQueries({ queryKey: ["invites"] });
    });
    return (
        <Stack>
            <form onSubmit={onSubmit} noValidate className="form">
                {problem !== null && <Problem problem={problem} />}
                <Group align="flex-start" gap="sm">
                    <TextInput
                        label="Email"
                        type="email"
                        placeholder="bo@acme.example"
                        autoComplete="off"
                        className="grow"
                        {...form.getInputProps("email")}
                    />
                    <Select
                        label="Role"
                        data={ROLES}
                        allowDeselect={false}
                        w="9rem"
                        {...form.getInputProps("role")}
                    />
                    <Button
                        type="submit"
                        loading={isBusy}
                        leftSection={<IconMailPlus size={18} />}
                        className="beside-labels"
                    >
                        Invite
                    </Button>
                </Group>
            </form>
            {link !== null && (
                <Alert color="teal" role="status" title={`Send this link to ${link.email}`}>
                    <Stack gap="xs">
                        <CopyField label="Invite link" value={link.url} />
                        <Text size="sm">
                            It works once, and is not shown again. To try it here, open it in a private
                            window.
                        </Text>
                    </Stack>
                </Alert>
            )}
        </Stack>
    );
}

/** The roles that this page knows. */
export const ROLES = [
    { value: "MEMBER", label: "Member" },
    { value: "ADMIN", label: "Admin" },
];

/** The link that an invited person follows. The token stands behind the #, which no server and no log sees. */
function inviteLink(token: string): string {
    return `${location.origin}${paths.invite}#${token}`;
}
