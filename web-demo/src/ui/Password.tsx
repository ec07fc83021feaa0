import { PasswordInput, type PasswordInputProps } from "@mantine/core";
import type { ReactNode } from "react";

/** A password's field, which says where it is refused, too. */
export function Password(props: PasswordInputProps): ReactNode {
    return <PasswordInput {...props} aria-invalid={Boolean(props.error) || undefined} />;
}
