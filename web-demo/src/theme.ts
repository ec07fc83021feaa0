import { createTheme } from "@mantine/core";

/** What lies over the page. */
const overPage = {
    // It would put a style into the page to stop it from scrolling.
    lockScroll: false,
    closeButtonProps: { "aria-label": "Close" },
    // The page has a header already.
    attributes: { header: { role: "presentation" } },
};

// Colours and sizes that differ from Mantine's are in theme.css: the page's policy allows no styles from a script.
export const theme = createTheme({
    primaryColor: "indigo",
    cursorType: "pointer",
    respectReducedMotion: true,
    components: {
        Notification: { defaultProps: { closeButtonProps: { "aria-label": "Dismiss" } } },
        Drawer: { defaultProps: overPage },
        Modal: { defaultProps: overPage },
    },
});
