import { type UseFormReturnType, useForm } from "@mantine/form";
import { type FormEvent, useState } from "react";
import { type Explained, fieldErrors } from "./problem";

/** A form whose answer comes from the hub, and so do its complaints. */
export interface HubForm<T extends object> {
    form: UseFormReturnType<T>;
    /** What is wrong and belongs to no field. */
    problem: Explained | null;
    isBusy: boolean;
    onSubmit(event?: FormEvent<HTMLFormElement>): void;
}

/** Sends the values, and puts what the hub says to the fields that it speaks of. */
export function useHubForm<T extends Record<string, unknown>>(
    initialValues: T,
    send: (values: T) => Promise<void>,
    validate: (values: T) => Record<string, string | null> = () => ({}),
): HubForm<T> {
    const form = useForm<T>({ initialValues, validate: values => validate(values) });
    const [problem, setProblem] = useState<Explained | null>(null);
    const [isBusy, setIsBusy] = useState(false);
    const submit = async (values: T): Promise<void> => {
        if (isBusy) {
            return;
        }
        setIsBusy(true);
        setProblem(null);
        try {
            await send(values);
        } catch (error) {
            const { byField, rest } = fieldErrors(error, Object.keys(initialValues));
            form.setErrors(byField);
            setProblem(rest);
        } finally {
            setIsBusy(false);
        }
    };
    return {
        form: form as UseFormReturnType<T>,
        problem,
        isBusy,
        onSubmit: form.onSubmit(values => void submit(values)),
    };
}
