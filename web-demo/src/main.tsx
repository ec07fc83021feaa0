import "./styles";
import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { SessionProvider } from "./session/SessionProvider";
import { theme } from "./theme";

const root = document.getElementById("root");
if (root === null) {
    throw new Error("The page has no root");
}
createRoot(root).render(
    <StrictMode>
        {/* The styles that these would put into the page stand in theme.css. */}
        <MantineProvider
            theme={theme}
            defaultColorScheme="auto"
            withCssVariables={false}
            withGlobalClasses={false}
        >
            <Notifications limit={4} />
            <SessionProvider>
                <App />
            </SessionProvider>
        </MantineProvider>
    </StrictMode>,
);
