import { Badge, Button, Group, Modal, Text, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconPlus } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { rest } from "../hub";
import { useHubForm } from "../lib/useHubForm";
import classes from "./Organisations.module.css";
import { Failed, Loading, Problem } from "./States";
import { switchTo } from "./switchTo";
import { useMe } from "./useMe";

/** The organisations of the account, and the way into each. */
export function Organisations(): ReactNode {
    const { organisation } = useMe();
    const [isFounding, founding] = useDisclosure(false);
    const all = useQuery({
        queryKey: ["organisations"],
        queryFn: ({ signal }) => rest.listOrganisations({ limit: 200 }, { signal }),
    });
    if (all.isPending) {
        return <Loading label="Reading your organisations" />;
    }
    if (all.isError) {
        return <Failed error={all.error} onRetry={() => void all.refetch()} />;
    }
    return (
        <>
            <ul className={classes.list}>
                {all.data.items.map(({ organisation: other, role }) => (
                    <li key={other.id} className={classes.row}>
                        <div className={classes.name}>
                            <Text size="sm" fw={600} truncate>
                                {other.name}
                            </Text>
                            <Text size="xs" c="dimmed">
                                {role.toLowerCase()}
                            </Text>
                        </div>
                        {other.id === organisation.id ? (
                            <Badge variant="light" tt="none">
                                you are here
                            </Badge>
                        ) : (
                            <Button
                                size="compact-sm"
                                variant="default"
                                aria-label={`Switch to ${other.name}`}
                                onClick={() => void switchTo(other.id)}
                            >
                                Switch
                            </Button>
                        )}
                    </li>
                ))}
            </ul>
            <Group>
                <Button variant="default" leftSection={<IconPlus size={18} />} onClick={founding.open}>
                    New organisation
                </Button>
            </Group>
            <Modal opened={isFounding} onClose={founding.close} title="New organisation" centered>
                <NewOrganisation onDone={founding.close} />
            </Modal>
        </>
    );
}

function NewOrganisation({ onDone }: { onDone: () => void }): ReactNode {
    const queries = useQueryClient();
    const { form, problem, isBusy, onSubmit } = useHubForm({ name: "" }, async values => {
        const { id } = await rest.createOrganisation(values);
        await queries.invalidateQueries({ queryKey: ["organisations"] });
        onDone();
        await switchTo(id);
    });
    return (
        <form onSubmit={onSubmit} noValidate className="form">
            {problem !== null && <Problem problem={problem} />}
            <TextInput label="Name" autoComplete="off" data-autofocus {...form.getInputProps("name")} />
            <Button type="submit" loading={isBusy}>
                Found it
            </Button>
        </form>
    );
}
